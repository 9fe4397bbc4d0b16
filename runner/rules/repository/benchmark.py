"""A benchmark's sets: their digests, and the lock that freezes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from runner.errors import RecordError
from runner.records.gated import BenchmarkLock, FrozenSet, Gated
from runner.records.terms import SetName
from runner.records.verdict import Reason
from runner.rules.canonical import digest

if TYPE_CHECKING:  # the gate needs the lock alone
    from runner.records.scenario import Scenario

NO_JUDGES: Mapping[str, str] = {}
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
    judges: Mapping[str, str] = NO_JUDGES,
) -> BenchmarkLock:
    """The lock that freezes `sets` as they stand, and `judges` by their digests. `owners` names who may change a set;
    `benchmark-owner` by default."""
    frozen = {}
    for name in sorted(sets):
        found = scenarios[SetName(name)]
        named = tuple((owners or {}).get(name, ("benchmark-owner",)))
        frozen[name] = FrozenSet(sha256=set_digest(found), scenarios=len(found), owners=named)
    return BenchmarkLock(version=version, sets=frozen, judges=dict(sorted(judges.items())))


def relocked(
    cluster: Gated,
    lock: BenchmarkLock | None,
    scenarios: Mapping[SetName, Sequence[Scenario]],
    *,
    judges: Mapping[str, str] = NO_JUDGES,
    also: Sequence[SetName] = (),
) -> BenchmarkLock:
    """The lock as it should be now: the sets and owners that `lock` names, or held-out alone, the sets in `also`, and
    `judges`.

    Raises `RecordError` where a frozen set or a locked judge has changed under the version that froze it, and where a
    set in `also` is empty: there is nothing to freeze.
    """
    version = cluster.benchmark_version
    for name in also:
        if not scenarios.get(name):
            raise RecordError("has no scenario, and cannot be frozen", path=f"scenarios/{cluster.id}/{name}")
    if lock is None:
        return locked(scenarios, version=version, sets={*FROZEN_BY_DEFAULT, *also}, judges=judges)
    owners = {name: frozen.owners for name, frozen in lock.sets.items()}
    fresh = locked(scenarios, version=version, sets={*lock.sets, *also}, owners=owners, judges=judges)
    changed = [
        *(("frozen set", f"sets.{name}") for name, frozen in lock.sets.items() if fresh.sets[name] != frozen),
        *(("judge", f"judges.{name}") for name, pinned in lock.judges.items() if fresh.judges.get(name) != pinned),
    ]
    if changed and lock.version >= version:
        hint = f"undo the change, or raise benchmark_version in cluster.yaml to {lock.version + 1} first"
        (what, field), path = changed[0], f"clusters/{cluster.id}/benchmark.lock"
        problem = f"the {what} {field.partition('.')[2]} has changed since version {lock.version}"
        raise RecordError(problem, path=path, field=field, hint=hint)
    return fresh


def benchmark_digest(lock: BenchmarkLock | None) -> str:
    """sha256 over the lock: version, each set's digest, count and owners, and each judge's digest."""
    return digest(lock)


def mismatches(
    cluster: Gated,
    lock: BenchmarkLock | None,
    scenarios: Mapping[SetName, Sequence[Scenario]],
    *,
    judges: Mapping[str, str] = NO_JUDGES,
) -> tuple[Reason, ...]:
    """Why the sets and `judges` at hand are not those that were locked, every reason. None where they are."""
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
    hint = "restore the judge, or raise the benchmark version and lock it again"
    reasons += [Reason(step=step, problem=problem, hint=hint) for _, problem in judge_mismatches(lock, judges)]
    return tuple(reasons)


def judge_mismatches(lock: BenchmarkLock, judges: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(judge, problem) of each judge that is not as it was locked. `judges` are those that approved rubrics name."""
    for name in sorted({*lock.judges, *judges}):
        if name not in judges:
            yield name, f"the judge {name} is locked, and no approved rubric of the scenarios names it"
        elif name not in lock.judges:
            yield name, f"the judge {name} of an approved rubric is not locked"
        elif lock.judges[name] != judges[name]:
            yield name, f"the judge {name} is not the one that was locked"
