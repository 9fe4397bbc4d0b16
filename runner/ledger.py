"""The iterate ledger of one cluster, as a history that is valid at every moment.

`History.append` accepts an entry whole or raises and leaves everything as it was. What it holds:

- sequences run 1, 2, 3, …, and every entry names the digest of the one before;
- an iteration is queued before anything else of it, and none is queued while another is in flight
  (neither superseded, nor refused, nor through its bundle);
- the thirteen phases of an iteration pass in order, each once; a phase that waited or refused may be tried again;
- nothing follows `superseded` in an iteration but being queued again, which goes on where it was;
- only being queued names triggers;
- a receipt follows a passed bundle, and names the promotion after the last;
- a look at held-out belongs to no iteration, may come at any time, and names the set and the candidate.

A wrong order is a bug in the caller (`PhaseOrderError`); a broken chain is bad data (`VerificationError`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from runner.errors import LedgerRace, PhaseOrderError, VerificationError
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.promotion import ServingStage
from runner.records.verdict import Outcome, Verdict
from runner.rules.canonical import digest
from runner.rules.evaluation.looks import ADAPTER, HELDOUT, candidates, exhausted
from runner.rules.trust.receipts import receipt_stage

if TYPE_CHECKING:  # the gate starts without the ports of training
    from runner.ports import LedgerStore

PHASES = (
    "intake",
    "ingest",
    "deduplicate",
    "baseline",
    "diagnose",
    "rubrics",
    "expand",
    "validate",
    "triage",
    "sweep",
    "train",
    "assess",
    "bundle",
)
"""The thirteen, in their order."""


def entry_digest(entry: Entry) -> str:
    """sha256 of the canonical bytes of everything that the entry says but `measured`."""
    return digest({name: value for name, value in entry.content().items() if name != "measured"})


@dataclass(frozen=True)
class Run:
    """One iteration as the history knows it so far."""

    passed: int = 0
    """How many phases have passed."""
    last: Entry | None = None
    superseded: bool = False

    @property
    def bundled(self) -> bool:
        return self.passed == len(PHASES)

    @property
    def refused(self) -> bool:
        return self.last is not None and self.last.verdict.outcome is Outcome.REFUSE

    @property
    def in_flight(self) -> bool:
        return not (self.bundled or self.superseded or self.refused)


@dataclass(frozen=True)
class History:
    """The entries of one cluster, in order. Make one with `from_entries`."""

    cluster: str
    entries: tuple[Entry, ...] = ()
    runs: dict[str, Run] = field(default_factory=dict)
    """Iterations in the order they were first queued."""

    @classmethod
    def from_entries(cls, cluster: str, entries: Iterable[Entry]) -> History:
        """Check the chain from its start. Raises `VerificationError` at the first entry that does not hold."""
        history = cls(cluster)
        for entry in entries:
            try:
                history = history.append(entry)
            except PhaseOrderError as error:
                raise VerificationError(f"ledger of {cluster}, entry {entry.sequence}: {error}") from error
        return history

    @cached_property
    def head(self) -> str | None:
        """The digest of the last entry; none where there is no entry."""
        return entry_digest(self.entries[-1]) if self.entries else None

    @property
    def size(self) -> int:
        return len(self.entries)

    def append(self, entry: Entry) -> History:
        """The history with `entry` at its end. Raises `VerificationError` (chain) or `PhaseOrderError` (order)."""
        where = f"ledger of {self.cluster}, entry {entry.sequence}"
        if entry.cluster != self.cluster:
            raise VerificationError(f"{where}: it belongs to cluster {entry.cluster}")
        if entry.sequence != self.size + 1:
            raise VerificationError(f"{where}: the next sequence is {self.size + 1}")
        if entry.previous != self.head:
            raise VerificationError(f"{where}: `previous` is not the digest of entry {self.size}")
        if entry.triggers and entry.kind is not EntryKind.QUEUED:
            raise PhaseOrderError("triggers begin an iteration: only a queued entry names them")
        if entry.kind is EntryKind.LOOK:
            _check_look(entry)
            return History(self.cluster, (*self.entries, entry), self.runs)
        run = self._advanced(entry)
        return History(self.cluster, (*self.entries, entry), {**self.runs, entry.iteration: run})

    def _advanced(self, entry: Entry) -> Run:
        """The run of the entry's iteration after it, if the order allows it."""
        run = self.runs.get(entry.iteration)
        if entry.kind is EntryKind.QUEUED:
            return self._queued(entry, run)
        if entry.kind is EntryKind.RECEIPT:
            return self._received(entry, run)
        if run is None:
            raise PhaseOrderError(f"iteration {entry.iteration!r} was never queued")
        if run.superseded:
            raise PhaseOrderError(f"iteration {entry.iteration} is superseded")
        if entry.iteration != self.current:
            raise PhaseOrderError(f"iteration {entry.iteration} is not the one in flight: {self.current}")
        if run.bundled:
            raise PhaseOrderError(f"iteration {entry.iteration} is through its bundle")
        if entry.kind is EntryKind.SUPERSEDED:
            return Run(run.passed, entry, superseded=True)
        if entry.phase != PHASES[run.passed]:
            raise PhaseOrderError(f"the next phase of {entry.iteration} is {PHASES[run.passed]}, not {entry.phase!r}")
        return Run(run.passed + entry.verdict.passed, entry)

    def _queued(self, entry: Entry, run: Run | None) -> Run:
        if not entry.iteration:
            raise PhaseOrderError("a queued entry names its iteration")
        flying = self.flying
        if flying is not None:
            raise PhaseOrderError(f"iteration {flying} is in flight; supersede it before queueing {entry.iteration}")
        if run is not None and not run.superseded:
            raise PhaseOrderError(f"iteration {entry.iteration} was queued before")
        return Run(run.passed if run else 0, entry)

    def _received(self, entry: Entry, run: Run | None) -> Run:
        expected = len(self.promotions()) + 1
        if entry.promotion != expected:
            raise PhaseOrderError(f"the next receipt is for promotion {expected}, not {entry.promotion}")
        if entry.receipt is None:
            raise PhaseOrderError("a receipt entry carries its receipt")
        if entry.iteration and (run is None or not run.bundled):
            raise PhaseOrderError(f"iteration {entry.iteration} has no passed bundle to give a receipt for")
        return run or Run()

    @cached_property
    def current(self) -> str | None:
        """The iteration queued last; none where nothing was queued."""
        return self.queued.iteration if self.queued else None

    @cached_property
    def flying(self) -> str | None:
        """The iteration in flight; none where the last one is over."""
        return next((name for name, run in self.runs.items() if run.in_flight), None)

    @cached_property
    def queued(self) -> Entry | None:
        """The entry that queued an iteration last."""
        return next((entry for entry in reversed(self.entries) if entry.kind is EntryKind.QUEUED), None)

    def last(self, iteration: str) -> Entry | None:
        """The last queued, phase or superseded entry of `iteration`."""
        run = self.runs.get(iteration)
        return run.last if run else None

    def of(self, iteration: str) -> tuple[Entry, ...]:
        """Every entry of `iteration`, in order."""
        return tuple(entry for entry in self.entries if entry.iteration == iteration)

    def passed(self, iteration: str) -> dict[str, Entry]:
        """The entry that passed each phase of `iteration`, by phase, in order."""
        return {e.phase: e for e in self.of(iteration) if e.kind is EntryKind.PHASE and e.verdict.passed}

    def next_phase(self, iteration: str) -> str | None:
        """The phase that is to run next; none where all thirteen have passed."""
        run = self.runs.get(iteration, Run())
        return None if run.bundled else PHASES[run.passed]

    def promotions(self) -> tuple[Entry, ...]:
        """The receipts, in order: entry n is for promotion n."""
        return tuple(entry for entry in self.entries if entry.kind is EntryKind.RECEIPT)

    def state(self, iteration: str) -> RunState:
        """Where `iteration` stands. Raises `PhaseOrderError` if it was never queued."""
        if iteration not in self.runs:
            raise PhaseOrderError(f"iteration {iteration!r} was never queued")
        run = self.runs[iteration]
        receipts = self.promotions()
        if any(entry.iteration == iteration for entry in receipts):
            served = [entry.iteration for entry in receipts if receipt_stage(entry) is ServingStage.PRODUCTION]
            return RunState.ROLLED_BACK if self._rolled_back(iteration, served) else RunState.PROMOTED
        if run.superseded:
            return RunState.SUPERSEDED
        if run.last is not None and not run.last.verdict.passed:
            return RunState.BLOCKED
        if run.last is None or (run.last.kind is EntryKind.QUEUED and run.passed == 0):
            return RunState.QUEUED
        return RunState.ASSESSING if run.passed >= PHASES.index("assess") else RunState.ACTIVE

    @staticmethod
    def _rolled_back(iteration: str, served: list[str]) -> bool:
        """Whether `iteration` came into production and was taken back, by the iterations of production's receipts.

        An adapter goes there once by itself: who comes again was brought back, and what came after it is taken back.
        The iteration that is there already, named again (or none), is the bare base's return.
        """
        order: list[str] = []
        back: set[str] = set()
        now = ""
        for name in served:
            now = "" if name == now else name
            if now and now not in order:
                order.append(now)
                continue
            back |= set(order[order.index(now) + 1 :] if now else order)
            back.discard(now)
        return iteration in back


def _check_look(entry: Entry) -> None:
    """A look says what was looked at and by which candidate, and nothing of an iteration."""
    if entry.iteration or entry.phase or entry.outputs:
        raise PhaseOrderError("a look belongs to no iteration")
    if set(entry.inputs) != {HELDOUT, ADAPTER}:
        raise PhaseOrderError(f"a look names `{HELDOUT}` and `{ADAPTER}`, and nothing else")


def count_look(store: LedgerStore, cluster: str, *, heldout: str, adapter: str, allowed: int) -> Verdict:
    """Enter the look that a candidate is about to take at the set with the digest `heldout`, or refuse it.

    One that it has had already is not entered again. Where this passes, the look counts, whatever comes of it.
    """
    refusals: list[Verdict] = []

    def draft(history: History) -> Entry | None:
        refusals.clear()
        if adapter in candidates(history.entries, heldout):
            return None
        refusal = exhausted(history.entries, cluster=cluster, heldout=heldout, allowed=allowed)
        if refusal is not None:
            refusals.append(refusal)
            return None
        return Entry(
            cluster=cluster,
            sequence=history.size + 1,
            previous=history.head,
            kind=EntryKind.LOOK,
            inputs={HELDOUT: heldout, ADAPTER: adapter},
        )

    extend(store, cluster, draft)
    return refusals[0] if refusals else Verdict()


def extend(
    store: LedgerStore, cluster: str, draft: Callable[[History], Entry | None], *, attempts: int = 200
) -> Entry | None:
    """Append what `draft` says should follow the history as it stands; it says None where there is nothing to add.

    The history judges the entry before the store gets it. Where another writer took its place, `draft` is asked again
    about the history that has that writer's entry. Raises `LedgerRace` after so many attempts.
    """
    for _ in range(attempts):
        history = History.from_entries(cluster, store.read(cluster))
        entry = draft(history)
        if entry is None:
            return None
        history.append(entry)
        try:
            store.append(entry)
        except LedgerRace as error:
            lost = error
        else:
            return entry
    raise LedgerRace(f"the ledger of {cluster}: other writers were first, {attempts} times; run it again") from lost
