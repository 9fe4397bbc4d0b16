"""Settings to what CI asks: the plan of a push, the review of a pull request in three places, and what is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

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
from runner.records.ledger import EntryKind
from runner.rules.canonical import digest
from runner.rules.judges.identity import judges_digest
from runner.rules.loop.ci_plan import ENDS, Inputs, concerned, overtaken, reasons, runner_labels
from runner.rules.repository.benchmark import benchmark_digest
from runner.rules.review.side import withheld
from runner.wiring import flywheel, gate
from runner.workspace import Workspace

TOLD_APART = frozenset({"rubrics", "judges"})
"""Digests of a workspace over several files, each of which is told of by itself."""
ASKED = "every cluster is asked for"
UNKNOWN = "nothing is known of what main was before ({})"


def plan(path: Path, base: str | None, head: str = "HEAD", *, turn: int = 0) -> CiPlan:
    """Which clusters CI iterates after main moved from `base` to `head`, and what the ledger has of each unfinished.

    Every cluster, where none is asked about (`base` is None), and where there is no commit `base` here: a fresh branch
    has none before it (GitHub writes noughts), and one that was rewritten may be gone. `turn` counts the runs of the
    workflow. Raises `GitError` for a `head` that there is not.
    """
    top = flywheel.root(path)
    new, old = flywheel.commit(top, head), resolve(top, base) if base and base.strip("0") else None
    now = CommitReader(top, new)
    names = workspaces.clusters(now)
    with GitObjects(top) as objects:
        paths = [change.path for change in objects.diff(old, new)] if old else []
    was = CommitReader(top, old) if old else None
    touched = concerned(paths, names)
    unknown = "" if old else UNKNOWN.format(base or "no commit is named") if base is not None else ASKED
    undone = Undone(gate.room(top, with_bytes=False), new, now)
    known, found = workspaces.clusters(was) if was else (), []
    for name in names:
        changed = was is not None and name in touched
        before = _inputs(was, name) if was and changed and name in known else None
        after = undone.inputs(name) if changed else None
        said = reasons(name, paths=paths, before=before, after=after, left=undone.of(name))
        said = (unknown, *said) if unknown else said
        if said:
            found.append(PlannedCluster(cluster=name, runner=runner_labels(_cluster(now, name)), reasons=said))
    untouched = len(names) - len(found)
    return CiPlan(base=old or "", head=new, clusters=tuple(found), untouched=untouched, turn=turn)


def _inputs(reader: Reader, cluster: str) -> Inputs:
    try:
        space = workspaces.load(reader, cluster, parse=parse)
        return Inputs(_digests(space), pins=space.digests)
    except RecordError as error:
        unquoted = f"{error.path} does not hold what it must; hallmark check says what"
        return Inputs(problem=unquoted if withheld(error.path) else str(error).splitlines()[0])


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
class Undone:
    """What earlier jobs left undone, by the ledger and the branches as they were fetched last."""

    room: gate.Room
    main: str
    tree: Reader
    _read: dict[str, Inputs] = field(default_factory=dict)

    def inputs(self, cluster: str) -> Inputs:
        """The cluster's on main."""
        if cluster not in self._read:
            self._read[cluster] = _inputs(self.tree, cluster)
        return self._read[cluster]

    @cached_property
    def _ledger(self) -> str | None:
        return self.room.tip(LEDGER)

    def of(self, cluster: str) -> str:
        """Why the cluster's last iteration can go on, or another is to begin; empty where it waits for people, was
        refused or is over, and main is as it began with. Of a cluster that was never iterated nothing is known."""
        history = History.from_entries(cluster, self.room.ledger.read_at(self._ledger, cluster))
        iteration = history.current
        run = history.runs[iteration] if iteration else None
        if iteration is None or run is None:
            return ""
        pinned = next(one.inputs for one in reversed(history.entries) if one.kind is EntryKind.QUEUED)
        ahead = overtaken(iteration, pinned, self.inputs(cluster))
        if ahead:
            return ahead
        if run.bundled:
            return f"{iteration} is at its bundle and not proposed" if self._due(cluster) else ""
        if not run.in_flight:
            return ""
        if run.last is not None and not run.last.verdict.passed:
            return f"people decided on the candidates of {iteration}" if self._decided(cluster, iteration) else ""
        left = f"was left before {history.next_phase(iteration)}"
        return f"{iteration} {left if run.passed else 'is queued'}"

    def _decided(self, cluster: str, iteration: str) -> bool:
        """Whether main has decisions: of an iteration that waits for them, as far as the ledger knows."""
        home = f"clusters/{cluster}/triage/{iteration}"
        return any(self.room.repository.files(self.main, path) for path in (f"{home}.yaml", home))

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
