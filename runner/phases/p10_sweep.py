"""Phase 10, sweep: how much synthetic data helps, measured on dev and on nothing else.

Every arm trains on the same number of new rows and the same replay; `control` gets nothing new. Capabilities are
aimed at where they are targets now, or were given rows in an earlier iteration: all human data ever accepted stays,
and a pool that lost some of it trains nothing.

Each arm is made with the first seed; `sweep.race` says which are made again with the others. An arm that does not hold
the human floor, the caps or the tails of `cluster.yaml` is part of the curve, and may not be chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from runner.errors import RecordError
from runner.phases.arms import Arms
from runner.phases.common import Stopwatch
from runner.ports import Output, Ports, Tree
from runner.records.base import Record
from runner.records.dataset import Batch, Candidate, Example
from runner.records.evidence import EvidenceFile
from runner.records.failure import Diagnosis
from runner.records.intake import Intake
from runner.records.mixture import PoolRecord, TailCoverage
from runner.records.params import Race
from runner.records.scenario import Origin
from runner.records.trace import UniqueSignal
from runner.records.training import Arm, Curve, CurveShape, Sweep, Use
from runner.records.validation import ValidationReport
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.data.accumulation import lost, pool_record
from runner.rules.data.bands import Bands
from runner.rules.data.mixture import CONTROL, Pool, counted_as_human, pool
from runner.rules.data.slices import origins, over_caps
from runner.rules.data.sweep import Choice, contenders, curve, human_share, judge
from runner.rules.data.tail_coverage import coverage, lost_tails, rare_slices
from runner.rules.triage.settlement import gathered
from runner.workspace import Inputs

Made = dict[str, Record | Sequence[Record] | Tree]


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `sweep`, `curve`, `mixture` (of the chosen arm) and `arms` (`<arm>/<file of its adapter>`).

    Refuses where human rows were lost from the pool, where nothing was gathered to train on, and where no arm holds
    the cluster's floor, caps and tails.
    """
    space, watch = inputs.workspace, Stopwatch(ports)
    source, record = _pool(inputs)
    gone = tuple(lost(_promoted_pools(inputs), record, space.cluster.mixture_policy.withdrawn))
    if gone:
        return _untrained(gone, record)
    if not source.aimed:
        hint = "gather gold rows for the failing capabilities, or answers on their traces"
        problem = "nothing was gathered that any target could train on"
        return _untrained((Reason(step="pool", problem=problem, hint=hint),), record)
    arms = Arms(inputs, ports, watch, source)
    barred, tails = _made(arms, inputs, source)
    bands = arms.bands()
    knobs = space.params.sweep
    choice = judge(
        bands,
        barred=[arm for arm, reasons in barred.items() if reasons],
        margin=knobs.margin,
        equivalent=knobs.equivalent,
    )
    points = tuple(_arm(arms, arm, bands, choice, barred[arm], tails[arm]) for arm in arms.names)
    verdict = _verdict(choice, barred)
    chosen = choice.arm or CONTROL
    sweep = Sweep(
        arms=points,
        shape=choice.shape,
        chosen=chosen,
        human_share=next((human_share(point) for point in points if point.name == choice.arm), 1.0),
        explanation=choice.explanation,
        verdict=verdict,
        fragility=choice.fragility,
        pool=record,
    )
    artifacts: Made = {
        "sweep": sweep,
        "curve": curve(points, source.aimed),
        "mixture": arms.of(chosen)[0].rows,
        "arms": arms.adapters(),
    }
    return Output(artifacts, verdict, watch.measured)


def _pool(inputs: Inputs) -> tuple[Pool, PoolRecord]:
    """What may train, and what a later pool may not lose of it."""
    space, artifacts = inputs.workspace, inputs.artifacts
    diagnosis = artifacts.record("diagnosis", Diagnosis)
    capability = {one.id: one.capability for one in diagnosis.failures}
    earlier = gathered(space.triage, space.reviews, artifacts.record("intake", Intake).earlier_triage)
    accepted = artifacts.rows("accepted", Candidate)
    rows = [*artifacts.rows("gold", Example), *earlier, *(one.example for one in accepted)]
    base = artifacts.rows("base-data", Example)
    before = {name for one in _promoted_pools(inputs).values() for name in one.aimed}
    aimed = [*(capability[name] for name in diagnosis.targets), *sorted({one.capability for one in earlier} | before)]
    policy = space.cluster.mixture_policy
    source = pool(
        aimed,
        base=base,
        gathered=rows,
        leaked=[leak.candidate for leak in artifacts.record("validation", ValidationReport).human_leaks],
        human_origins=counted_as_human(policy),
        origins=origins(accepted, artifacts.rows("batches", Batch), artifacts.rows("unique", UniqueSignal)),
        caps=policy.caps,
    )
    withdrawn = [one.example for one in policy.withdrawn]
    return source, pool_record(source.aimed, rows, base=len(base), withdrawn=withdrawn)


def _promoted(inputs: Inputs) -> dict[int, Sweep]:
    """The sweeps of earlier promotions, by sequence."""
    found = {}
    for sequence, data in inputs.workspace.promoted.items():
        try:
            found[sequence] = Sweep.model_validate_json(data)
        except ValidationError as error:
            path = f"clusters/{inputs.workspace.cluster.id}/promotions/{sequence}/evidence/{EvidenceFile.SWEEP}"
            raise RecordError(f"is not a sweep: {error}", path=path) from error
    return found


def _promoted_pools(inputs: Inputs) -> dict[int, PoolRecord]:
    """What each of them had; the first release kept no such record."""
    return {sequence: one.pool for sequence, one in _promoted(inputs).items() if one.pool}


def _promoted_tails(inputs: Inputs) -> list[TailCoverage]:
    """What the mixtures that were promoted before kept of the tails."""
    chosen = [arm for one in _promoted(inputs).values() for arm in one.arms if arm.name == one.chosen]
    return [arm.tails for arm in chosen if arm.tails]


def _made(
    arms: Arms, inputs: Inputs, source: Pool
) -> tuple[Mapping[str, tuple[Reason, ...]], Mapping[str, TailCoverage]]:
    """Make every arm, with as many seeds as its row of the race asks for. Why each may not be chosen, and its tails."""
    space, ports = inputs.workspace, arms.ports
    seeds = range(space.params.seed, space.params.seed + space.params.sweep.seeds)
    for number, arm in enumerate(arms.shares):
        ports.progress(f"arm {arm}", number / len(arms.shares))
        arms.make(arm, seed=seeds[0])
    slices = _slices(inputs, source)
    tails = {arm: _tails(arms, arm, source, slices) for arm in arms.names}
    barred = {arm: tuple(_barred(arms, arm, inputs, tails[arm])) for arm in arms.names}
    again: Sequence[str] = arms.names
    if space.params.sweep.race is Race.CONTENDERS:
        again = contenders(arms.bands(), barred=[arm for arm, reasons in barred.items() if reasons])
    for seed in seeds[1:]:
        for arm in again:
            arms.make(arm, seed=seed)
    return barred, tails


def _slices(inputs: Inputs, source: Pool) -> Mapping[str, frozenset[str]]:
    """The rare slices of the pool's real rows: small capabilities, and accepted rows of signals in a tail."""
    tail = {one.signal.id: one.tail for one in inputs.artifacts.rows("unique", UniqueSignal)}
    found: dict[str, set[str]] = {}
    for row in inputs.artifacts.rows("accepted", Candidate):
        for kind in {kind for parent in row.parents for kind in tail.get(parent, ())}:
            found.setdefault(kind, set()).add(row.example.id)
    names = [one.id for one in inputs.workspace.cluster.capabilities]
    counts = {name: len(source.human.get(name, ())) + len(source.base.get(name, ())) for name in names}
    return rare_slices(_real(source), counts=counts, tails=found)


def _real(source: Pool) -> list[Example]:
    """The pool's rows that people wrote, whatever else counts towards the floor."""
    return [row for row in source.real if row.origin is Origin.HUMAN]


def _tails(arms: Arms, arm: str, source: Pool, slices: Mapping[str, frozenset[str]]) -> TailCoverage:
    shown = [row.example for row in arms.of(arm)[0].rows if row.use is Use.NEW]
    return coverage(_real(source), shown, slices=slices)


def _barred(arms: Arms, arm: str, inputs: Inputs, tails: TailCoverage) -> Iterator[Reason]:
    """Why the arm may not be chosen. The control is there to compare with, and never is."""
    if arm == CONTROL:
        return
    cluster = inputs.workspace.cluster
    share = round(1 - arms.makeup(arm).synthetic_share, 9)
    if share < cluster.human_floor:
        problem = f"{share:.1%} of the new rows are human, less than the floor of {cluster.human_floor:.0%}"
        yield Reason(step="human floor", problem=problem, hint="gather more human rows for the targets")
    yield from over_caps(arms.of(arm)[0].rows, arms.source.origins, cluster.mixture_policy.caps)
    yield from lost_tails(tails, _promoted_tails(inputs), cluster.mixture_policy.tails)


def _verdict(choice: Choice, barred: Mapping[str, tuple[Reason, ...]]) -> Verdict:
    """Refuses with every arm's reasons where none may be chosen."""
    if choice.arm is not None:
        return Verdict()
    reasons = tuple(
        reason.model_copy(update={"problem": f"{arm}: {reason.problem}"})
        for arm, found in barred.items()
        for reason in found
    )
    nothing = Reason(
        step="sweep", problem="there is no arm but the control", hint="see `sweep.synthetic` in params.yaml"
    )
    return Verdict(outcome=Outcome.REFUSE, reasons=reasons or (nothing,))


def _arm(arms: Arms, arm: str, bands: Bands, choice: Choice, barred: tuple[Reason, ...], tails: TailCoverage) -> Arm:
    first, *more = arms.of(arm)
    kinds = arms.makeup(arm)
    return Arm(
        name=arm,
        synthetic_wanted=first.wanted,
        synthetic_share=kinds.synthetic_share,
        human_rows=kinds.human,
        synthetic_rows=kinds.synthetic,
        corrected_rows=kinds.corrected,
        replay_rows=kinds.replay,
        dev=first.dev,
        training=first.trained.record,
        more_seeds=tuple(run.again for run in more),
        mean=bands.mean(arm),
        interval=bands.interval(arm),
        gain=choice.gains.get(arm),
        tails=tails,
        barred=barred,
    )


def _untrained(reasons: tuple[Reason, ...], record: PoolRecord) -> Output:
    """Refused before anything was trained."""
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=reasons)
    sweep = Sweep(
        arms=(),
        shape=CurveShape.INCONCLUSIVE,
        chosen=CONTROL,
        human_share=0.0,
        explanation="; ".join(reason.problem for reason in reasons),
        verdict=verdict,
        pool=record,
    )
    artifacts: Made = {"sweep": sweep, "curve": Curve(points=()), "mixture": (), "arms": Tree({})}
    return Output(artifacts, verdict, {"compute_s": 0.0})
