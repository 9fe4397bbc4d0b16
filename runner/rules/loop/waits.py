"""What a cluster waits for: which gate, who has to do what, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.change import ChangeClass
from runner.records.fleet_status import Waiting
from runner.records.ledger import Entry, EntryKind
from runner.records.policy import Requirement
from runner.records.verdict import Outcome
from runner.rules.loop.escalation_page import escalation_branch, escalation_path

OWNERS, CI = "domain owners", "CI"
PROPOSALS: Mapping[str, tuple[ChangeClass, str]] = {
    "promote": (ChangeClass.PROMOTION, "approvers"),
    "rollback": (ChangeClass.ROLLBACK, "people on call"),
}
"""The branch that a proposal stands on, to what the policy asks of it, and who that is where it does not say."""


class Proposal(NamedTuple):
    """An open branch with a promotion or a rollback on it."""

    kind: str
    """`promote` or `rollback`."""
    sequence: int
    since: str
    signed: tuple[str, ...]
    """Who approved it so far. Nobody is believed yet: the gate checks the signatures."""
    rejected: tuple[str, ...]


class Course(NamedTuple):
    """The current iteration as far as its last entries tell."""

    iteration: str
    passed: int
    """How many phases have passed."""
    last: Entry | None
    """The entry that queued it, ended it, or is of its last phase."""
    received: bool
    """Whether its promotion has its receipt."""


def iteration_waits(
    cluster: str, course: Course, *, phases: Sequence[str], escalated: bool, proposed: bool
) -> Iterator[Waiting]:
    """Of the iteration itself. `proposed` says that its promotion is open, merged, or was refused by people."""
    entry = course.last
    if entry is None or entry.kind is not EntryKind.PHASE or course.received:
        return
    since = str(entry.measured.get("at", ""))
    if entry.verdict.outcome is Outcome.WAIT:
        what = (
            f"decide every candidate in clusters/{cluster}/triage/{course.iteration}.yaml"
            if entry.phase == "triage"
            else f"the {entry.phase} gate asks for people"
        )
        yield Waiting(gate=entry.phase, who=OWNERS, what=what, since=since)
    elif escalated:
        yield escalation(cluster, course.iteration, since=since)
    elif entry.verdict.outcome is Outcome.REFUSE:
        what = f"{entry.phase} refused: mend what it names and merge, which starts anew"
        yield Waiting(gate=entry.phase, who=OWNERS, what=what, since=since)
    elif course.passed == len(phases) and not proposed:
        what = f"hallmark propose {cluster}"
        yield Waiting(gate="promotion", who=CI, what=what, since=since, people=False)


def escalation(cluster: str, iteration: str, *, since: str) -> Waiting:
    """The loop has stopped itself after `iteration`."""
    path, branch = escalation_path(cluster, iteration), escalation_branch(cluster, iteration)
    what = f"read {path} on {branch}, and change what people govern"
    return Waiting(gate="escalation", who=OWNERS, what=what, since=since)


def proposal_waits(
    cluster: str, proposals: Sequence[Proposal], asked: Mapping[ChangeClass, Sequence[Requirement]]
) -> Iterator[Waiting]:
    """Of open proposals that nobody has rejected."""
    for one in proposals:
        if one.rejected:
            continue
        change, otherwise = PROPOSALS[one.kind]
        who = " and ".join(_people(each) for each in asked.get(change, ()) if each.people) or otherwise
        verb = "read the evidence and sign or refuse" if one.kind == "promote" else "sign or refuse"
        name = f"{cluster}/{one.sequence}" if one.kind == "promote" else f"rollback/{cluster}/{one.sequence}"
        signed = f"; signed so far by {', '.join(one.signed)}" if one.signed else ""
        yield Waiting(gate=change.value, who=who, what=f"{verb} {name}{signed}", since=one.since)


def receipt_waits(unreceipted: Sequence[int]) -> Iterator[Waiting]:
    """Of merged promotions that the gate has given no receipt yet: they are not to be served."""
    if unreceipted:
        names = ", ".join(str(sequence) for sequence in unreceipted)
        yield Waiting(gate="receipt", who=CI, what=f"hallmark reconcile (promotion {names})", people=False)


def _people(asked: Requirement) -> str:
    """`2 approvers`, `1 on-call`."""
    several = asked.people > 1 and asked.role.endswith(("er", "or"))
    return f"{asked.people} {asked.role}" + "s" * several
