"""An evaluation on its own: one model in chosen stages, as the summary and the samples that its log keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.phases.common import Stopwatch, Task, graded
from runner.phases.evaluation import evaluate
from runner.ports import Model, Ports
from runner.records.evaluation import EvaluatedModel, EvaluationRun, Sample, StageName, StageOutcome, StageResult
from runner.records.scenario import SetName
from runner.records.score import GradedAnswer
from runner.rules.canonical import digest
from runner.rules.evaluation.evaluations import Asked, sample_of, summary
from runner.rules.evaluation.scoring import capability_weights
from runner.rules.judges.report import judges_report
from runner.rules.repository.benchmark import benchmark_digest, set_digest
from runner.workspace import Inputs, Workspace

BY_DEFAULT = (StageName.CORE, StageName.REPRESENTATIVE, StageName.DEV)
"""Held-out is looked at only where it is asked for."""
IN_ORDER = (StageName.SMOKE, *BY_DEFAULT, StageName.ROBUSTNESS, StageName.GENERAL)
"""What one may go as far as."""


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
        scenarios_sha256={str(name): _digest(space, name) for name in sets},
        rubrics={name: digest(space.rubrics[name]) for name in sorted(rubrics) if name in space.rubrics},
    )


def _digest(space: Workspace, name: SetName) -> str:
    """The set's, which the workspace had when it was loaded."""
    return space.digests.get(f"scenarios/{name}") or set_digest(space.scenarios[name])


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
    stages: Sequence[StageName] = BY_DEFAULT,
    early_stop: bool = False,
    measured: Mapping[str, Any],
) -> Logged:
    """Ask the model the chosen stages, in their order. The general stage compares an adapter with its base.

    Raises `RecordError` for a scenario whose rubric there is not, and what the models raise.
    """
    space, watch = inputs.workspace, Stopwatch(ports)
    base = replace(model, adapter=None) if model.adapter is not None else None
    found = evaluate(inputs, ports, watch, model=model, name=who.kind, base=base, stages=stages, early_stop=early_stop)
    rows, results = list(found.rows), list(found.stages)
    if StageName.DEV in stages and found.stopped is None and space.scenarios[SetName.DEV]:
        work = [Task(SetName.DEV, scenario) for scenario in space.scenarios[SetName.DEV]]
        more, _ = graded(inputs, ports, watch, model=model, name=who.kind, work=work)
        rows += more
        results.append(StageResult(stage=StageName.DEV, outcome=StageOutcome.PASSED, scenarios=len(work)))
    lines = samples(space, rows)
    sets = [name for name in SetName if any(row.set is name for row in rows)]
    question = asked(space, sets, who=who, engine=ports.models.version)
    said = judges_report(rows, space.rubrics, space.judges, space.calibrations)
    run = summary(
        question,
        lines,
        weights=capability_weights(space.cluster),
        stages=results,
        judges=said.judges if said else (),
    )
    pace = {"generated": found.pace.generated, "generating_s": round(found.pace.seconds, 3)}
    return Logged(run.model_copy(update={"measured": {**watch.measured, **pace, **measured}}), lines)
