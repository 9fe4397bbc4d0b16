"""The fleet: a row a cluster, from the last ledger entries, the promotion records and the names of branches and tags.

It believes what it reads: whether chain, signatures and receipts hold is `hallmark verify`'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.records.change import ChangeClass
from runner.records.evidence import CandidateSummary
from runner.records.fleet_status import FleetCluster, FleetRow, Headline
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.policy import Requirement
from runner.records.promotion import PromotionKind, PromotionRecord
from runner.records.terms import SetName
from runner.rules.loop.waits import Course, Proposal, iteration_waits, proposal_waits, receipt_waits
from runner.rules.trust.stages import incumbent, standings

COMPARED = ("incumbent", "control")


@dataclass(frozen=True)
class Seen:
    """What was read of one cluster."""

    cluster: FleetCluster
    records: Mapping[int, PromotionRecord]
    tail: Sequence[Entry]
    """The last entries of its ledger, oldest first, as far back as `told` asks."""
    receipted: frozenset[int] = frozenset()
    proposals: Sequence[Proposal] = ()
    escalations: frozenset[str] = frozenset()
    """The iterations after which the loop stopped itself."""
    asked: Mapping[ChangeClass, Sequence[Requirement]] = field(default_factory=dict)


def told(tail: Sequence[Entry], *, whole: bool) -> bool:
    """Whether the entries read so far say where the current iteration stands: they go back to its last phase. One that
    is only queued may have been in flight before, which its earlier entries say."""
    for entry in reversed(tail):
        if entry.kind in (EntryKind.PHASE, EntryKind.SUPERSEDED):
            return entry.kind is EntryKind.PHASE or whole
        if entry.kind is EntryKind.QUEUED:
            return whole
    return whole


def course(tail: Sequence[Entry], phases: Sequence[str]) -> Course:
    """The current iteration: the one whose queue entry, phase or end came last."""
    moves = [one for one in tail if one.kind not in (EntryKind.RECEIPT, EntryKind.LOOK)]
    if not moves:
        return Course("", 0, None, received=False)
    last = moves[-1]
    own = [one for one in moves if one.iteration == last.iteration and one.kind is EntryKind.PHASE]
    passed = 0
    if own:
        passed = phases.index(own[-1].phase) + own[-1].verdict.passed
    received = any(one.kind is EntryKind.RECEIPT and one.iteration == last.iteration for one in tail)
    return Course(last.iteration, passed, last, received)


def state(found: Course, records: Mapping[int, PromotionRecord], phases: Sequence[str]) -> RunState | None:
    """As `ledger.History.state`; of a promoted iteration the records on main say whether it was taken back."""
    last = found.last
    if last is None:
        return None
    if found.received:
        return RunState.ROLLED_BACK if _taken_back(found.iteration, records) else RunState.PROMOTED
    if last.kind is EntryKind.SUPERSEDED:
        return RunState.SUPERSEDED
    if not last.verdict.passed:
        return RunState.BLOCKED
    if last.kind is EntryKind.QUEUED and not found.passed:
        return RunState.QUEUED
    return RunState.ASSESSING if found.passed >= phases.index("assess") else RunState.ACTIVE


def _taken_back(iteration: str, records: Mapping[int, PromotionRecord]) -> bool:
    adapters = {one.adapter.sha256 for one in records.values() if one.adapter and one.run.iteration == iteration}
    return any(one.adapter in adapters and one.ended == "rolled back" for one in standings(records))


def figures(headline: Headline, cluster: FleetCluster) -> CandidateSummary:
    """As `rules.evaluation.limits.summary`. Raises `KeyError` where a model or set is missing."""
    before, after = headline.models["incumbent"].sets, headline.models["candidate"].sets
    against = {one.against: one.p_value for one in headline.comparisons}
    limits = cluster.gate.thresholds
    return CandidateSummary(
        composite_before=before[SetName.CORE].composite,
        composite_after=after[SetName.CORE].composite,
        composite_threshold=limits.composite,
        heldout_before=before[SetName.HELDOUT].composite,
        heldout_after=after[SetName.HELDOUT].composite,
        heldout_threshold=limits.heldout,
        regressions=headline.regressions.count,
        regressions_of=headline.regressions.of,
        p_value=max(against[name] for name in COMPARED),
    )


def fleet_row(seen: Seen, *, phases: Sequence[str], shown: CandidateSummary | None, shown_of: str) -> FleetRow:
    """One cluster. `shown` are the figures of the run where it got so far, else of the promotion in force."""
    name, found, serving = seen.cluster.id, course(seen.tail, phases), incumbent(seen.records)
    last = found.last
    stopped = found.iteration in seen.escalations
    verdict = last.verdict if last is not None else None
    waiting = (
        *proposal_waits(name, seen.proposals, seen.asked),
        *iteration_waits(name, found, phases=phases, escalated=stopped, proposed=_proposed(found.iteration, seen)),
        *receipt_waits([sequence for sequence in sorted(seen.records) if sequence not in seen.receipted]),
    )
    return FleetRow(
        cluster=name,
        title=seen.cluster.title,
        boundary=seen.cluster.fleet.boundary if seen.cluster.fleet else None,
        promoted_sequence=serving.sequence,
        adapter=serving.adapter,
        stages={one.stage: one.sequence for one in standings(seen.records) if one.holds},
        iteration=found.iteration,
        state=RunState.BLOCKED if stopped and not found.received else state(found, seen.records, phases),
        phase=last.phase if last is not None else "",
        phase_number=phases.index(last.phase) + 1 if last is not None and last.phase else found.passed,
        phases=len(phases),
        figures=shown,
        figures_of=shown_of if shown else "",
        reasons=tuple(f"{one.step}: {one.problem}" for one in verdict.reasons) if verdict else (),
        waiting=waiting,
    )


def _proposed(iteration: str, seen: Seen) -> bool:
    """Whether a promotion of the iteration stands on main, or on a branch with the sequence after main's."""
    following = max(seen.records, default=0)
    return any(
        one.run.iteration == iteration and one.kind is PromotionKind.PROMOTION for one in seen.records.values()
    ) or any(one.kind == "promote" and one.sequence > following for one in seen.proposals)


def is_sequence(name: str) -> bool:
    """Whether a folder or branch of that name is a promotion's: its sequence, in the one way in which it is written."""
    return name.isascii() and name.isdecimal() and not name.startswith("0")


def assessed(records: Mapping[int, PromotionRecord]) -> int:
    """The sequence that brought in what serves, with its whole assessment; 0 where the base serves alone."""
    adapter = incumbent(records).adapter
    return (
        next((n for n, one in sorted(records.items()) if one.adapter and one.adapter.sha256 == adapter), 0)
        if adapter
        else 0
    )


def chosen(rows: Iterable[FleetRow], *, waiting: bool, states: Sequence[RunState], below: bool) -> tuple[FleetRow, ...]:
    """By name; those that wait for people by how long they have waited, where only they are asked for."""
    kept = [
        row
        for row in rows
        if (not waiting or any(one.people for one in row.waiting))
        and (not states or row.state in states)
        and (not below or row.below)
    ]
    if not waiting:
        return tuple(sorted(kept, key=lambda row: row.cluster))
    return tuple(
        sorted(kept, key=lambda row: (min(one.since or "~" for one in row.waiting if one.people), row.cluster))
    )
