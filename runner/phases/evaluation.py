"""One model through the stages of an evaluation, cheapest first, each asked only where none before it stopped.

What was answered before is not asked again: rows that are handed in as `known` are taken as they are, so a core that
the first stage asked in part is asked the rest, and an evaluation that was broken off is taken up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runner.phases.asking import Asking, Pace, key_of
from runner.phases.common import Stopwatch, Task, run_under
from runner.phases.general import parts_and_drops
from runner.ports import Model, Ports
from runner.records.conversation import last_user_text
from runner.records.evaluation import Drop, StageName, StageOutcome, StageResult
from runner.records.scenario import Scenario, SetName
from runner.records.score import Grade, GradedAnswer, Interval, SetScore
from runner.rules.evaluation.assessment import perturbed
from runner.rules.evaluation.evaluation_stages import (
    STAGES,
    Pair,
    Stage,
    ceiling,
    drop_stop,
    smoke_sample,
    smoke_stop,
    threshold_stop,
)
from runner.rules.evaluation.scoring import set_score
from runner.rules.evaluation.statistics import wilson
from runner.rules.text.perturbation import perturb
from runner.workspace import Inputs

EVERY = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True)
class Evaluation:
    """What came of it. `rows` are in the order in which they were needed."""

    rows: tuple[GradedAnswer, ...]
    stages: tuple[StageResult, ...]
    pace: Pace

    @property
    def stopped(self) -> StageResult | None:
        return next((one for one in self.stages if one.outcome is StageOutcome.STOPPED), None)

    @property
    def cut_short(self) -> bool:
        """Whether a stage ended it before the last."""
        return self.stopped is not None and self.stopped is not self.stages[-1]

    def ran(self, name: StageName) -> bool:
        return any(one.stage is name and one.outcome is not StageOutcome.SKIPPED for one in self.stages)


def evaluate(
    inputs: Inputs,
    ports: Ports,
    watch: Stopwatch,
    *,
    model: Model,
    name: str,
    base: Model | None = None,
    stages: Sequence[StageName] = EVERY,
    early_stop: bool = True,
    known: Iterable[GradedAnswer] = (),
    base_rows: Iterable[GradedAnswer] = (),
) -> Evaluation:
    """Ask `model` (called `name` in its rows) the chosen stages in the table's order.

    `known` are rows of this model that need not be asked for again, `base_rows` those of the base. The general stage
    compares with `base`, which is asked what its rows lack; without a base it reports and does not judge. A set is
    looked into when its stage runs, and not before. Without `early_stop` every stage runs, and what would have ended
    the evaluation is said all the same.
    """
    asking = Asking(inputs, ports, watch, model, name, {key_of(row): row for row in known})
    beside = None
    if base is not None:
        beside = Asking(inputs, ports, watch, base, "base", {key_of(row): row for row in base_rows})
    results: list[StageResult] = []
    stop: StageResult | None = None
    for stage in (stage for stage in STAGES if stage.name in stages):
        if stop is not None:
            why = f"the {stop.stage} stage ended the evaluation"
            results.append(_skipped(stage, why))
            continue
        result = _RUN[stage.name](asking, beside, stage)
        results.append(result if early_stop else _went_on(result))
        stop = result if early_stop and result.outcome is StageOutcome.STOPPED else None
    return Evaluation(tuple(asking.rows.values()), tuple(results), asking.pace)


def changed(inputs: Inputs) -> dict[str, int]:
    """How many texts of core each perturbation changes: the others are asked as they are."""
    space = inputs.workspace
    return {
        kind: sum(_changed(one, kind, seed=space.params.seed) for one in space.scenarios[SetName.CORE])
        for kind in run_under(space.cluster)
    }


def _changed(scenario: Scenario, kind: str, *, seed: int) -> bool:
    text = last_user_text(scenario.input)
    return perturb(text, kind, seed=seed, key=scenario.id, answer=scenario.reference) != text


def _smoke(asking: Asking, _base: Asking | None, stage: Stage) -> StageResult:
    space = asking.inputs.workspace
    policy, core = space.cluster.evaluation_policy.smoke, asking.scenarios(SetName.CORE)
    sizes: dict[str, int] = {}
    for one in core:
        sizes[one.capability] = sizes.get(one.capability, 0) + 1
    by_id = {one.id: one.capability for one in core}
    chosen = smoke_sample(by_id, per_capability=policy.per_capability, seed=space.params.seed)
    if not chosen or len(chosen) == len(core):
        why = "core is no larger than the sample" if chosen else "cluster.yaml asks for no sample, or core is empty"
        return _skipped(stage, why)
    grades, asked = asking.ask([Task(SetName.CORE, one) for one in core if one.id in chosen])
    found = ceiling(grades, sizes, asking.weights, risk=policy.risk)
    reason = smoke_stop(found, space.cluster.gate.thresholds, risk=policy.risk)
    return _scored(stage, grades, set_score(grades, asking.weights), asked=asked, reason=reason)


def _set(asking: Asking, _base: Asking | None, stage: Stage) -> StageResult:
    scenarios = asking.scenarios(stage.set)
    if not scenarios:
        return _skipped(stage, f"there is no scenario in {stage.set}")
    grades, asked = asking.ask([Task(stage.set, one) for one in scenarios])
    score = set_score(grades, asking.weights)
    reason = threshold_stop(stage.name, score, asking.inputs.workspace.cluster.gate.thresholds)
    return _scored(stage, grades, score, asked=asked, reason=reason)


def _robustness(asking: Asking, _base: Asking | None, stage: Stage) -> StageResult:
    """Each kind beside core as written: what the gate judges has a limit, the rest has none."""
    space = asking.inputs.workspace
    core, gate = asking.scenarios(SetName.CORE), space.cluster.gate
    kinds = run_under(space.cluster)
    if not core or not kinds:
        return _skipped(stage, "there is nothing to perturb")
    plain, asked = asking.ask([Task(SetName.CORE, one) for one in core])
    work = [Task(SetName.CORE, one, kind) for kind in kinds for one in core]
    grades, more = asking.ask(work)
    parts: dict[str, SetScore] = {}
    drops: dict[str, Drop] = {}
    for at, kind in enumerate(kinds):
        under = grades[at * len(core) : (at + 1) * len(core)]
        pairs = [Pair(one.capability, one.score, other.score) for one, other in zip(plain, under, strict=True)]
        limit = gate.max_robustness_drop if kind in perturbed(gate) else None
        parts[kind] = set_score(under, asking.weights)
        drops[kind] = asking.drop(pairs, asking.weights, below="core as written", limit=limit)
    return _parted(stage, parts, drops, asked=asked + more)


def _general(asking: Asking, base: Asking | None, stage: Stage) -> StageResult:
    found = parts_and_drops(asking, base)
    if found is None:
        return _skipped(stage, "the cluster has no general set and names no task")
    return _parted(stage, *found[:2], asked=found[2])


def _scored(stage: Stage, grades: Sequence[Grade], score: SetScore, *, asked: int, reason: str) -> StageResult:
    low, high = wilson(score.passed, len(grades))
    outcome = StageOutcome.STOPPED if reason else StageOutcome.PASSED
    return StageResult(
        stage=stage.name,
        outcome=outcome,
        reason=reason,
        scenarios=asked,
        score=score,
        interval=Interval(low=low, high=high),
    )


def _parted(stage: Stage, parts: dict[str, SetScore], drops: dict[str, Drop], *, asked: int) -> StageResult:
    reason = drop_stop(drops)
    outcome = StageOutcome.STOPPED if reason else StageOutcome.PASSED
    return StageResult(stage=stage.name, outcome=outcome, reason=reason, scenarios=asked, parts=parts, drops=drops)


def _skipped(stage: Stage, reason: str) -> StageResult:
    return StageResult(stage=stage.name, outcome=StageOutcome.SKIPPED, reason=reason)


def _went_on(result: StageResult) -> StageResult:
    """Where no stage may end the evaluation, what would have is still said."""
    if result.outcome is not StageOutcome.STOPPED:
        return result
    return result.model_copy(update={"outcome": StageOutcome.PASSED, "reason": f"went on, though {result.reason}"})


_RUN: dict[StageName, Callable[[Asking, Asking | None, Stage], StageResult]] = {
    StageName.SMOKE: _smoke,
    StageName.CORE: _set,
    StageName.REPRESENTATIVE: _set,
    StageName.HELDOUT: _set,
    StageName.ROBUSTNESS: _robustness,
    StageName.GENERAL: _general,
}
