"""An approver's minute: verify everything, show what is signed from the bytes that are signed, sign one file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.errors import VerificationError
from runner.ports_promotion import Repository, Signer
from runner.promotion import decide
from runner.promotion.decide import Proposal
from runner.promotion.propose import refuse
from runner.promotion.sources import Sources
from runner.records.base import Record
from runner.records.evidence import (
    Deprecation,
    EvidenceFile,
    Operations,
    RollbackContract,
    RollbackDrill,
    RollbackTrigger,
)
from runner.records.risks import Risks
from runner.records.scorecard import Scorecard
from runner.records.statement import Choice
from runner.records.traffic import Traffic
from runner.rules.evaluation.comparison_words import verdicts
from runner.rules.trust.approvals import QUORUM
from runner.rules.trust.facts import Facts, Promotion
from runner.rules.trust.figures import parse
from runner.rules.trust.receipts import entered

SHOWN: dict[EvidenceFile, type[Record]] = {
    EvidenceFile.TRAFFIC: Traffic,
    EvidenceFile.OPERATIONS: Operations,
    EvidenceFile.DEPRECATION: Deprecation,
    EvidenceFile.TRIGGER: RollbackTrigger,
    EvidenceFile.ROLLBACK: RollbackContract,
    EvidenceFile.DRILL: RollbackDrill,
}
"""Evidence that is shown as it stands, in this order."""
Confirm = Callable[[dict[str, Any]], bool]


def consider(
    sources: Sources, repository: Repository, target: str, *, now: str, remote: str | None, person: str = ""
) -> Proposal:
    """The target's branch as the remote has it, judged as if merged now, without the person's own older decision."""
    branch = decide.branch_of(target)
    main, tip = decide.tips(repository, branch, remote=remote)
    return decide.consider(sources, repository, main=main, branch=branch, tip=tip, now=now, leaving_out=person)


def sign(
    sources: Sources,
    repository: Repository,
    target: str,
    *,
    choice: Choice,
    signer: Signer,
    now: str,
    remote: str | None,
    confirm: Confirm,
    person: str = "",
    reason: str = "",
) -> tuple[Proposal, str] | None:
    """Approve or reject a target: sign, and push one file. Says the proposal as it was judged, and who signed.

    None where `confirm`, told what would be signed, says no. Raises `VerificationError` where an approval would put a
    name under something that the gate refuses for more than missing approvals; a rejection is always taken.
    """
    branch = decide.branch_of(target)
    main, tip = decide.tips(repository, branch, remote=remote)
    found = _signs_as(sources, repository, signer, main=main, tip=tip)
    if person and person != found:
        raise VerificationError(f"this key is {found}'s, not {person}'s")
    proposal = decide.consider(sources, repository, main=main, branch=branch, tip=tip, now=now, leaving_out=found)
    if choice is Choice.APPROVE:
        _nothing_half_done(repository)
        refuse(proposal, but_for=(QUORUM,), check=True)
        _may_approve(proposal.facts, found)
    if not confirm(summary(proposal.facts, choice=choice, person=found, reason=reason)):
        return None
    envelope = decide.decide(sources, proposal.facts, signer, choice=choice, person=found, now=now, reason=reason)
    path = f"{proposal.approvals_at}{found}.dsse.json"
    commit = repository.commit_files([tip], {path: envelope}, f"{found}: {choice.value} {target}\n")
    decide.publish(repository, branch, commit, old=tip, remote=remote)
    return proposal, found


def _signs_as(sources: Sources, repository: Repository, signer: Signer, *, main: str, tip: str) -> str:
    """Whose key this is under main's policy, or under the next one that the branch brings: who comes, and whose key
    changes, may sign the change that says so. Raises `VerificationError` where it is nobody's."""
    policy = sources.policy(main)
    try:
        return decide.person_of(signer, policy.keys.allowed_signers)
    except VerificationError:
        following = sources.policy(decide.draft_merge(repository, main=main, tip=tip))
        if following.keys.allowed_signers == policy.keys.allowed_signers:
            raise
        return decide.person_of(signer, following.keys.allowed_signers)


def _nothing_half_done(repository: Repository) -> None:
    """Who approves should have read what is signed, and a work tree with changes shows something else."""
    changed = repository.uncommitted()
    if changed:
        named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        raise VerificationError(f"the work tree is not as committed ({named}): commit or set it aside, and read again")


def _may_approve(facts: Facts, person: str) -> None:
    following = facts.next_policy.trust if facts.next_policy else None
    if any(person in (trust.ci, trust.gate) for trust in (facts.trust, following) if trust):
        raise VerificationError(f"{person} is a machine, and machines do not approve")
    proposer = facts.proposal.person if facts.proposal else ""
    if person == proposer:
        raise VerificationError(f"{person} proposed this, so {person}'s approval would not count")


def summary(facts: Facts, *, choice: Choice, person: str, reason: str = "") -> dict[str, Any]:
    """What is signed, in plain values, read from the exact bytes that the signature binds."""
    told: dict[str, Any] = {
        "decision": choice.value,
        "person": person,
        "change": str(facts.change),
        "manifest": facts.manifest,
        "context": facts.context,
        "policy_version": facts.trust.version,
        "signed_already": _signed_already(facts),
        "proposed_by": facts.proposal.person if facts.proposal else None,
    }
    if reason:
        told["reason"] = reason
    if facts.promotion is not None:
        told |= _promotion(facts)
    else:
        told["paths"] = [f"{change.operation} {change.path}" for change in facts.changes]
    return told


def _signed_already(facts: Facts) -> list[str]:
    """Whose decisions hold under the policy, or under the next one."""
    found = (*facts.approvals, *(facts.next_policy.approvals if facts.next_policy else ()))
    return list(dict.fromkeys(signed.person for signed in found if signed.statement))


def _promotion(facts: Facts) -> dict[str, Any]:
    promotion = facts.promotion
    if promotion is None:
        return {}
    record = promotion.record
    told: dict[str, Any] = {
        "cluster": record.cluster,
        "sequence": record.sequence,
        "kind": record.kind.value,
        "stage": record.stage.value,
        "adapter": record.adapter.sha256 if record.adapter else None,
        "incumbent": record.incumbent.sequence,
        "benchmark": record.benchmark.model_dump(mode="json"),
        "human_share": record.human_share,
    }
    if record.follows is not None:
        told["so_far"] = _so_far(promotion)
    card = parse(promotion.evidence, EvidenceFile.SCORECARD, Scorecard)
    if not isinstance(card, str):
        told["scores"] = {
            name: {model: scores.sets[name].composite for model, scores in card.models.items() if name in scores.sets}
            for name in sorted({name for scores in card.models.values() for name in scores.sets})
        }
        told["verdicts"] = list(verdicts(card))
        told["comparisons"] = [one.model_dump(mode="json") for one in card.comparisons]
        told["regressions"] = card.regressions.model_dump(mode="json")
    for name, kind in SHOWN.items():
        if name in promotion.evidence or (record.assessed and name is EvidenceFile.OPERATIONS):
            found = parse(promotion.evidence, name, kind)
            told[name.removesuffix(".json")] = found if isinstance(found, str) else found.model_dump(mode="json")
    risks = parse(promotion.evidence, EvidenceFile.RISKS, Risks)
    told["risks"] = [] if isinstance(risks, str) else [f"{risk.title}: {risk.detail}" for risk in risks.risks]
    return told


def _so_far(promotion: Promotion) -> list[str]:
    """The steps that this adapter has taken, first to last."""
    before, own = promotion.before, promotion.record.adapter
    return [
        f"{record.stage} by promotion {number}, since {entered(before.ledger, number) or 'never: it has no receipt'}"
        for number, record in sorted(before.records.items())
        if record.adapter == own
    ]
