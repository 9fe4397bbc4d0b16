"""The frozen benchmark: its digest, and what of it no longer matches its lock."""

from __future__ import annotations

from collections.abc import Mapping

from runner.records.cluster import BenchmarkLock, Cluster
from runner.records.scenario import SetName
from runner.records.verdict import Reason
from runner.rules.canonical import digest


def benchmark_digest(lock: BenchmarkLock | None) -> str:
    """sha256 over the lock: version, and each set's digest, count and owners."""
    return digest(lock if lock is not None else None)


def mismatches(
    cluster: Cluster, lock: BenchmarkLock | None, *, digests: Mapping[str, str], counts: Mapping[SetName, int]
) -> tuple[Reason, ...]:
    """Why the sets at hand are not those that were locked. `digests` are keyed `scenarios/<set>`."""
    step, hint = "benchmark", "restore the set, or raise the benchmark version and lock it again"
    if lock is None:
        return (Reason(step=step, problem="there is no benchmark.lock", hint="lock the frozen sets"),)
    reasons = []
    if lock.version != cluster.benchmark_version:
        problem = f"cluster.yaml names benchmark version {cluster.benchmark_version}, the lock {lock.version}"
        reasons.append(Reason(step=step, problem=problem, hint="make them equal"))
    if SetName.HELDOUT not in lock.sets:
        reasons.append(Reason(step=step, problem="held-out is not locked", hint="lock the frozen sets"))
    for name, frozen in sorted(lock.sets.items()):
        if digests.get(f"scenarios/{name}") != frozen.sha256:
            reasons.append(Reason(step=step, problem=f"set {name} is not the one that was locked", hint=hint))
        found = {str(key): value for key, value in counts.items()}.get(name, 0)
        if found != frozen.scenarios:
            problem = f"set {name} has {found} scenarios, the lock says {frozen.scenarios}"
            reasons.append(Reason(step=step, problem=problem, hint=hint))
    return tuple(reasons)
