"""Step 2 for a benchmark: what is frozen changes with a new benchmark version only, whatever else goes or changes."""

from __future__ import annotations

from collections.abc import Iterator

from runner.records.gated import BenchmarkLock
from runner.records.verdict import Reason
from runner.rules.trust.facts import BenchmarkStep

RULE = "2.6 frozen sets"
_NO_SETS = BenchmarkLock(version=1, sets={})


def version_problems(one: BenchmarkStep, *, step: str) -> Iterator[Reason]:
    """Why a cluster's benchmark may not change so:

    - cluster.yaml and benchmark.lock can be read after the step;
    - a cluster goes whole, and only where nothing was promoted: its promotions were measured on that benchmark;
    - a lock that is there stays; a set or judge that it freezes changes, or leaves it, under a higher version only;
    - a lock pins each judge as it is;
    - the version never falls, or an old number would stand for two benchmarks.
    """
    for problem in one.unreadable:
        yield Reason(step=step, problem=f"{RULE}: {problem}", hint="mend it: run `hallmark check` on the branch")
    if not one.unreadable:
        yield from (
            Reason(step=step, problem=f"{RULE}: {one.cluster}: {said}", hint=hint) for said, hint in _problems(one)
        )


def _problems(one: BenchmarkStep) -> Iterator[tuple[str, str]]:
    if one.before is not None and one.after is None:
        yield from _deleted(one)
        return
    if one.lock_before is not None and one.lock_after is None:
        yield (
            "benchmark.lock is deleted, and what it freezes with it",
            "bring it back; a new version locks its sets again",
        )
    old = max(one.before.benchmark_version if one.before else 0, one.lock_before.version if one.lock_before else 0)
    new = one.after.benchmark_version if one.after else 0
    if one.before is not None and new < one.before.benchmark_version:
        yield f"benchmark_version {new} follows {one.before.benchmark_version}", "a version number only rises"
    changed = sorted({*_changed(one), *_judges(one)})
    if changed and new <= old:
        hint = "raise benchmark_version and freeze the sets again"
        yield f"{', '.join(changed)} is frozen at version {old}", hint
    for judge, pinned in (one.lock_after or _NO_SETS).judges.items():
        if one.judges.get(judge, pinned) != pinned:
            yield f"benchmark.lock pins another judge {judge} than there is", f"hallmark benchmark lock {one.cluster}"


def _deleted(one: BenchmarkStep) -> Iterator[tuple[str, str]]:
    if one.promoted:
        hint = "a cluster with promotions stays, under its name: deprecate its adapters to end it"
        yield "cluster.yaml is deleted, and its promotions were measured on this benchmark", hint
    elif one.left:
        hint = f"a cluster that was never promoted may go whole: delete {', '.join(one.left[:3])} too, or keep it"
        yield f"cluster.yaml is deleted, and {len(one.left)} files of its benchmark stay", hint


def _changed(one: BenchmarkStep) -> set[str]:
    """The frozen sets that the step changes: a scenario of them, or what the lock says of them."""
    before, after = (one.lock_before or _NO_SETS).sets, (one.lock_after or _NO_SETS).sets
    home = f"scenarios/{one.cluster}/"
    edited = {path.removeprefix(home).split("/")[0] for path in one.touched if path.startswith(home)}
    said = {
        name
        for name, frozen in before.items()
        if name not in after or (after[name].sha256, after[name].scenarios) != (frozen.sha256, frozen.scenarios)
    }
    return (edited & set(before)) | (said if one.lock_after is not None else set())


def _judges(one: BenchmarkStep) -> set[str]:
    """The locked judges that the step changes: the judge itself, or its pin."""
    before, after = (one.lock_before or _NO_SETS).judges, (one.lock_after or _NO_SETS).judges
    pins = set() if one.lock_after is None else {judge for judge in before if after.get(judge) != before[judge]}
    return {f"judge {judge}" for judge in pins | {j for j in before if one.judges.get(j, before[j]) != before[j]}}
