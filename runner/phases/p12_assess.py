"""Phase 12, assess: the candidate and the control arm beside the base and the incumbent, on the frozen sets.

The candidate goes through the stages of an evaluation. One that the gate would refuse whatever came later is asked no
further, takes no look at held-out if it has not come that far, and has a scorecard of what was seen. Otherwise this is
its one look, and the verdict lists every limit of the gate that does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from runner.errors import RecordError
from runner.phases.asking import Pace
from runner.phases.common import Stopwatch, Task, ask, base_model, graded, subtree, tasks
from runner.phases.evaluation import Evaluation, changed, evaluate
from runner.phases.general import GENERAL
from runner.phases.repeats import repeated
from runner.ports import Model, Output, Ports, Tree
from runner.records.base import Record
from runner.records.evaluation import CandidateStages, StageName, StageOutcome
from runner.records.evidence import Operations
from runner.records.intake import Intake
from runner.records.scenario import SetName
from runner.records.score import Baseline, GradedAnswer, Scorecard
from runner.records.training import Sweep
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.evaluation.assessment import (
    ASSESSED,
    BASE,
    CANDIDATE,
    CONTROL,
    JUDGED,
    RealOnlyRecord,
    Subject,
    assessed,
    gaps,
    perturbed,
)
from runner.rules.evaluation.evaluation_stages import drop_stop
from runner.rules.evaluation.limits import limits
from runner.rules.evaluation.significance import weighed
from runner.rules.judges.verdicts import unsteady
from runner.rules.loop.bundle import scored_scenarios
from runner.workspace import Inputs

Made = dict[str, Record | Sequence[Record] | Tree]
LATENCY_PROMPTS = 100
THROUGHPUT_PROMPTS = 256
"""Answers from which batched throughput is measured anew, where too few of the candidate's were generated just now."""


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `answers` (candidate and, where it came through, control and the incumbent's repeats), `scorecard` and
    `stages`; `measured` has `operations`, which no digest covers."""
    watch, artifacts, space = Stopwatch(ports), inputs.artifacts, inputs.workspace
    base = base_model(inputs)
    candidate = replace(base, adapter=artifacts.tree("adapter"))
    before = (
        *artifacts.rows("core-answers", GradedAnswer),
        *artifacts.rows("baseline-answers", GradedAnswer),
    )
    found = evaluate(
        inputs,
        ports,
        watch,
        model=candidate,
        name=CANDIDATE,
        base=base,
        early_stop=space.cluster.evaluation_policy.early_stop,
        base_rows=[row for row in before if row.model == BASE],
    )
    adapters = {name: scores.adapter for name, scores in artifacts.record("baseline", Baseline).models.items()}
    adapters[CANDIDATE] = artifacts.digest("adapter")
    stages = CandidateStages(
        cluster=space.cluster.id,
        iteration=artifacts.record("intake", Intake).iteration,
        stages=found.stages,
        changed=changed(inputs) if found.ran(StageName.ROBUSTNESS) else {},
    )
    if found.cut_short:
        so_far = (*seen(before, found.rows), *found.rows)
        card = assessment(inputs, rows=so_far, adapters=adapters, kinds=())
        shown: Made = {"answers": found.rows, "scorecard": card, "stages": stages}
        return Output(shown, _verdict((*_stopped(found), *unsteady(so_far, space.judges))), watch.measured)
    control = replace(base, adapter=subtree(artifacts.tree("arms"), CONTROL))
    adapters[CONTROL] = control.adapter.digest if control.adapter else None
    plain = tasks(inputs, ASSESSED, robustness=False)
    beside, _ = graded(inputs, ports, watch, model=control, name=CONTROL, work=plain)
    beside += repeated(inputs, ports, watch)
    rows = (*before, *found.rows, *beside)
    card = assessment(inputs, rows=rows, adapters=adapters, kinds=perturbed(space.cluster.gate))
    operations = _operations(inputs, ports, watch, candidate, _timed(inputs, ports, watch, candidate, found.pace))
    watch.extra["operations"] = operations.model_dump(mode="json")
    share, latency = artifacts.record("sweep", Sweep).human_share, operations.latency_p95_ms
    reasons = (
        *limits(card, space.cluster, human_share=share, latency_p95_ms=latency),
        *_forgotten(found),
        *unsteady(rows, space.judges),
    )
    made: Made = {"answers": [*found.rows, *beside], "scorecard": card, "stages": stages}
    return Output(made, _verdict(reasons), watch.measured)


def _verdict(reasons: Sequence[Reason]) -> Verdict:
    return Verdict(outcome=Outcome.REFUSE, reasons=tuple(reasons)) if reasons else Verdict()


def seen(before: Sequence[GradedAnswer], rows: Sequence[GradedAnswer]) -> list[GradedAnswer]:
    """The rows of `before` on scenarios that are among `rows` too: what can be set side by side."""
    both = {(row.set, row.grade.scenario) for row in rows}
    return [row for row in before if (row.set, row.grade.scenario) in both]


def _stopped(found: Evaluation) -> tuple[Reason, ...]:
    """Why the candidate was asked no further."""
    hint = "see run/stages.json; `evaluation.early_stop: false` in cluster.yaml asks everything of every candidate"
    return tuple(
        Reason(step="stages", problem=f"stopped after {one.stage}: {one.reason}", hint=hint)
        for one in found.stages
        if one.outcome is StageOutcome.STOPPED
    )


def _forgotten(found: Evaluation) -> Iterator[Reason]:
    """The tasks of another harness that lost too much. The general set is among the gate's own limits."""
    for one in found.stages:
        lost = drop_stop({name: drop for name, drop in one.drops.items() if name != GENERAL})
        if one.stage is StageName.GENERAL and lost:
            yield Reason(step="general", problem=lost, hint="more replay, or a lower adapter strength")


def assessment(
    inputs: Inputs, *, rows: Sequence[GradedAnswer], adapters: Mapping[str, str | None], kinds: Sequence[str]
) -> Scorecard:
    """The scorecard over every model's graded answers to the sets that the gate looks at. Raises `RecordError` where
    one is missing, or the candidate's under one of `kinds`: the gate would refuse what has gaps."""
    intake, space = inputs.artifacts.record("intake", Intake), inputs.workspace
    grades = scored_scenarios(rows, sets=JUDGED)
    missing = next(gaps(grades, adapters, kinds=kinds), None)
    if missing:
        raise RecordError(missing)
    resamples, seed = space.params.assess.resamples, space.params.seed
    card = assessed(
        grades,
        space.cluster,
        subject=Subject(intake.iteration, intake.benchmark_version, intake.benchmark_sha256),
        adapters=adapters,
        real_only=RealOnlyRecord(space.problem.metric.value, space.problem.real_only_baseline.value),
        resamples=resamples,
        seed=seed,
    )
    return weighed(card, grades, space.cluster, resamples=resamples, seed=seed)


def _timed(inputs: Inputs, ports: Ports, watch: Stopwatch, model: Model, pace: Pace) -> Pace:
    """What to tell throughput by: the answers just given or, where most of them were remembered, some given again."""
    space, some = inputs.workspace, tasks(inputs, (SetName.CORE,), robustness=True)[:THROUGHPUT_PROMPTS]
    if 2 * pace.generated >= len(some):
        return pace
    prompts = [task.prompt(space.cluster.instruction, seed=space.params.seed) for task in some]
    return Pace().after(ask(inputs, ports, watch, model, prompts, f"timing {len(prompts)} answers", fresh=True))


def _operations(inputs: Inputs, ports: Ports, watch: Stopwatch, model: Model, timed: Pace) -> Operations:
    """Figures of the machine at hand: batched throughput of the answers that were generated, no remembered one among
    them, and latency one request at a time."""
    space = inputs.workspace
    scenarios = (*space.scenarios[SetName.REPRESENTATIVE], *space.scenarios[SetName.CORE])[:LATENCY_PROMPTS]
    asked = [Task(SetName.CORE, one).prompt(space.cluster.instruction, seed=space.params.seed) for one in scenarios]
    limit = space.cluster.serving.max_new_tokens
    latency = watch.time(lambda: ports.models.latency(model, asked, max_new_tokens=limit))
    each = timed.seconds / timed.generated if timed.generated else 0.0
    return Operations(
        machine=ports.machine.facts().host,
        latency_p50_ms=latency.p50_ms,
        latency_p95_ms=latency.p95_ms,
        tokens_per_second=timed.tokens / timed.seconds if timed.seconds else 0.0,
        peak_memory_mib=latency.peak_memory_mib,
        seconds_per_decision=each,
        cost_per_decision=each * space.cluster.serving.cost_per_hour / 3600,
        currency=space.cluster.serving.currency,
        training_seconds=0.0,
    )
