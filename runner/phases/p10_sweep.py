"""Phase 10, sweep: how much synthetic data helps, measured on dev and on nothing else.

Every arm trains on the same number of new rows and the same replay; `control` gets nothing new. Capabilities are
aimed at where they are targets now, or were given rows in an earlier iteration: all human data ever accepted stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runner.phases.common import Stopwatch, Trained, base_model, graded, tasks, train
from runner.ports import Output, Ports, Tree
from runner.records.base import Record
from runner.records.dataset import Candidate, Example
from runner.records.failure import Diagnosis
from runner.records.intake import Intake
from runner.records.scenario import SetName
from runner.records.score import SetScore
from runner.records.training import Arm, Curve, CurveShape, Sweep, TrainingRow
from runner.records.validation import ValidationReport
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.decisions import gathered
from runner.rules.mixture import CONTROL, Pool, arm_rows, makeup, mixture_digest, pool, replay_rows
from runner.rules.scoring import capability_weights, set_score
from runner.rules.sweep import choose, curve, human_share
from runner.workspace import Inputs

Made = dict[str, Record | Sequence[Record] | Tree]


@dataclass(frozen=True)
class Run:
    """One arm, trained and scored."""

    arm: Arm
    rows: tuple[TrainingRow, ...]
    adapter: Tree


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `sweep`, `curve`, `mixture` (of the chosen arm) and `arms` (`<arm>/<file of its adapter>`).

    Refuses where nothing was gathered to train on, and where no arm holds the cluster's human floor.
    """
    space, watch = inputs.workspace, Stopwatch(ports)
    source = _pool(inputs)
    if not source.aimed:
        return _nothing()
    runs: list[Run] = []
    for arm, rows, wanted in _arms(inputs, source):
        ports.progress(f"arm {arm}", len(runs) / (len(space.params.sweep.synthetic) + 1))
        runs.append(_run(inputs, ports, watch, arm=arm, rows=rows, wanted=wanted, earlier=runs))
    arms = tuple(one.arm for one in runs)
    choice = choose(arms, human_floor=space.cluster.human_floor, margin=space.params.sweep.margin)
    verdict = Verdict()
    if choice.arm is None:
        problem = f"no arm holds the human floor of {space.cluster.human_floor:.0%}"
        reason = Reason(step="human floor", problem=problem, hint="gather more human rows for the targets")
        verdict = Verdict(outcome=Outcome.REFUSE, reasons=(reason,))
    chosen = choice.arm.name if choice.arm else CONTROL
    sweep = Sweep(
        arms=arms,
        shape=choice.shape,
        chosen=chosen,
        human_share=human_share(choice.arm) if choice.arm else 1.0,
        explanation=choice.explanation,
        verdict=verdict,
    )
    files = {f"{one.arm.name}/{path}": data for one in runs for path, data in one.adapter.files.items()}
    artifacts: Made = {
        "sweep": sweep,
        "curve": curve(arms, source.aimed),
        "mixture": next(one.rows for one in runs if one.arm.name == chosen),
        "arms": Tree(files),
    }
    return Output(artifacts, verdict, watch.measured)


def _pool(inputs: Inputs) -> Pool:
    space, artifacts = inputs.workspace, inputs.artifacts
    diagnosis = artifacts.record("diagnosis", Diagnosis)
    capability = {one.id: one.capability for one in diagnosis.failures}
    earlier = gathered(space.triage, artifacts.record("intake", Intake).earlier_triage)
    accepted = [one.example for one in artifacts.rows("accepted", Candidate)]
    aimed = [*(capability[name] for name in diagnosis.targets), *sorted({one.capability for one in earlier})]
    return pool(
        aimed,
        base=artifacts.rows("base-data", Example),
        gathered=[*artifacts.rows("gold", Example), *earlier, *accepted],
        leaked=[leak.candidate for leak in artifacts.record("validation", ValidationReport).human_leaks],
    )


def _arms(inputs: Inputs, source: Pool) -> Iterable[tuple[str, tuple[TrainingRow, ...], float]]:
    """(name, rows, synthetic share wanted): the control, then each share of `params.sweep`."""
    params = inputs.workspace.params
    replay = replay_rows(source, wanted=params.train.replay, seed=params.seed)
    for name, share in [(CONTROL, 0.0), *((f"synthetic-{round(100 * s):02d}", s) for s in params.sweep.synthetic)]:
        rows = arm_rows(
            source, arm=name, synthetic=share, new_rows=params.train.new_rows, replay=replay, seed=params.seed
        )
        if rows:
            yield name, rows, share


def _run(
    inputs: Inputs,
    ports: Ports,
    watch: Stopwatch,
    *,
    arm: str,
    rows: tuple[TrainingRow, ...],
    wanted: float,
    earlier: Sequence[Run],
) -> Run:
    """Train and score one arm. Rows that an earlier arm trained on give the same adapter: its figures are taken."""
    twin = next((one for one in earlier if one.arm.training.mixture == mixture_digest(rows)), None)
    if twin:
        trained, dev = Trained(twin.adapter, twin.arm.training, 0.0), twin.arm.dev
    else:
        trained = train(inputs, ports, watch, rows=rows, what=f"training arm {arm}")
        dev = _dev(inputs, ports, watch, trained.adapter, arm)
        watch.extra.setdefault("training_s", {})[arm] = round(trained.seconds, 3)
    kinds = makeup(rows)
    record = Arm(
        name=arm,
        synthetic_wanted=wanted,
        synthetic_share=kinds.synthetic_share,
        human_rows=kinds.human,
        synthetic_rows=kinds.synthetic,
        replay_rows=kinds.replay,
        dev=dev,
        training=trained.record,
    )
    return Run(record, rows, trained.adapter)


def _dev(inputs: Inputs, ports: Ports, watch: Stopwatch, adapter: Tree, arm: str) -> SetScore:
    model = replace(base_model(inputs), adapter=adapter)
    work = tasks(inputs, (SetName.DEV,), robustness=False)
    rows, _ = graded(inputs, ports, watch, model=model, name=arm, work=work)
    return set_score([row.grade for row in rows], capability_weights(inputs.workspace.cluster))


def _nothing() -> Output:
    hint = "gather gold rows for the failing capabilities, or answers on their traces"
    reason = Reason(step="pool", problem="nothing was gathered that any target could train on", hint=hint)
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=(reason,))
    sweep = Sweep(
        arms=(),
        shape=CurveShape.SYNTHETIC_DOES_NOT_HELP,
        chosen=CONTROL,
        human_share=0.0,
        explanation=reason.problem,
        verdict=verdict,
    )
    artifacts: Made = {"sweep": sweep, "curve": Curve(points=()), "mixture": (), "arms": Tree({})}
    return Output(artifacts, verdict, {"compute_s": 0.0})
