"""Step 7: the proposal and the approvals. People are counted, not keys; whoever proposed never counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.records.change import ChangeClass
from runner.records.policy import Trust
from runner.records.statement import Choice, Decision, LedgerPoint
from runner.records.verdict import Reason
from runner.rules.times import later
from runner.rules.trust.facts import Facts, Signed
from runner.rules.trust.policy import eligible, quorum

STEP = "7 approvals"
SIGNATURE, BINDING, IN_TIME, SUBJECTS = "7.1 signature", "7.2 binding", "7.3 time", "7.4 subjects"
ELIGIBLE, REJECTION = "7.5 eligible", "7.6 rejection"
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
    """Every reason why this change is not approved under the policy at the base tip and, for a policy change, under the
    next one too.

    Of a policy change, a decision that counts under either policy is in order: who is new, who leaves and who changes
    keys can sign where they are known. The proposer is who the present policy says signed, and counts under neither.
    """
    change = facts.change
    if change is None:
        return []
    asked = facts.trust.changes.get(change, ())
    if sum(one.people for one in asked) == 0 and facts.proposal is None and not facts.approvals:
        return []
    proposer, reasons = _proposer(facts)
    counts = [_count(facts, facts.trust, facts.approvals, proposer, change, said="")]
    left = _left_behind(facts, facts.trust, facts.approvals, facts.standing, change)
    following = facts.next_policy
    if following is not None and following.trust is not None and change is ChangeClass.POLICY:
        said = " under the next policy"
        counts.append(_count(facts, following.trust, following.approvals, proposer, change, said=said))
        left += _left_behind(facts, following.trust, following.approvals, following.standing, change)
    in_order = {path for count in counts for path in count.paths}
    for count in counts:
        reasons += [found for path, found in count.wrong if path not in in_order]
        reasons += count.missing
    return [*reasons, *dict.fromkeys(left)]


def _left_behind(
    facts: Facts, trust: Trust, merged: Iterable[Signed], standing: Iterable[Signed], change: ChangeClass
) -> list[Reason]:
    """Rejections on the change's branch that the merge does not carry, and that no newer decision of the same person
    has lifted. Of two decisions signed in one second the one that came to the branch later is newer."""
    merged, newest = tuple(merged), dict[str, tuple[str, Signed]]()
    for signed in (*merged, *standing):
        if signed.statement is None or decision_problems(facts, signed):
            continue
        time = signed.statement.predicate.not_before
        if time >= newest.get(signed.person, ("", signed))[0]:
            newest[signed.person] = (time, signed)
    return [
        _reason(
            f"{REJECTION}: {person} rejects it on its branch: {signed.statement.predicate.reason}",
            "only a newer decision of theirs lifts this, merged or not",
        )
        for person, (_, signed) in newest.items()
        if signed.statement is not None
        and signed.statement.predicate.decision is Choice.REJECT
        and signed not in merged
        and eligible(trust, change, person)
    ]


def _proposer(facts: Facts) -> tuple[str, list[Reason]]:
    """Who signed the proposal, and everything that is wrong with it."""
    proposal = facts.proposal
    if proposal is None:
        return "", [_reason(f"{SIGNATURE}: nobody signed the proposal", "run `hallmark propose`")]
    problems = decision_problems(facts, proposal)
    proposer = proposal.statement.predicate.person if proposal.statement and not problems else ""
    if proposer and proposer not in facts.trust.people and proposer != facts.trust.ci:
        problems = [(ELIGIBLE, f"{proposer} is neither a person of the policy nor CI")]
    return proposer, [_reason(f"{rule}: {proposal.path}: {problem}", "propose again") for rule, problem in problems]


class _Count(NamedTuple):
    """The approvals under one policy."""

    paths: tuple[str, ...]
    """Of the approvals that count."""
    wrong: list[tuple[str, Reason]]
    """What does not count, by path, and why."""
    missing: list[Reason]
    """That too few count, if so."""


def _count(
    facts: Facts, trust: Trust, approvals: Iterable[Signed], proposer: str, change: ChangeClass, *, said: str
) -> _Count:
    paths, people, wrong = [], [], []
    for signed in approvals:
        problems = _approval_problems(facts, trust, signed, proposer, change)
        wrong += [(signed.path, _reason(f"{problem}{said}", hint)) for problem, hint in problems]
        if not problems:
            paths.append(signed.path)
            people.append(signed.person)
    asked, missing = trust.changes.get(change, ()), []
    if not quorum(trust, asked, people):
        wanted = " and ".join(f"{one.people} of role {one.role}" for one in asked)
        problem = f"{len(people)} of the people asked for have approved ({', '.join(people) or 'nobody'}){said}"
        hint = f"the policy asks for {wanted}, the proposer not counted"
        missing = [Reason(step=QUORUM, problem=problem, hint=hint)]
    return _Count(tuple(paths), wrong, missing)


def _approval_problems(
    facts: Facts, trust: Trust, signed: Signed, proposer: str, change: ChangeClass
) -> list[tuple[str, str]]:
    """Why an approval does not count under a policy, and what to do; empty where it counts."""
    person, statement = signed.person, signed.statement
    problems = decision_problems(facts, signed)
    if problems or statement is None:
        return [(f"{rule}: {signed.path}: {problem}", "sign again, or remove it") for rule, problem in problems]
    if person in (trust.ci, trust.gate):
        return [(f"{ELIGIBLE}: {person} is a machine, and machines do not approve", "remove its approval")]
    if not eligible(trust, change, person):
        return [(f"{ELIGIBLE}: {person} holds no role that a change of {change} asks for", "remove this approval")]
    if statement.predicate.decision is Choice.REJECT:
        said = f"{REJECTION}: {person} rejects it: {statement.predicate.reason}"
        return [(said, "only a newer decision of theirs lifts this")]
    if person == proposer:
        return [(f"{ELIGIBLE}: {person} proposed it, and so does not count", "somebody else has to approve")]
    return []


def decision_problems(facts: Facts, signed: Signed) -> list[tuple[str, str]]:
    """Why a signed decision does not hold for this change, each with its rule; empty where it does."""
    if signed.statement is None:
        return [(SIGNATURE, signed.problem or "is not signed")]
    decision = signed.statement.predicate
    is_proposal = signed.path.endswith("/proposal.dsse.json")
    found = []
    if is_proposal != (decision.decision is Choice.PROPOSE):
        found.append((SIGNATURE, f"says `{decision.decision}` where it may not"))
    if not is_proposal and decision.person != signed.person:
        found.append((SIGNATURE, f"was signed as {decision.person}, and stands as {signed.person}"))
    found += [
        (BINDING, f"is for {name} {theirs!r}, not {ours!r}")
        for name, (theirs, ours) in _bindings(facts, decision).items()
        if theirs != ours
    ]
    if not decision.not_before <= facts.now <= decision.expires:
        found.append((IN_TIME, f"holds from {decision.not_before} to {decision.expires}, and it is {facts.now}"))
    if decision.expires > latest(decision.not_before, facts.trust.approval_days):
        found.append((IN_TIME, f"holds for longer than the {facts.trust.approval_days} days of the policy"))
    named, expected = signed.statement.digests(), subject_digests(facts)
    others = [name for name in sorted({*named, *expected}) if named.get(name) != expected.get(name)]
    found += [(SUBJECTS, f"signs another {name}") for name in others]
    return found + [(BINDING, problem) for problem in _promotion_bindings(facts, decision)]


def latest(start: str, days: int) -> str:
    """The time so many days after `start`; `start` itself where the calendar has no such day."""
    try:
        return later(start, days=days)
    except ValueError:
        return start


def _bindings(facts: Facts, decision: Decision) -> Mapping[str, tuple[object, object]]:
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
