"""Phase 12, assess: the candidate and the control arm beside the base and the incumbent, on the frozen sets.

This is the candidate's one look at held-out. The verdict lists every limit of the gate that does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from runner.phases.common import Stopwatch, base_model, graded, model_scores, subtree, tasks
from runner.ports import Answers, Model, Output, Ports
from runner.records.evidence import Operations
from runner.records.intake import Intake
from runner.records.scenario import SetName
from runner.records.score import Baseline, Comparison, Grade, GradedAnswer, ModelScores, Scorecard
from runner.records.training import Sweep
from runner.records.verdict import Outcome, Verdict
from runner.rules.conversations import with_instruction
from runner.rules.limits import limits
from runner.rules.mixture import CONTROL
from runner.rules.scoring import compare, grades_by_set, regressions
from runner.rules.statistics import holm
from runner.workspace import Inputs

CANDIDATE = "candidate"
ASSESSED = (SetName.CORE, SetName.HELDOUT, SetName.REPRESENTATIVE)
LATENCY_PROMPTS = 100


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `answers` (candidate and control) and `scorecard`; `measured` has `operations`, which no digest covers."""
    watch, artifacts = Stopwatch(ports), inputs.artifacts
    base = base_model(inputs)
    candidate = replace(base, adapter=artifacts.tree("adapter"))
    control = replace(base, adapter=subtree(artifacts.tree("arms"), CONTROL))
    work = tasks(inputs, ASSESSED, robustness=True)
    rows, answers = graded(inputs, ports, watch, model=candidate, name=CANDIDATE, work=work)
    plain = tasks(inputs, ASSESSED, robustness=False)
    beside, _ = graded(inputs, ports, watch, model=control, name=CONTROL, work=plain)
    before = (
        *artifacts.rows("core-answers", GradedAnswer),
        *artifacts.rows("baseline-answers", GradedAnswer),
    )
    models = {
        **{name: _assessed(scores) for name, scores in artifacts.record("baseline", Baseline).models.items()},
        CONTROL: model_scores(inputs, beside, CONTROL, adapter=control.adapter.digest if control.adapter else None),
        CANDIDATE: model_scores(inputs, rows, CANDIDATE, adapter=artifacts.digest("adapter")),
    }
    scorecard = assessment(inputs, rows=(*before, *rows, *beside), models=models)
    operations = _operations(inputs, ports, watch, candidate, answers, prompts=len(work))
    watch.extra["operations"] = operations.model_dump(mode="json")
    share = artifacts.record("sweep", Sweep).human_share
    reasons = limits(scorecard, inputs.workspace.cluster, human_share=share, latency_p95_ms=operations.latency_p95_ms)
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=reasons) if reasons else Verdict()
    return Output({"answers": [*rows, *beside], "scorecard": scorecard}, verdict, watch.measured)


def assessment(inputs: Inputs, *, rows: Sequence[GradedAnswer], models: Mapping[str, ModelScores]) -> Scorecard:
    """The scorecard over every model's graded answers to the assessed sets."""
    intake, space = inputs.artifacts.record("intake", Intake), inputs.workspace
    grades = {name: grades_by_set(rows, name) for name in ("base", "incumbent", CONTROL, CANDIDATE)}
    resamples, seed = space.params.assess.resamples, space.params.seed
    heldout = {name: found[SetName.HELDOUT] for name, found in grades.items()}
    comparisons = tuple(
        compare(heldout[CANDIDATE], heldout[name], against=name, resamples=resamples, seed=seed)
        for name in ("base", "incumbent", CONTROL)
    )
    after, before = _flat(grades[CANDIDATE]), _flat(grades["incumbent"])
    each = {
        capability: compare(own, theirs, against="incumbent", resamples=resamples, seed=seed)
        for capability, own, theirs in _by_capability(after, before)
    }
    return Scorecard(
        cluster=space.cluster.id,
        iteration=intake.iteration,
        benchmark_version=intake.benchmark_version,
        benchmark_sha256=intake.benchmark_sha256,
        models=dict(models),
        comparisons=comparisons,
        capability_comparisons=each,
        worse_capabilities=worse(each, alpha=space.cluster.gate.capability_alpha),
        regressions=regressions(after, before),
    )


def worse(each: Mapping[str, Comparison], *, alpha: float) -> tuple[str, ...]:
    """The capabilities significantly worse than with the incumbent, Holm-corrected over all of them."""
    found = holm({name: one.p_value for name, one in each.items()}, alpha)
    return tuple(sorted(name for name in found if each[name].lost > each[name].gained))


def _assessed(scores: ModelScores) -> ModelScores:
    """Without dev: it chose the candidate, so it does not judge it."""
    return scores.model_copy(update={"sets": {name: one for name, one in scores.sets.items() if name in ASSESSED}})


def _flat(found: Mapping[SetName, Sequence[Grade]]) -> list[Grade]:
    return [grade for name in ASSESSED for grade in found.get(name, ())]


def _by_capability(after: Sequence[Grade], before: Sequence[Grade]) -> Iterable[tuple[str, list[Grade], list[Grade]]]:
    for capability in sorted({grade.capability for grade in after}):
        own = [grade for grade in after if grade.capability == capability]
        yield capability, own, [grade for grade in before if grade.capability == capability]


def _operations(
    inputs: Inputs, ports: Ports, watch: Stopwatch, model: Model, answers: Answers, *, prompts: int
) -> Operations:
    """Figures of the machine at hand: batched throughput from the answers just given, latency one request at a time."""
    space = inputs.workspace
    scenarios = (*space.scenarios[SetName.REPRESENTATIVE], *space.scenarios[SetName.CORE])[:LATENCY_PROMPTS]
    asked = [with_instruction(scenario.input, space.cluster.instruction) for scenario in scenarios]
    limit = space.cluster.serving.max_new_tokens
    latency = watch.time(lambda: ports.models.latency(model, asked, max_new_tokens=limit))
    each = answers.seconds / prompts if prompts else 0.0
    return Operations(
        machine=ports.machine.facts().host,
        latency_p50_ms=latency.p50_ms,
        latency_p95_ms=latency.p95_ms,
        tokens_per_second=math.fsum(answers.tokens) / answers.seconds if answers.seconds else 0.0,
        peak_memory_mib=latency.peak_memory_mib,
        seconds_per_decision=each,
        cost_per_decision=each * space.cluster.serving.cost_per_hour / 3600,
        currency=space.cluster.serving.currency,
        training_seconds=0.0,
    )
