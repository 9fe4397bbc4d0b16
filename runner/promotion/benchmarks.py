"""What one step does to the benchmarks it touches: each cluster's lock and version before and after it."""

from __future__ import annotations

from typing import TypeVar

from runner.errors import RecordError
from runner.promotion.sources import Sources
from runner.records.base import Record
from runner.records.change import Operation, PathChange
from runner.records.gated import BenchmarkLock
from runner.rules.trust.change import benchmark_cluster
from runner.rules.trust.facts import BenchmarkStep

R = TypeVar("R", bound=Record)


def benchmark_steps(sources: Sources, old: str, new: str, changes: tuple[PathChange, ...]) -> tuple[BenchmarkStep, ...]:
    """Of every cluster whose scenarios, cluster.yaml or benchmark.lock change. Raises `RecordError` where those of the
    base tip cannot be read; of the new tip's, that is a finding."""
    names = sorted({name for change in changes if (name := benchmark_cluster(change.path))})
    return tuple(_step(sources, old, new, name, changes) for name in names)


def _step(sources: Sources, old: str, new: str, name: str, changes: tuple[PathChange, ...]) -> BenchmarkStep:
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

    deleted = any(change.path == cluster and change.operation is Operation.DELETE for change in touched)
    return BenchmarkStep(
        cluster=name,
        touched=frozenset(change.path for change in touched),
        before=_there(sources, old, cluster, Cluster),
        after=after(cluster, Cluster),
        lock_before=_there(sources, old, lock, BenchmarkLock),
        lock_after=after(lock, BenchmarkLock),
        unreadable=tuple(unreadable),
        left=_left(sources, new, name) if deleted else (),
        promoted=deleted and bool(sources.objects.names(old, f"clusters/{name}/promotions")),
    )


def _there(sources: Sources, commit: str, path: str, kind: type[R]) -> R | None:
    return sources.record(commit, path, kind) if sources.exists(commit, path) else None


def _left(sources: Sources, commit: str, name: str) -> tuple[str, ...]:
    """What is left of a benchmark."""
    folders = (sources.objects.files(commit, folder) for folder in (f"clusters/{name}", f"scenarios/{name}"))
    return tuple(path for files in folders for path in sorted(files) if benchmark_cluster(path) == name)
