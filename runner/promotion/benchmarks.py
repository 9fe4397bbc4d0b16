"""What one step does to the benchmarks it touches: each cluster's lock and version before and after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from runner.errors import RecordError
from runner.promotion.sources import Sources
from runner.records.base import Record
from runner.records.change import Operation, PathChange
from runner.records.gated import BenchmarkLock
from runner.rules.trust.change import benchmark_cluster, judge_of
from runner.rules.trust.facts import BenchmarkStep

R = TypeVar("R", bound=Record)


def benchmark_steps(sources: Sources, old: str, new: str, changes: tuple[PathChange, ...]) -> tuple[BenchmarkStep, ...]:
    """Of every cluster whose scenarios, cluster.yaml or benchmark.lock change, or a judge that its lock pins. Raises
    `RecordError` where those of the base tip cannot be read; of the new tip's, that is a finding."""
    names = {name for change in changes if (name := benchmark_cluster(change.path))}
    judges = frozenset(judge for change in changes if (judge := judge_of(change.path)))
    if judges:
        names |= {
            name for name in sources.objects.names(old, "clusters") if judges & _pinned(sources, old, name).keys()
        }
    return tuple(_step(sources, old, new, name, changes, judges) for name in sorted(names))


def _step(
    sources: Sources, old: str, new: str, name: str, changes: tuple[PathChange, ...], touched_judges: frozenset[str]
) -> BenchmarkStep:
    from runner.records.cluster import Cluster  # read whole where it changes, which few pushes do

    lock, cluster = f"clusters/{name}/benchmark.lock", f"clusters/{name}/cluster.yaml"
    touched = [change for change in changes if benchmark_cluster(change.path) == name]
    unreadable = []

    def after(path: str, kind: type[R]) -> R | None:
        try:
            return _there(sources, new, path, kind)
        except RecordError as error:
            unreadable.append(str(error))
            return None

    lock_before, lock_after = _there(sources, old, lock, BenchmarkLock), after(lock, BenchmarkLock)
    pinned, pins = (found.judges if found is not None else {} for found in (lock_before, lock_after))
    judges = {one for one in {*pinned, *pins} if one in touched_judges or pinned.get(one) != pins.get(one)}
    deleted = any(change.path == cluster and change.operation is Operation.DELETE for change in touched)
    return BenchmarkStep(
        cluster=name,
        touched=frozenset(change.path for change in touched),
        before=_there(sources, old, cluster, Cluster),
        after=after(cluster, Cluster),
        lock_before=lock_before,
        lock_after=lock_after,
        unreadable=tuple(unreadable),
        left=_left(sources, new, name) if deleted else (),
        judges={one: _judge_after(sources, new, one) for one in sorted(judges)},
        promoted=deleted and bool(sources.objects.names(old, f"clusters/{name}/promotions")),
    )


def _pinned(sources: Sources, commit: str, name: str) -> Mapping[str, str]:
    """The judges that a cluster's lock pins."""
    lock = _there(sources, commit, f"clusters/{name}/benchmark.lock", BenchmarkLock)
    return lock.judges if lock is not None else {}


def _judge_after(sources: Sources, commit: str, judge: str) -> str:
    """The judge's digest; empty where there is none that can be read."""
    from runner.records.judging import JudgeFile  # as few pushes touch a judge as a cluster
    from runner.rules.judges.identity import judge_digest

    try:
        found = _there(sources, commit, f"rubrics/judges/{judge}.yaml", JudgeFile)
    except RecordError:
        return ""
    return judge_digest(found) if found is not None else ""


def _there(sources: Sources, commit: str, path: str, kind: type[R]) -> R | None:
    return sources.record(commit, path, kind) if sources.exists(commit, path) else None


def _left(sources: Sources, commit: str, name: str) -> tuple[str, ...]:
    """What is left of a benchmark."""
    folders = (sources.objects.files(commit, folder) for folder in (f"clusters/{name}", f"scenarios/{name}"))
    return tuple(path for files in folders for path in sorted(files) if benchmark_cluster(path) == name)
