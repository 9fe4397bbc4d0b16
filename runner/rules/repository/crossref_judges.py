"""What judges' files say of each other and of the cluster that they judge, and whether it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from runner.records.base import Record
from runner.records.cluster import Cluster
from runner.records.gated import BenchmarkLock
from runner.records.judging import Calibration, JudgeFile, JudgeLabels
from runner.records.rubric import Rubric
from runner.records.terms import SetName
from runner.rules.canonical import digest
from runner.rules.judges.calibration import agreements, items, label_problems
from runner.rules.judges.identity import benchmark_judges, judges_of
from runner.rules.judges.intake import Bench, faults
from runner.rules.repository.benchmark import judge_mismatches
from runner.rules.repository.crossref_scenarios import Finding
from runner.rules.repository.layout import Found, place

R = TypeVar("R", bound=Record)


def judged(records: Iterable[Record]) -> bool:
    """Whether there is a judge, or a rubric or a lock that names one."""
    return any(
        isinstance(one, JudgeFile)
        or (isinstance(one, Rubric) and judges_of((one,)))
        or (isinstance(one, BenchmarkLock) and one.judges)
        for one in records
    )


def misnamed(path: str, record: JudgeLabels | Calibration, where: Found) -> Iterator[Finding]:
    """Labels and calibrations are of the judge and the cluster that their path names."""
    for field, found, said in (("judge", record.judge, where.stem), ("cluster", record.cluster, where.cluster)):
        if found != said:
            yield Finding(path, field, f"{found} is not what the path says", f"write `{field}: {said}`")


def judge_findings(
    others: Mapping[str, Record],
    name: str,
    graded_by: Iterable[tuple[str, str]],
    labelled: Iterable[tuple[str, str]],
) -> Iterator[Finding]:
    """What a tree's records but for scenarios say of the judges of a cluster. `graded_by` has sets with the rubrics
    that their scenarios name, `labelled` the scenarios of core and dev with theirs."""
    own = {path: one for path, one in others.items() if (at := place(path)) is not None and at.cluster == name}
    cluster = next(iter(_of(own, Cluster).values()), None)
    if cluster is None:
        return
    sets: dict[SetName, set[str]] = defaultdict(set)
    for set_, rubric in graded_by:
        sets[SetName(set_)].add(rubric)
    calibrations = _of(own, Calibration)
    bench = Bench(
        cluster,
        {set_: frozenset(rubrics) for set_, rubrics in sets.items()},
        {one.id: one for one in _of(others, Rubric).values()},
        {one.id: one for one in _of(others, JudgeFile).values()},
        {one.judge: one for one in calibrations.values()},
    )
    yield from (Finding(*fault) for fault in faults(bench))
    for lock in _of(own, BenchmarkLock).values():
        yield from _lock(bench, lock)
    yield from _labels(bench, _of(own, JudgeLabels), calibrations, dict(labelled))


def _of(records: Mapping[str, Record], kind: type[R]) -> dict[str, R]:
    return {path: one for path, one in sorted(records.items()) if isinstance(one, kind)}


def _lock(bench: Bench, lock: BenchmarkLock) -> Iterator[Finding]:
    name, path = bench.cluster.id, f"clusters/{bench.cluster.id}/benchmark.lock"
    fix = f"undo the change, or raise benchmark_version in cluster.yaml and run `hallmark benchmark lock {name}`"
    for judge, problem in judge_mismatches(lock, benchmark_judges(bench.named, bench.judges)):
        if judge in lock.judges:
            yield Finding(path, f"judges.{judge}", problem, fix)
        else:
            yield Finding(path, "judges", problem, f"hallmark benchmark lock {name}")


def _labels(
    bench: Bench,
    each: Mapping[str, JudgeLabels],
    calibrations: Mapping[str, Calibration],
    rubric_of: Mapping[str, str],
) -> Iterator[Finding]:
    """Labels name what there is, and calibrations follow from the labels beside them."""
    for path, labels in each.items():
        if labels.judge not in bench.judges:
            hint = f"write rubrics/judges/{labels.judge}.yaml, or remove the labels"
            yield Finding(path, "judge", f"there is no judge {labels.judge}", hint)
        for problem in label_problems(labels, rubric_of, bench.rubrics):
            yield Finding(path, *problem)
    for path, calibration in calibrations.items():
        beside = each.get(path.removesuffix(".calibration.yaml") + ".labels.yaml")
        stale = _stale(calibration, beside, rubric_of, bench)
        if stale:
            yield Finding(path, *stale, f"hallmark calibrate {bench.cluster.id} --judge {calibration.judge}")


def _stale(
    calibration: Calibration, labels: JudgeLabels | None, rubric_of: Mapping[str, str], bench: Bench
) -> tuple[str, str] | None:
    """Field and problem of a calibration that does not follow from the labels beside it."""
    if labels is None:
        return "labels", "there are no labels beside it"
    if digest(labels) != calibration.labels:
        return "labels", "the labels have changed since the judge was calibrated"
    found = items(labels, rubric_of, bench.rubrics)
    if {item.key for item in found} != set(calibration.votes):
        return "votes", "the votes are on other answers or questions than the labels"
    if agreements(found, calibration.votes) != calibration.criteria:
        return "criteria", "the figures do not follow from the labels and the votes"
    return None
