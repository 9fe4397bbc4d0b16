"""Why a cluster's judges may not judge as its reviewed files stand: what intake refuses, and `check` finds before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from runner.records.cluster import Cluster
from runner.records.judge import Judge
from runner.records.judging import Calibration, JudgeFile, ServedModel
from runner.records.rubric import Rubric
from runner.records.terms import SetName
from runner.records.verdict import Reason
from runner.rules.judges.calibration import refused
from runner.rules.judges.identity import conflicts, judges_of, unsent
from runner.rules.loop.boundary import stranger
from runner.rules.repository.fault import Fault

STEP = "judges"


class Bench(NamedTuple):
    """A cluster with all that its judges are held against."""

    cluster: Cluster
    graded_by: Mapping[SetName, frozenset[str]]
    """The rubrics that each set's scenarios name."""
    rubrics: Mapping[str, Rubric]
    judges: Mapping[str, JudgeFile]
    calibrations: Mapping[str, Calibration]

    @property
    def named(self) -> list[Rubric]:
        """The rubrics that grade."""
        return [self.rubrics[name] for name in sorted({*chain(*self.graded_by.values())}) if name in self.rubrics]

    @property
    def sees(self) -> dict[str, list[SetName]]:
        """The sets that each judge is shown."""
        found: dict[str, list[SetName]] = {}
        for name, rubrics in sorted(self.graded_by.items()):
            for judge in judges_of(self.rubrics[one] for one in rubrics if one in self.rubrics):
                found.setdefault(judge, []).append(name)
        return found


def faults(bench: Bench) -> Iterator[Fault]:
    """Every fault of a cluster's judges: a rubric names none that there is, or requires what may not count; one would
    judge itself or what it wrote; one would be shown what may not leave for it, or stands outside the boundary."""
    yield from _unknown(bench)
    for rubric, field, problem in refused(bench.named, bench.judges, bench.calibrations):
        hint = f"`hallmark calibrate {bench.cluster.id}`, or write `required: false` beside a criterion that counts"
        yield Fault(_rubric(rubric.id), field, problem, hint)
    for name, sets in bench.sees.items():
        if name in bench.judges:
            yield from _partial(bench.judges[name], bench.cluster, sets)


def reasons(bench: Bench) -> Iterator[Reason]:
    """The same, as a gate says it."""
    for fault in faults(bench):
        yield Reason(step=STEP, problem=f"{fault.path}: {fault.field}: {fault.problem}", hint=fault.hint)


def _unknown(bench: Bench) -> Iterator[Fault]:
    known = ", ".join(sorted(bench.judges)) or "none yet"
    for rubric in bench.named:
        for number, criterion in enumerate(rubric.criteria):
            grader = criterion.grader
            if isinstance(grader, Judge) and grader.judge not in bench.judges:
                hint = f"write rubrics/judges/{grader.judge}.yaml, or name one of: {known}"
                field = f"criteria[{number}].grader.judge"
                yield Fault(_rubric(rubric.id), field, f"there is no judge {grader.judge}", hint)


def _partial(judge: JudgeFile, cluster: Cluster, sets: Iterable[SetName]) -> Iterator[Fault]:
    path = _judge(judge.id)
    yield from outside(judge, cluster)
    for problem in conflicts(judge, cluster):
        yield Fault(path, "model", f"{problem}, of {cluster.id}", "name another model as the judge")
    for shown in sets:
        if problem := unsent(judge, shown):
            yield Fault(path, "model.sends", problem, f"add {shown} there, or take a model of this machine")


def outside(judge: JudgeFile, cluster: Cluster) -> Iterator[Fault]:
    """The judge's server, where it stands outside of the cluster's boundary."""
    if isinstance(judge.model, ServedModel):
        yield from stranger(cluster, judge.model, path=_judge(judge.id), field="model.url")


def _judge(name: str) -> str:
    return f"rubrics/judges/{name}.yaml"


def _rubric(name: str) -> str:
    return f"rubrics/{name}.yaml"
