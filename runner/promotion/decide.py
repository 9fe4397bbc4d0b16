"""Make the statements that people, CI and the gate sign, and the merge that they sign about."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from runner.errors import RecordError, VerificationError
from runner.ports_promotion import Repository, Signer
from runner.promotion.gather import Step, gather
from runner.promotion.judge import Judgement
from runner.promotion.sources import Sources
from runner.promotion.updates import MAIN
from runner.records.base import SLUG
from runner.records.change import ChangeClass, File
from runner.records.policy import Trust
from runner.records.statement import (
    PAYLOAD_TYPE,
    Choice,
    Decision,
    DecisionStatement,
    LedgerPoint,
    Namespace,
    subjects,
)
from runner.rules.canonical import canonical
from runner.rules.times import later
from runner.rules.trust.approvals import subject_digests
from runner.rules.trust.change import APPROVALS
from runner.rules.trust.facts import Facts
from runner.rules.trust.signers import read_signers
from runner.rules.trust.verification import verify

_TARGET = re.compile(rf"{SLUG}/[1-9][0-9]{{0,5}}\Z")
_BRANCH = re.compile(r"(?!refs/)(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\Z")


@dataclass(frozen=True)
class Proposal:
    """A branch with what it would change, merged on the main of this moment, and the gate's judgement of that."""

    branch: str
    """The full ref name."""
    tip: str
    main: str
    judgement: Judgement

    @property
    def facts(self) -> Facts:
        return self.judgement.facts

    @property
    def approvals_at(self) -> str:
        """The directory of this change's approvals."""
        return approvals_directory(self.facts)


def branch_of(target: str) -> str:
    """The ref of a target: `CLUSTER/SEQ` is a promotion's branch, `promote/<cluster>/<seq>`; all else is a branch.

    Raises `RecordError` for a name that git would not take, or would take for something else.
    """
    if _TARGET.match(target):
        return f"refs/heads/promote/{target}"
    name = target.removeprefix("refs/heads/")
    if not _BRANCH.match(name) or len(name) > 200 or any(part.endswith((".", ".lock")) for part in name.split("/")):
        raise RecordError(f"{target!r} is no CLUSTER/SEQ and no branch", hint="for example desk/3, or my-branch")
    return f"refs/heads/{name}"


def approvals_directory(facts: Facts) -> str:
    cluster, sequence = facts.place
    return f"clusters/{cluster}/promotions/{sequence}/approvals/" if cluster else f"{APPROVALS}{facts.manifest}/"


def consider(
    sources: Sources, repository: Repository, *, main: str, branch: str, tip: str, now: str, leaving_out: str = ""
) -> Proposal:
    """What merging `tip` on `main` would be, judged. The older decision of `leaving_out`, a person, is not read."""
    merged = draft_merge(repository, main=main, tip=tip)
    incoming = (tip, *repository.incoming(main, tip))
    facts = gather(sources, Step(main, merged, now, incoming=incoming, parents=(main, tip)))
    if leaving_out:
        facts = _without(facts, leaving_out)
    return Proposal(branch, tip, main, Judgement(verify(facts), facts))


def _without(facts: Facts, person: str) -> Facts:
    """The facts without a person's decision, under the policy and under the next one."""
    following = facts.next_policy
    if following is not None:
        following = following._replace(approvals=tuple(one for one in following.approvals if one.person != person))
    approvals = tuple(one for one in facts.approvals if one.person != person)
    return facts._replace(approvals=approvals, next_policy=following)


def draft_merge(repository: Repository, *, main: str, tip: str) -> str:
    """A merge of `tip` on `main` that takes, of every path, the side that changed it. No ref moves.

    Raises `VerificationError` where both sides changed a path: the branch has to be brought up to date.
    """
    base = repository.merge_base(main, tip)
    theirs = {change.path: change for change in repository.diff(base, tip)}
    ours = {change.path for change in repository.diff(base, main)}
    both = sorted(path for path in theirs if path in ours)
    if both:
        raise VerificationError(f"main and the branch both change {both[0]}: rebuild the branch from main")
    files = {path: File(change.mode, change.blob) if change.blob else None for path, change in theirs.items()}
    return repository.commit_files((main, tip), files, f"Merge {tip[:12]}\n")


def person_of(signer: Signer, allowed_signers: bytes) -> str:
    """Whose key this is under a policy. Raises `VerificationError` where it is nobody's."""
    lines, _ = read_signers(allowed_signers)
    own = signer.public_key
    for line in lines:
        if line.public_key == own:
            return line.principal
    raise VerificationError("this key is nobody's in policy/allowed_signers of main: ask for it to be added")


def decide(
    sources: Sources, facts: Facts, signer: Signer, *, choice: Choice, person: str, now: str, reason: str = ""
) -> bytes:
    """The signed envelope of one decision about the change in `facts`."""
    if facts.change is None:
        raise VerificationError("the change is of no one class, so there is nothing to sign")
    promotion, trust = facts.promotion, facts.trust
    cluster, sequence = facts.place
    ledger = None
    if cluster:
        chain = sources.chain(cluster)
        ledger = LedgerPoint(size=chain.history.size, head=chain.history.head)
    decision = Decision(
        repository=trust.repository,
        ref=trust.ref,
        change=facts.change,
        cluster=cluster,
        sequence=sequence,
        stage=promotion.record.stage if promotion else None,
        decision=choice,
        person=person,
        role=_role(trust, facts, person),
        policy_version=trust.version,
        context=facts.context,
        benchmark=promotion.record.benchmark if promotion else None,
        incumbent=promotion.before.incumbent if promotion else None,
        ledger=ledger,
        rollback=promotion.record.evidence.get("rollback.json") if promotion else None,
        reason=reason,
        not_before=now,
        expires=_expires(trust, facts.change, now),
        nonce=secrets.token_hex(16),
    )
    statement = DecisionStatement(subject=subjects(subject_digests(facts)), predicate=decision)
    namespace = Namespace.PROPOSAL if choice is Choice.PROPOSE else Namespace.APPROVAL
    return signer.sign(canonical(statement), payload_type=PAYLOAD_TYPE, namespace=namespace)


def _expires(trust: Trust, change: ChangeClass, now: str) -> str:
    """No decision outlives the policy, but those on what follows it: an expired policy can still be renewed."""
    end = later(now, days=trust.approval_days)
    return end if change in (ChangeClass.POLICY, ChangeClass.REVOCATION) else min(end, trust.expires)


def _role(trust: Trust, facts: Facts, person: str) -> str:
    """The first role of the person's that this class asks for, under the policy or else under the next one."""
    following = facts.next_policy.trust if facts.next_policy else None
    for policy in (trust, following):
        asked = [one.role for one in policy.changes.get(facts.change, ())] if policy and facts.change else []
        for role in policy.people.get(person, ()) if policy else ():
            if role in asked:
                return role
    return ""


def tips(repository: Repository, branch: str, *, remote: str | None) -> tuple[str, str]:
    """Main and the branch, as they now stand at the remote (or here, where there is none)."""
    found = []
    for ref in (MAIN, branch):
        tip = repository.remote_ref(remote, ref) if remote else repository.resolve(ref)
        if tip is None:
            where = remote or "this repository"
            raise RecordError(f"{where} has no {ref}", hint="list the branches with `git ls-remote`")
        found.append(tip)
    return found[0], found[1]


def publish(repository: Repository, branch: str, commit: str, *, old: str | None, remote: str | None) -> None:
    """Move the branch to `commit`, at the remote or here. Raises `GitError` where another writer was first."""
    if remote:
        repository.push(remote, {branch: commit})
    else:
        repository.move({branch: (commit, old)})
