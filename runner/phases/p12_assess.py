"""Phase 12, assess: the candidate and the control arm beside the base and the incumbent, on the frozen sets.

This is the candidate's one look at held-out. The verdict lists every limit of the gate that does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.errors import RecordError
from runner.phases.common import Stopwatch, Task, ask, base_model, graded, subtree, tasks
from runner.phases.repeats import repeated
from runner.ports import Answers, Model, Output, Ports
from runner.records.evidence import Operations
from runner.records.intake import Intake
from runner.records.scenario import SetName
from runner.records.score import Baseline, GradedAnswer, Scorecard
from runner.records.training import Sweep
from runner.records.verdict import Outcome, Verdict
from runner.rules.assessment import ASSESSED, CANDIDATE, CONTROL, RealOnlyRecord, Subject, assessed, gaps
from runner.rules.bundle import scored_scenarios
from runner.rules.conversations import with_instruction
from runner.rules.judges.verdicts import unsteady
from runner.rules.limits import limits
from runner.rules.perturbation import ROBUSTNESS
from runner.rules.significance import weighed
from runner.workspace import Inputs

LATENCY_PROMPTS = 100
THROUGHPUT_PROMPTS = 256
"""Answers from which batched throughput is measured anew, where too few of the candidate's were generated just now."""


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `answers` (candidate, control, and the incumbent's repeats) and `scorecard`; `measured` has `operations`,
    which no digest covers."""
    watch, artifacts = Stopwatch(ports), inputs.artifacts
    base = base_model(inputs)
    candidate = replace(base, adapter=artifacts.tree("adapter"))
    control = replace(base, adapter=subtree(artifacts.tree("arms"), CONTROL))
    work = tasks(inputs, ASSESSED, robustness=True)
    rows, answers = graded(inputs, ports, watch, model=candidate, name=CANDIDATE, work=work)
    plain = tasks(inputs, ASSESSED, robustness=False)
    beside, _ = graded(inputs, ports, watch, model=control, name=CONTROL, work=plain)
    beside += repeated(inputs, ports, watch)
    before = (
        *artifacts.rows("core-answers", GradedAnswer),
        *artifacts.rows("baseline-answers", GradedAnswer),
    )
    adapters = {
        **{name: scores.adapter for name, scores in artifacts.record("baseline", Baseline).models.items()},
        CONTROL: control.adapter.digest if control.adapter else None,
        CANDIDATE: artifacts.digest("adapter"),
    }
    scorecard = assessment(inputs, rows=(*before, *rows, *beside), adapters=adapters)
    operations = _operations(inputs, ports, watch, candidate, _timed(inputs, ports, watch, candidate, work, answers))
    watch.extra["operations"] = operations.model_dump(mode="json")
    share = artifacts.record("sweep", Sweep).human_share
    space, latency = inputs.workspace, operations.latency_p95_ms
    reasons = (
        *limits(scorecard, space.cluster, human_share=share, latency_p95_ms=latency),
        *unsteady((*before, *rows, *beside), space.judges),
    )
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=reasons) if reasons else Verdict()
    return Output({"answers": [*rows, *beside], "scorecard": scorecard}, verdict, watch.measured)


def assessment(inputs: Inputs, *, rows: Sequence[GradedAnswer], adapters: Mapping[str, str | None]) -> Scorecard:
    """The scorecard over every model's graded answers to the assessed sets. Raises `RecordError` where one is missing:
    the gate would refuse what has gaps."""
    intake, space = inputs.artifacts.record("intake", Intake), inputs.workspace
    grades = scored_scenarios(rows, sets=ASSESSED)
    missing = next(gaps(grades, adapters, kinds=ROBUSTNESS), None)
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


def _timed(
    inputs: Inputs, ports: Ports, watch: Stopwatch, model: Model, work: Sequence[Task], answers: Answers
) -> Answers:
    """Answers to tell throughput by: those just given or, where most of them were remembered, some given once more."""
    some = work[:THROUGHPUT_PROMPTS]
    if 2 * answers.generated >= len(some):
        return answers
    space = inputs.workspace
    prompts = [task.prompt(space.cluster.instruction, seed=space.params.seed) for task in some]
    return ask(inputs, ports, watch, model, prompts, f"timing {len(prompts)} answers", fresh=True)


def _operations(inputs: Inputs, ports: Ports, watch: Stopwatch, model: Model, timed: Answers) -> Operations:
    """Figures of the machine at hand: batched throughput of the answers that were generated, no remembered one among
    them, and latency one request at a time."""
    space = inputs.workspace
    scenarios = (*space.scenarios[SetName.REPRESENTATIVE], *space.scenarios[SetName.CORE])[:LATENCY_PROMPTS]
    asked = [with_instruction(scenario.input, space.cluster.instruction) for scenario in scenarios]
    limit = space.cluster.serving.max_new_tokens
    latency = watch.time(lambda: ports.models.latency(model, asked, max_new_tokens=limit))
    each = timed.seconds / timed.generated if timed.generated else 0.0
    return Operations(
        machine=ports.machine.facts().host,
        latency_p50_ms=latency.p50_ms,
        latency_p95_ms=latency.p95_ms,
        tokens_per_second=timed.generated_tokens / timed.seconds if timed.seconds else 0.0,
        peak_memory_mib=latency.peak_memory_mib,
        seconds_per_decision=each,
        cost_per_decision=each * space.cluster.serving.cost_per_hour / 3600,
        currency=space.cluster.serving.currency,
        training_seconds=0.0,
    )
