"""An evaluation on its own: one model on chosen sets, as the summary and the samples that its log keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.phases.common import Stopwatch, Task, graded
from runner.ports import Model, Ports
from runner.records.evaluation import EvaluatedModel, EvaluationRun, Sample, StageName, StageOutcome, StageResult
from runner.records.scenario import SetName
from runner.records.score import GradedAnswer
from runner.rules.benchmark import benchmark_digest, set_digest
from runner.rules.canonical import digest
from runner.rules.evaluations import Asked, sample_of, summary
from runner.rules.scoring import capability_weights
from runner.workspace import Inputs, Workspace

BY_DEFAULT = (SetName.CORE, SetName.DEV, SetName.REPRESENTATIVE)
"""Held-out is looked at where it is asked for, and the look counts."""


@dataclass(frozen=True)
class Logged:
    run: EvaluationRun
    samples: Sequence[Sample]


def asked(space: Workspace, sets: Sequence[SetName], *, who: EvaluatedModel, engine: str) -> Asked:
    """What is asked of the model, by digest."""
    rubrics = {scenario.rubric for name in sets for scenario in space.scenarios[name]}
    return Asked(
        cluster=space.cluster.id,
        model=who,
        engine=engine,
        benchmark_version=space.cluster.benchmark_version,
        benchmark_sha256=benchmark_digest(space.lock) if space.lock else None,
        scenarios_sha256={str(name): set_digest(space.scenarios[name]) for name in sets},
        rubrics={name: digest(space.rubrics[name]) for name in sorted(rubrics) if name in space.rubrics},
    )


def samples(space: Workspace, rows: Sequence[GradedAnswer]) -> list[Sample]:
    """The lines of the log: each graded answer with its prompt and reference."""
    known = {(name, one.id): one for name, found in space.scenarios.items() for one in found}
    tasks = [Task(row.set, known[row.set, row.grade.scenario], row.perturbation) for row in rows]
    return [
        sample_of(row, task.scenario, task.prompt(space.cluster.instruction, seed=space.params.seed))
        for row, task in zip(rows, tasks, strict=True)
    ]


def evaluated(
    inputs: Inputs,
    ports: Ports,
    *,
    model: Model,
    who: EvaluatedModel,
    sets: Sequence[SetName] = BY_DEFAULT,
    measured: Mapping[str, Any],
) -> Logged:
    """Ask the model every scenario of `sets`, as written, from one batched call a set.

    Raises `RecordError` for a scenario whose rubric there is not, and what the models raise.
    """
    space, watch = inputs.workspace, Stopwatch(ports)
    rows: list[GradedAnswer] = []
    stages: list[StageResult] = []
    for name in sets:
        work = [Task(name, scenario) for scenario in space.scenarios[name]]
        found, _ = graded(inputs, ports, watch, model=model, name=who.kind, work=work)
        rows += found
        stages.append(StageResult(stage=StageName(name), outcome=StageOutcome.PASSED, scenarios=len(work)))
    lines = samples(space, rows)
    question = asked(space, sets, who=who, engine=ports.models.version)
    run = summary(question, lines, weights=capability_weights(space.cluster), stages=stages)
    return Logged(run.model_copy(update={"measured": {**watch.measured, **measured}}), lines)
