"""Settings to what CI asks: the plan of a push, the review of a pull request in three places, and what is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner import wiring, wiring_gate
from runner import workspace as workspaces
from runner.edges.git import GitObjects
from runner.edges.git_command import resolve
from runner.edges.ledger_store import LEDGER
from runner.edges.readers import CommitReader
from runner.edges.yaml_files import parse
from runner.errors import RecordError
from runner.ledger import History
from runner.ports import Reader
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
    room = wiring_gate.room(top, with_bytes=False)
    found = []
    for name in names:
        before, after = (_inputs(was, name), _inputs(now, name)) if was and name in touched else (None, None)
        said = reasons(name, paths=paths, before=before, after=after, left=_left(room, name))
        said = (unknown, *said) if unknown else said
        if said:
            found.append(PlannedCluster(cluster=name, runner=runner_labels(_cluster(now, name)), reasons=said))
    return CiPlan(base=old or "", head=new, clusters=tuple(found), untouched=len(names) - len(found))


def _inputs(reader: Reader, cluster: str) -> Inputs | None:
    """None where the commit has no such cluster."""
    if cluster not in workspaces.clusters(reader):
        return None
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


def _left(room: wiring_gate.Room, cluster: str) -> str:
    """What the ledger, as it was fetched last, has of an iteration that neither waits for people nor is at its end."""
    history = History.from_entries(cluster, room.ledger.read_at(room.tip(LEDGER), cluster))
    iteration = history.current
    run = history.runs[iteration] if iteration else None
    if run is None or not run.in_flight or (run.last is not None and not run.last.verdict.passed):
        return ""
    return (
        f"{iteration} was left before {history.next_phase(str(iteration))}" if run.passed else f"{iteration} is queued"
    )


def _cluster(reader: Reader, name: str) -> Cluster | None:
    """None where it cannot be read: its own job says why."""
    path = f"clusters/{name}/cluster.yaml"
    try:
        return parse(reader.read(path), Cluster, path=path)
    except RecordError:
        return None
