"""Step 7: the proposal and the approvals. People are counted, not keys; whoever proposed never counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.records.change import ChangeClass
from runner.records.policy import Trust
from runner.records.statement import Choice, Decision, LedgerPoint
from runner.records.verdict import Reason
from runner.rules.facts import Facts, Signed
from runner.rules.policy import eligible, quorum

STEP = "7 approvals"
QUORUM = "7 quorum"
"""Only that too few have approved yet: what the next approver is there to mend."""


def subject_digests(facts: Facts) -> dict[str, str]:
    """What a decision's statement must name, by subject."""
    found = {"change-manifest": facts.manifest}
    promotion = facts.promotion
    if promotion is not None:
        found["record"] = promotion.record_sha256
        found |= {f"evidence/{name}": sha for name, sha in promotion.record.evidence.items()}
        if promotion.record.adapter is not None:
            found["adapter"] = promotion.record.adapter.sha256
    return found


def approval_problems(facts: Facts) -> list[Reason]:
    """Every reason why this change is not approved under the policy at the base tip (and, for a policy change, the
    next one)."""
    change = facts.change
    if change is None:
        return []
    reasons = [*_under(facts, facts.trust, facts.proposal, facts.approvals, change, "")]
    following = facts.next_policy
    if following is not None and following.trust is not None and change is ChangeClass.POLICY:
        said = " under the next policy"
        reasons += _under(facts, following.trust, following.proposal, following.approvals, change, said)
    return reasons


def _under(
    facts: Facts, trust: Trust, proposal: Signed | None, approvals: Iterable[Signed], change: ChangeClass, said: str
) -> list[Reason]:
    asked = trust.changes.get(change, ())
    approvals = tuple(approvals)
    if sum(one.people for one in asked) == 0 and proposal is None and not approvals:
        return []
    reasons = []
    proposer = ""
    if proposal is None:
        reasons.append(_reason(f"nobody signed the proposal{said}", "run `hallmark propose`"))
    else:
        problems = decision_problems(facts, proposal, trust)
        if not problems and proposal.statement is not None:
            proposer = proposal.statement.predicate.person
            if proposer not in trust.people and proposer != trust.ci:
                problems = [f"{proposer} is neither a person of the policy nor CI"]
        reasons += [_reason(f"{proposal.path}: {problem}{said}", "propose again") for problem in problems]
    counted, more = _count(facts, trust, approvals, proposer, change)
    reasons += [_reason(f"{problem}{said}", hint) for problem, hint in more]
    if not quorum(trust, asked, counted):
        wanted = " and ".join(f"{one.people} of role {one.role}" for one in asked)
        problem = f"{len(counted)} of the people asked for have approved ({', '.join(counted) or 'nobody'}){said}"
        hint = f"the policy asks for {wanted}, the proposer not counted"
        reasons.append(Reason(step=QUORUM, problem=problem, hint=hint))
    return reasons


def _count(
    facts: Facts, trust: Trust, approvals: Iterable[Signed], proposer: str, change: ChangeClass
) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Who counts as an approver, and everything that is wrong with the others."""
    counted, wrong = [], []
    for signed in approvals:
        person = signed.person
        problems = decision_problems(facts, signed, trust)
        decision = signed.statement.predicate if signed.statement else None
        if problems or decision is None:
            wrong += [(f"{signed.path}: {problem}", "sign again, or remove it") for problem in problems]
        elif person in (trust.ci, trust.gate):
            wrong.append((f"{person} is a machine, and machines do not approve", "remove its approval"))
        elif not eligible(trust, change, person):
            wrong.append((f"{person} holds no role that a change of {change} asks for", "remove this approval"))
        elif decision.decision is Choice.REJECT:
            wrong.append((f"{person} rejects it: {decision.reason}", "only a newer decision of theirs lifts this"))
        elif person == proposer:
            wrong.append((f"{person} proposed it, and so does not count", "somebody else has to approve"))
        else:
            counted.append(person)
    return tuple(counted), wrong


def decision_problems(facts: Facts, signed: Signed, trust: Trust) -> list[str]:
    """Why a signed decision does not hold for this change; empty where it does."""
    if signed.statement is None:
        return [signed.problem or "is not signed"]
    decision = signed.statement.predicate
    is_proposal = signed.path.endswith("/proposal.dsse.json")
    found = []
    if is_proposal != (decision.decision is Choice.PROPOSE):
        found.append(f"says `{decision.decision}` where it may not")
    if not is_proposal and decision.person != signed.person:
        found.append(f"was signed as {decision.person}, and stands as {signed.person}")
    found += [
        f"is for {name} {theirs!r}, not {ours!r}"
        for name, (theirs, ours) in _bindings(facts, decision, trust).items()
        if theirs != ours
    ]
    if not decision.not_before <= facts.now <= decision.expires:
        found.append(f"holds from {decision.not_before} to {decision.expires}, and it is {facts.now}")
    named, expected = signed.statement.digests(), subject_digests(facts)
    found += [f"signs another {name}" for name in sorted({*named, *expected}) if named.get(name) != expected.get(name)]
    return found + _promotion_bindings(facts, decision)


def _bindings(facts: Facts, decision: Decision, trust: Trust) -> Mapping[str, tuple[object, object]]:
    cluster, sequence = facts.place
    return {
        "repository": (decision.repository, facts.trust.repository),
        "ref": (decision.ref, facts.trust.ref),
        "change class": (str(decision.change), str(facts.change)),
        "cluster": (decision.cluster, cluster),
        "sequence": (decision.sequence, sequence),
        "policy version": (decision.policy_version, facts.trust.version),
        "context": (decision.context, facts.context),
    }


def _promotion_bindings(facts: Facts, decision: Decision) -> list[str]:
    promotion = facts.promotion
    if promotion is None:
        return []
    record, found = promotion.record, []
    if decision.stage is not record.stage:
        found.append(f"is for stage {decision.stage}, not {record.stage}")
    if decision.benchmark != record.benchmark:
        found.append("is for another benchmark")
    if decision.incumbent != promotion.before.incumbent:
        found.append("is against another incumbent than the one that is promoted now")
    if decision.rollback != record.evidence.get("rollback.json"):
        found.append("is for another rollback contract")
    if decision.ledger is None or not is_prefix(decision.ledger, promotion.before.ledger_digests):
        found.append("cites a ledger that is no prefix of this cluster's ledger")
    return found


def is_prefix(point: LedgerPoint, digests: tuple[str, ...]) -> bool:
    """Whether the ledger had exactly this head at this size."""
    if point.size > len(digests):
        return False
    return point.head == (digests[point.size - 1] if point.size else None)


def _reason(problem: str, hint: str) -> Reason:
    return Reason(step=STEP, problem=problem, hint=hint)
