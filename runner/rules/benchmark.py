"""A benchmark's sets: their digests, and the lock that freezes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.errors import RecordError
from runner.records.gated import BenchmarkLock, FrozenSet, Gated
from runner.records.terms import SetName
from runner.records.verdict import Reason
from runner.rules.canonical import digest

if TYPE_CHECKING:  # the gate needs the lock alone
    from runner.records.scenario import Scenario

FROZEN_BY_DEFAULT = (SetName.HELDOUT,)
OPTIONAL = frozenset({SetName.GENERAL, SetName.RESERVE})
"""The sets that a benchmark may lack."""


@lru_cache(maxsize=65_536)
def scenario_digest(scenario: Scenario) -> str:
    """sha256 of the scenario's canonical record: a comment or another quote in its file changes nothing."""
    return digest(scenario)


def set_digest(scenarios: Iterable[Scenario]) -> str:
    """sha256 over the canonical list of [id, scenario digest], sorted by id."""
    return digest(sorted([scenario.id, scenario_digest(scenario)] for scenario in scenarios))


def set_digests(scenarios: Mapping[SetName, Sequence[Scenario]]) -> dict[str, str]:
    """`scenarios/<set>` to the set's digest. An optional set has none while it is empty: a cluster that has no use for
    it is pinned as it was before there was such a set."""
    there = {name: found for name, found in scenarios.items() if found or name not in OPTIONAL}
    return {f"scenarios/{name}": set_digest(found) for name, found in there.items()}


def locked(
    scenarios: Mapping[SetName, Sequence[Scenario]],
    *,
    version: int,
    sets: Iterable[str] = FROZEN_BY_DEFAULT,
    owners: Mapping[str, Sequence[str]] | None = None,
) -> BenchmarkLock:
    """The lock that freezes `sets` as they stand. `owners` names who may change a set; `benchmark-owner` by default."""
    frozen = {}
    for name in sorted(sets):
        found = scenarios[SetName(name)]
        named = tuple((owners or {}).get(name, ("benchmark-owner",)))
        frozen[name] = FrozenSet(sha256=set_digest(found), scenarios=len(found), owners=named)
    return BenchmarkLock(version=version, sets=frozen)


def relocked(
    cluster: Gated, lock: BenchmarkLock | None, scenarios: Mapping[SetName, Sequence[Scenario]]
) -> BenchmarkLock:
    """The lock as it should be now: the sets and owners that `lock` names, or held-out alone.

    Raises `RecordError` where a frozen set has changed under the version that froze it.
    """
    path = f"clusters/{cluster.id}/benchmark.lock"
    if lock is None:
        return locked(scenarios, version=cluster.benchmark_version)
    owners = {name: frozen.owners for name, frozen in lock.sets.items()}
    fresh = locked(scenarios, version=cluster.benchmark_version, sets=lock.sets, owners=owners)
    changed = [name for name, frozen in lock.sets.items() if fresh.sets[name] != frozen]
    if changed and lock.version >= cluster.benchmark_version:
        hint = f"undo the change, or raise benchmark_version in cluster.yaml to {lock.version + 1} first"
        problem = f"the frozen set {changed[0]} has changed since version {lock.version}"
        raise RecordError(problem, path=path, field=f"sets.{changed[0]}", hint=hint)
    return fresh


def benchmark_digest(lock: BenchmarkLock | None) -> str:
    """sha256 over the lock: version, and each set's digest, count and owners."""
    return digest(lock)


def mismatches(
    cluster: Gated, lock: BenchmarkLock | None, scenarios: Mapping[SetName, Sequence[Scenario]]
) -> tuple[Reason, ...]:
    """Why the sets at hand are not those that were locked, every reason. None where they are."""
    step, hint = "benchmark", "restore the set, or raise the benchmark version and lock it again"
    if lock is None:
        return (Reason(step=step, problem="there is no benchmark.lock", hint="lock the frozen sets"),)
    reasons = []
    if lock.version != cluster.benchmark_version:
        problem = f"cluster.yaml names benchmark version {cluster.benchmark_version}, the lock {lock.version}"
        reasons.append(Reason(step=step, problem=problem, hint="make them equal"))
    if SetName.HELDOUT not in lock.sets:
        reasons.append(Reason(step=step, problem="held-out is not locked", hint="lock the frozen sets"))
    by_name = {str(name): tuple(found) for name, found in scenarios.items()}
    for name, frozen in sorted(lock.sets.items()):
        found = by_name.get(name, ())
        if set_digest(found) != frozen.sha256 or len(found) != frozen.scenarios:
            problem = f"set {name} ({len(found)} scenarios) is not the one that was locked ({frozen.scenarios})"
            reasons.append(Reason(step=step, problem=problem, hint=hint))
    return tuple(reasons)
