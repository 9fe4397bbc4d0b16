"""How an iteration comes into the ledger: main has moved on, or triggers of the cluster fired.

- Main overtakes: what is in flight is superseded by the iteration that is pinned to the newer tree.
- Triggers do not: while an iteration is in flight, or the loop waits for people, nothing is queued for them.
- An iteration that triggers queued is taken up by the next turn of the flywheel. Where main has moved on before it was
  over, the one that overtakes it takes on its triggers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from runner.errors import LedgerRace
from runner.ledger import History, extend
from runner.phases.p01_intake import pin
from runner.ports import LedgerStore
from runner.records.fired import Fired
from runner.records.intake import Intake
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.loop.plateau import plateau
from runner.workspace import Workspace


def taking_up(history: History, space: Workspace) -> Workspace:
    """The workspace with the triggers of the iteration queued last, where it is pinned to this tree or in flight."""
    queued = history.queued
    told = replace(space, triggers=queued.triggers if queued is not None else ())
    if queued is not None and queued.iteration in (history.flying, pin(told).iteration):
        return told
    return replace(space, triggers=())


def begin(store: LedgerStore, intake: Intake, *, at: str) -> None:
    """Supersede the iteration in flight that this one overtakes, and queue this one if it is new.

    Raises `LedgerRace` where another process queues one of its own meanwhile: the two would supersede each other, and
    what triggers queued would be lost, which the next turn takes up.
    """

    iteration = intake.iteration

    def flying(history: History) -> str | None:
        return history.flying if history.flying != iteration else None

    def supersede(history: History) -> Entry | None:
        other = flying(history)
        if other is None:
            return None
        if history.queued is not None and not set(history.queued.triggers) <= set(intake.triggers):
            raise _lost_to(other)
        reason = Reason(step="supersede", problem=f"main moved on: {iteration} is pinned to the newer tree")
        verdict = Verdict(outcome=Outcome.REFUSE, reasons=(reason,))
        return next_entry(history, EntryKind.SUPERSEDED, other, verdict=verdict)

    def queue(history: History) -> Entry | None:
        if other := flying(history):
            raise _lost_to(other)
        if iteration in history.runs and not history.runs[iteration].superseded:
            return None
        return _queued(history, intake, at=at)

    extend(store, intake.cluster, supersede)
    extend(store, intake.cluster, queue)


def _lost_to(other: str) -> LedgerRace:
    return LedgerRace(f"another process has queued {other} just now; let it end, and run this again")


class Queued(NamedTuple):
    """What became of triggers that are due."""

    iteration: str = ""
    """The iteration that was queued for them; empty where none was."""
    held: str = ""
    """Why none was."""
    waits: bool = False
    """People have to decide before one can be."""


def queue_for(store: LedgerStore, space: Workspace, due: Sequence[Fired], *, last: str, at: str) -> Queued:
    """Queue an iteration of the tree for triggers that are due, told against a ledger whose last iteration was `last`.

    Asked again, or on two machines at once, it queues one: the other finds it in flight.
    """
    intake = pin(replace(space, triggers=tuple(due)))
    outcome: list[Queued] = []

    def draft(history: History) -> Entry | None:
        outcome[:] = [_held(history, space, intake, last=last) or Queued(intake.iteration)]
        return _queued(history, intake, at=at) if outcome[0].iteration else None

    extend(store, intake.cluster, draft)
    return outcome[0]


def _held(history: History, space: Workspace, intake: Intake, *, last: str) -> Queued | None:
    """Why no iteration can be queued now; None where one can."""
    if history.flying is not None:
        state = history.state(history.flying)
        said = f"{history.flying} is in flight ({state}), and goes first"
        return Queued(held=said, waits=state is RunState.BLOCKED)
    if (history.current or "") != last:
        return Queued(held=f"{history.current} was queued meanwhile: ask again")
    stuck = plateau(history.entries, space.cluster.plateau_policy, pins=intake.pins)
    if stuck is not None:
        said = f"{len(stuck.iterations)} iterations in a row brought no improvement: people have to change something"
        return Queued(held=said, waits=True)
    if intake.iteration in history.runs:
        return Queued(held=f"{intake.iteration} was queued for the same today")
    return None


def _queued(history: History, intake: Intake, *, at: str) -> Entry:
    content = {"inputs": intake.pins, "triggers": intake.triggers, "measured": {"at": at}}
    return next_entry(history, EntryKind.QUEUED, intake.iteration, **content)


def next_entry(history: History, kind: EntryKind, iteration: str, **content: Any) -> Entry:
    """The entry that would follow the history."""
    return Entry(
        cluster=history.cluster,
        sequence=history.size + 1,
        previous=history.head,
        kind=kind,
        iteration=iteration,
        **content,
    )
