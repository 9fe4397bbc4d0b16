"""Phase 11, train: the candidate's adapter, at the strength that dev asks for.

The sweep has trained the chosen arm; where mixture, base, recipe, seed and threads are the same, its bytes are taken
and `from_sweep` says so. Strength: the least forgetting that still clears the cluster's thresholds on dev, by
`strength.margin`; where no strength clears them, the best dev composite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.phases.common import (
    Stopwatch,
    Trained,
    base_model,
    graded,
    subtree,
    tasks,
    train,
    training_key,
)
from runner.ports import Output, Ports, Tree
from runner.records.scenario import SetName
from runner.records.score import Grade, GradedAnswer
from runner.records.training import StrengthPoint, Sweep, Training, TrainingRow
from runner.rules.data.mixture import TrainingKey
from runner.rules.data.sweep import choose_strength
from runner.rules.evaluation.scoring import capability_weights, grades_by_set, regressions, set_score
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `training` and `adapter`."""
    space, watch = inputs.workspace, Stopwatch(ports)
    sweep = inputs.artifacts.record("sweep", Sweep)
    rows = inputs.artifacts.rows("mixture", TrainingRow)
    taken = _from_sweep(inputs, ports, sweep, rows)
    trained = taken or train(inputs, ports, watch, rows=rows, what="training the candidate")
    answered = inputs.artifacts.rows("dev-answers", GradedAnswer)
    before = grades_by_set(answered, "incumbent").get(SetName.DEV, [])
    made = [
        _point(inputs, ports, watch, trained.adapter, strength, before) for strength in space.params.strength.strengths
    ]
    floors = space.cluster.gate.thresholds
    chosen = choose_strength(
        [point for point, _ in made],
        threshold=max(floors.composite, floors.heldout),
        margin=space.params.strength.margin,
    )
    adapter = next(tree for point, tree in made if point is chosen)
    training = Training(
        record=trained.record,
        arm=sweep.chosen,
        from_sweep=taken is not None,
        strengths=tuple(point for point, _ in made),
        strength=chosen.strength,
        adapter=adapter.digest,
    )
    watch.extra["training_s"] = round(trained.seconds, 3)
    return Output({"training": training, "adapter": adapter}, measured=watch.measured)


def _from_sweep(inputs: Inputs, ports: Ports, sweep: Sweep, rows: Sequence[TrainingRow]) -> Trained | None:
    """The arm's adapter, where it is exactly what training now would make."""
    arm = next((one for one in sweep.arms if one.name == sweep.chosen), None)
    if arm is None:
        return None
    if training_key(inputs, ports, rows) != TrainingKey.of(arm.training):
        return None
    adapter = subtree(inputs.artifacts.tree("arms"), arm.name)
    return Trained(adapter, arm.training, 0.0) if adapter.digest == arm.training.adapter else None


def _point(
    inputs: Inputs, ports: Ports, watch: Stopwatch, adapter: Tree, strength: float, before: Sequence[Grade]
) -> tuple[StrengthPoint, Tree]:
    scaled = adapter if strength == 1 else watch.time(lambda: ports.models.strengthen(adapter, strength))
    model = replace(base_model(inputs), adapter=scaled)
    work = tasks(inputs, (SetName.DEV,), robustness=False)
    rows, _ = graded(inputs, ports, watch, model=model, name="candidate", work=work)
    grades = [row.grade for row in rows]
    score = set_score(grades, capability_weights(inputs.workspace.cluster))
    return StrengthPoint(strength=strength, dev=score, lost=regressions(grades, before).count), scaled
