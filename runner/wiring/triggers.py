"""Settings to the edges of re-run triggers: the present tree, the trees that iterations were pinned to, and their data.

Nothing is read that no trigger of the cluster asks for. What is not to be had makes a trigger's answer unknown; a
cluster whose files cannot be read is an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from runner import workspace as workspaces
from runner.begin import queue_for
from runner.edges.dvc_objects import DvcObjects
from runner.edges.git_command import attempt, has_remote, resolve
from runner.edges.machine import SystemClock
from runner.edges.new_rows import new_rows, rows
from runner.edges.readers import CommitReader
from runner.edges.yaml_files import parse
from runner.errors import DataError, HallmarkError
from runner.ledger import History
from runner.ports import Reader
from runner.records.artifact import ARTIFACTS
from runner.records.dataset import Batch, Example
from runner.records.ledger import Entry, EntryKind
from runner.records.pointer import DataPointer
from runner.records.promotion import PromotionRecord
from runner.records.scenario import SetName
from runner.records.signal_policy import SignalPolicy
from runner.records.trace import Trace
from runner.records.trigger_findings import Findings
from runner.records.triggers import GeneratorTrigger, RealData, RealDataTrigger, ScoreDropTrigger, Trigger
from runner.rules.evaluation.grading import common_normalisation
from runner.rules.loop.production import Production, production
from runner.rules.loop.trigger_facts import Facts, Unknown, facts, made_with
from runner.rules.loop.triggers import Present, Since, findings, fired
from runner.rules.times import moment
from runner.rules.trust.receipts import entered
from runner.wiring import flywheel
from runner.wiring.boundary import admitted
from runner.workspace import Workspace

K = TypeVar("K", bound=Trigger)
ROWS: dict[RealData, type[Example] | type[Trace]] = {RealData.GOLD: Example, RealData.SIGNALS: Trace}


def judged(path: Path, cluster: str, *, at: str | None = None, queue: bool = False) -> Findings:
    """What the cluster's triggers say at the time `at` (now, where none is given) of HEAD of the repository at `path`.
    With `queue`, an iteration is queued for those that are due."""
    desk = _Desk(flywheel.root(path), cluster, at or SystemClock().now())
    if not desk.triggers:
        return Findings(cluster=cluster, at=desk.at, findings=())
    incumbent, last = desk.incumbent, desk.last
    present = Present(desk.present, desk.production, desk.at)
    against = {name: desk.since(name) for name in (incumbent, last) if name}
    found = findings(desk.triggers, present, incumbent=against.get(incumbent), last=against.get(last))
    told = Findings(cluster=cluster, at=desk.at, incumbent=incumbent, last=last, findings=found)
    due = fired(found, at=desk.at)
    if not queue or not due:
        return told
    current = desk.history.current or ""
    queued = queue_for(flywheel.ledger_store(desk.top), desk.space, due, last=current, at=desk.at)
    return told.model_copy(update={"queued": queued.iteration, "held": queued.held, "waits": queued.waits})


def unread(cluster: str, problem: str) -> Findings:
    """What is said of a cluster that cannot be read, at the time that it is now."""
    return Findings(cluster=cluster, at=SystemClock().now(), findings=(), problem=problem)


@dataclass(frozen=True)
class _Desk:
    """What is at hand to judge one cluster's triggers."""

    top: Path
    cluster: str
    at: str

    @cached_property
    def reader(self) -> Reader:
        return CommitReader(self.top, flywheel.commit(self.top))

    @cached_property
    def space(self) -> Workspace:
        return workspaces.load(self.reader, self.cluster, parse=parse)

    @cached_property
    def history(self) -> History:
        return History.from_entries(self.cluster, flywheel.ledger_store(self.top).read(self.cluster))

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        return self.space.cluster.triggers

    def asked(self, kind: type[K]) -> Sequence[K]:
        return [one for one in self.triggers if isinstance(one, kind)]

    @cached_property
    def incumbent(self) -> str:
        """The iteration whose adapter serves; empty for the base alone."""
        if self.space.incumbent.adapter is None:
            return ""
        path = f"clusters/{self.cluster}/promotions/{self.space.incumbent.sequence}/record.yaml"
        return parse(self.reader.read(path), PromotionRecord, path=path).run.iteration

    @cached_property
    def last(self) -> str:
        """The iteration begun last: one that is no more than queued has no branch yet, and has looked at nothing."""
        begun = [entry.iteration for entry in self.history.entries if entry.kind is EntryKind.PHASE]
        return begun[-1] if begun else ""

    @cached_property
    def present(self) -> Facts:
        return facts(self.space.cluster, self.space.params, self.space.digests)

    @cached_property
    def production(self) -> Production | Unknown:
        """Of the trigger that asks for it."""
        asked = self.asked(ScoreDropTrigger)
        if not asked:
            return Unknown("no trigger asks for it")
        space, sequence = self.space, self.space.incumbent.sequence
        since = entered(self.history.entries, sequence) if sequence else ""
        if since is None:
            return Unknown(f"promotion {sequence} has no receipt, which says since when it serves: hallmark reconcile")
        steps = common_normalisation(space.scenarios[SetName.CORE], space.rubrics)
        policy, days = space.cluster.signals or SignalPolicy(), asked[0].days
        try:
            with self._data(self.reader, RealData.SIGNALS) as signals:
                if signals is None:
                    return Unknown("there is no data/signals")
                return production(rows(signals, Trace), steps, policy, days=days, since=since, at=self.at)
        except HallmarkError as error:
            return Unknown(str(error))

    def since(self, iteration: str) -> Since:
        """An iteration, as far as its branch and the ledger tell."""
        began = _began(self.history.of(iteration)) or Unknown(f"the ledger does not say when {iteration} began")
        try:
            then = self._tree(iteration)
            space = workspaces.load(then, self.cluster, parse=parse)
            found = facts(space.cluster, space.params, space.digests)
            if self.asked(GeneratorTrigger):
                found = made_with(_batches(then, self.cluster), found)
        except HallmarkError as error:
            return Since(iteration, began, Unknown(f"the files of {iteration} cannot be read: {error}"))
        fresh = {one.of: self._fresh(then, one.of) for one in self.asked(RealDataTrigger)}
        return Since(iteration, began, found, fresh)

    def _tree(self, iteration: str) -> Reader:
        """The iteration's branch, which has the reviewed files that it was pinned to. Raises `GitError` for none."""
        branch = f"runs/{self.cluster}/{iteration}"
        remote = f"refs/remotes/origin/{branch}"
        if has_remote(self.top):
            attempt(self.top, "fetch", "--quiet", "origin", f"+refs/heads/{branch}:{remote}")
        name = remote if resolve(self.top, remote) else f"refs/heads/{branch}"
        return CommitReader(self.top, flywheel.commit(self.top, name))

    def _fresh(self, then: Reader, kind: RealData) -> int | Unknown:
        """Rows of the present data that were not in that of the tree `then`."""
        try:
            before, now = (_pointer(reader, self.cluster, kind) for reader in (then, self.reader))
            if now is None or (before is not None and before.meta == now.meta):
                return 0
            with self._data(then, kind) as old, self._data(self.reader, kind) as new:
                return new_rows(old, new, ROWS[kind], says=self._says(kind)) if new is not None else 0
        except HallmarkError as error:
            return Unknown(str(error))

    def _says(self, kind: RealData) -> Callable[[Example | Trace], bytes | None]:
        """What makes a row that row: another id makes no new one, and flagged text steers nothing."""
        policy = self.space.cluster.signals or SignalPolicy()

        def says(row: Example | Trace) -> bytes | None:
            if isinstance(row, Example):
                return row.model_dump_json(exclude={"id"}).encode()
            return None if row.flags and policy.flagged == "hold" else row.model_dump_json().encode()

        return says

    @contextmanager
    def _data(self, reader: Reader, kind: RealData) -> Iterator[Path | None]:
        """The data file that the tree points at, checked by its sha256; nothing where it points at none. Raises
        `RecordError` on a machine outside of the cluster's boundary."""
        pointer = _pointer(reader, self.cluster, kind)
        if pointer is None:
            yield None
            return
        admitted(self.space.cluster.place, self.cluster)
        with tempfile.TemporaryDirectory(prefix="hallmark-data-") as scratch:
            target = Path(scratch) / f"{kind}.jsonl"
            where = f"data/{kind} of {reader.name}"
            DvcObjects.of_work_tree(self.top).bring(pointer.outs[0], pointer.meta.sha256, target, where=where)
            yield target


def _pointer(reader: Reader, cluster: str, kind: RealData) -> DataPointer | None:
    path = f"clusters/{cluster}/data/{kind}.jsonl.dvc"
    return parse(reader.read(path), DataPointer, path=path) if path in reader.paths(path) else None


def _batches(reader: Reader, cluster: str) -> list[Batch]:
    """Those that the iteration made; none where it did not get that far."""
    path = f"clusters/{cluster}/{ARTIFACTS['batches'].path}"
    if path not in reader.paths(path):
        return []
    try:
        return [Batch.model_validate_json(line) for line in reader.read(path).splitlines()]
    except ValidationError as error:
        raise DataError(f"{path} of {reader.name}: {error.errors()[0]['msg']}") from error


def _began(entries: Sequence[Entry]) -> str | None:
    """When an iteration was queued; of an older ledger, when its first phase ended."""
    for entry in entries:
        said = str(entry.measured.get("at", ""))
        try:
            moment(said)
        except ValueError:
            continue
        return said
    return None
