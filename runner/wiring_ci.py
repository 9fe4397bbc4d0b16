"""Settings to what CI asks: the plan of a push, the review of a pull request in three places, and what is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner import wiring, wiring_gate
from runner import workspace as workspaces
from runner.edges.git import GitObjects
from runner.edges.git_command import resolve
from runner.edges.ledger_store import LEDGER
from runner.edges.readers import CommitReader
from runner.edges.yaml_files import parse
from runner.errors import HallmarkError, RecordError
from runner.ledger import History
from runner.ports import Reader
from runner.promotion.candidacy import CandidacyState, candidacy
from runner.records.ci_plan import CiPlan, PlannedCluster
from runner.records.cluster import Cluster
from runner.rules.benchmark import benchmark_digest
from runner.rules.canonical import digest
from runner.rules.ci_plan import Inputs, concerned, reasons, runner_labels
from runner.rules.judges.identity import judges_digest
from runner.workspace import Workspace

TOLD_APART = frozenset({"rubrics", "judges"})
"""Digests of a workspace over several files, each of which is told of by itself."""
ENDS = frozenset({"promoted"})
"""What promotions leave: it is pinned, and starts nothing."""


ASKED = "every cluster is asked for"
UNKNOWN = "nothing is known of what main was before ({})"


def plan(path: Path, base: str | None, head: str = "HEAD") -> CiPlan:
    """Which clusters CI iterates after main moved from `base` to `head`, and what the ledger has of each unfinished.

    Every cluster, where none is asked about (`base` is None), and where there is no commit `base` here: a fresh branch
    has none before it (GitHub writes noughts), and one that was rewritten may be gone. Raises `GitError` for a `head`
    that there is not.
    """
    top = wiring.root(path)
    new, old = wiring.commit(top, head), resolve(top, base) if base and base.strip("0") else None
    now = CommitReader(top, new)
    names = workspaces.clusters(now)
    with GitObjects(top) as objects:
        paths = [change.path for change in objects.diff(old, new)] if old else []
    was = CommitReader(top, old) if old else None
    touched = concerned(paths, names)
    unknown = "" if old else UNKNOWN.format(base or "no commit is named") if base is not None else ASKED
    unfinished = Unfinished(wiring_gate.room(top, with_bytes=False), new)
    known, found = workspaces.clusters(was) if was else (), []
    for name in names:
        after = _inputs(now, name) if was and name in touched else None
        before = _inputs(was, name) if was and after is not None and name in known else None
        said = reasons(name, paths=paths, before=before, after=after, left=unfinished.of(name))
        said = (unknown, *said) if unknown else said
        if said:
            found.append(PlannedCluster(cluster=name, runner=runner_labels(_cluster(now, name)), reasons=said))
    return CiPlan(base=old or "", head=new, clusters=tuple(found), untouched=len(names) - len(found))


def _inputs(reader: Reader, cluster: str) -> Inputs:
    try:
        return Inputs(_digests(workspaces.load(reader, cluster, parse=parse)))
    except RecordError as error:
        return Inputs(problem=str(error).splitlines()[0])


def _digests(space: Workspace) -> Mapping[str, str]:
    """What intake pins of the cluster, by name: rubrics and judges each by themselves."""
    beside = {name: space.calibrations[name] for name in space.judges if name in space.calibrations}
    return {
        **{name: value for name, value in space.digests.items() if name not in TOLD_APART | ENDS},
        **{f"rubric/{name}": digest(rubric) for name, rubric in space.rubrics.items()},
        **{f"judge/{name}": judges_digest({name: judge}, beside) for name, judge in space.judges.items()},
        "lock": benchmark_digest(space.lock),
    }


@dataclass(frozen=True)
class Unfinished:
    """What CI left in the middle, by the ledger and the branches as they were fetched last."""

    room: wiring_gate.Room
    main: str

    @cached_property
    def _ledger(self) -> str | None:
        return self.room.tip(LEDGER)

    def of(self, cluster: str) -> str:
        """The cluster's last iteration, if it neither waits for people nor is refused nor is over; empty for none."""
        history = History.from_entries(cluster, self.room.ledger.read_at(self._ledger, cluster))
        iteration = history.current
        run = history.runs[iteration] if iteration else None
        if iteration is None or run is None:
            return ""
        if run.bundled:
            return f"{iteration} is at its bundle and not proposed" if self._due(cluster) else ""
        if not run.in_flight or (run.last is not None and not run.last.verdict.passed):
            return ""
        left = f"was left before {history.next_phase(iteration)}"
        return f"{iteration} {left if run.passed else 'is queued'}"

    def _due(self, cluster: str) -> bool:
        """Whether it is to be proposed: where its branch holds another's proposal, people have to act."""
        try:
            found = candidacy(self.room.offline(), cluster, main=self.main, tip=self.room.tip)
        except HallmarkError:
            return False
        return found.state is CandidacyState.DUE


def _cluster(reader: Reader, name: str) -> Cluster | None:
    """None where it cannot be read: its own job says why."""
    path = f"clusters/{name}/cluster.yaml"
    try:
        return parse(reader.read(path), Cluster, path=path)
    except RecordError:
        return None
