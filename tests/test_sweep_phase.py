"""Phase 10 in memory: seeds, what bars an arm, and what an earlier promotion forbids to lose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.edges.simulated_models import SimulatedModels
from runner.errors import RecordError
from runner.phases import p10_sweep, p11_train
from runner.ports import Output, Ports
from runner.records.mixture import MixturePolicy
from runner.records.training import CurveShape, Sweep, Use
from runner.records.verdict import Outcome
from runner.rules.canonical import canonical
from runner.rules.data.mixture import mixture_digest
from runner.workspace import Inputs, Workspace
from tests.flywheel_fixture import WEAK, fixture
from tests.test_phases import run_all

Desk = tuple[Workspace, dict[str, Any]]


@pytest.fixture(scope="module")
def swept() -> Desk:
    """The small cluster with everything that phase 10 reads, and its sweep."""
    space, values = fixture()
    run_all(space, values, upto="sweep")
    return space, values


def sweep(space: Workspace, values: dict[str, Any], ports: Ports | None = None) -> Output:
    return p10_sweep.run(Inputs(space, MemoryArtifacts(values)), ports or simulated_ports())


def with_knobs(space: Workspace, **knobs: Any) -> Workspace:
    return replace(space, params=space.params.model_copy(update={"sweep": space.params.sweep.model_copy(update=knobs)}))


def with_policy(space: Workspace, **policy: Any) -> Workspace:
    mixture = MixturePolicy.model_validate(policy)
    return replace(space, cluster=space.cluster.model_copy(update={"mixture": mixture}))


def after(space: Workspace, *sweeps: Sweep) -> Workspace:
    """The workspace with those sweeps in the evidence of promotions 1, 2, …"""
    return replace(space, promoted={n: canonical(one) for n, one in enumerate(sweeps, start=1)})


def test_every_arm_says_its_mean_interval_gain_and_tails(swept: Desk) -> None:
    made: Sweep = swept[1]["sweep"]
    for arm in made.arms:
        assert arm.mean is not None
        assert arm.interval is not None
        assert arm.interval.low <= arm.mean <= arm.interval.high
        assert arm.tails is not None
        assert arm.tails.ngrams > 0
        assert (arm.gain is None) == (arm.synthetic_share == 0)
    assert made.fragility is not None
    assert made.fragility.words in made.explanation
    assert made.arms[0].barred == (), "the control is there to compare with, and cannot be barred"
    control, real = (arm.tails for arm in made.arms[:2])
    assert control is not None
    assert real is not None
    assert control.ngrams_kept < real.ngrams_kept == 1.0
    assert made.pool is not None
    assert set(made.pool.aimed) == set(WEAK)
    assert {name for name in made.pool.human if name.startswith("gold-")} == {row.id for row in swept[1]["gold"]}


def test_with_all_seeds_every_arm_is_made_again_and_the_first_seed_s_adapter_is_taken_over(swept: Desk) -> None:
    space, values = swept
    space = with_knobs(space, seeds=3, race="all")
    output = sweep(space, values)
    artifacts: dict[str, Any] = dict(output.artifacts)
    made: Sweep = artifacts["sweep"]
    assert {tuple(run.seed for run in arm.more_seeds) for arm in made.arms} == {(8, 9)}
    assert {arm.training.seed for arm in made.arms} == {7}
    folders = {path.split("/")[0] for path in artifacts["arms"].files}
    assert {f"synthetic-25{end}" for end in ("", "-seed-8", "-seed-9")} <= folders
    assert set(output.measured["training_s"]) == folders
    assert made.fragility is not None
    assert set(made.fragility.by_seed) == {"7", "8", "9"}
    assert "one seed was run" not in made.fragility.words
    assert [point.seeds for point in artifacts["curve"].points] == [3] * 5
    trained: Any = p11_train.run(Inputs(space, MemoryArtifacts({**values, **artifacts})), simulated_ports()).artifacts
    assert trained["training"].from_sweep
    assert mixture_digest(artifacts["mixture"]) == made.arms[1].training.mixture


def test_the_race_makes_only_contenders_again(swept: Desk) -> None:
    space, values = swept
    scarce = space.params.train.model_copy(update={"new_rows": 24})
    space = replace(space, params=space.params.model_copy(update={"train": scarce}))
    made: Any = sweep(with_knobs(space, seeds=2), values).artifacts["sweep"]
    again = [arm.name for arm in made.arms if arm.more_seeds]
    assert again in ([], ["synthetic-00", *again[1:]])
    assert len(again) in (0, 2)


def test_rows_that_a_promotion_had_may_not_be_lost(swept: Desk) -> None:
    space, values = swept
    gold = values["gold"]
    fewer = {**values, "gold": gold[2:]}
    models = SimulatedModels()
    output = sweep(after(space, values["sweep"]), fewer, replace(simulated_ports(), models=models))
    assert output.verdict.outcome is Outcome.REFUSE
    (reason,) = output.verdict.reasons
    assert reason.step == "accumulate"
    assert "promotion 1" in reason.problem
    assert gold[0].id in reason.problem
    assert "fit" not in models.calls, "nothing is trained"
    free = [{"example": row.id, "reason": "asked to be forgotten"} for row in gold[:2]]
    kept: Any = sweep(with_policy(after(space, values["sweep"]), withdrawn=free), fewer).artifacts["sweep"]
    assert kept.verdict.passed
    assert kept.pool.withdrawn == (gold[0].id, gold[1].id)
    assert sweep(after(space, values["sweep"]), values).verdict.passed


def test_capabilities_of_earlier_pools_stay_aimed_at(swept: Desk) -> None:
    space, values = swept
    one = values["diagnosis"].model_copy(update={"targets": values["diagnosis"].targets[:1]})
    alone: Any = sweep(space, {**values, "diagnosis": one}).artifacts["sweep"]
    assert len(alone.pool.aimed) == 1
    both: Any = sweep(after(space, values["sweep"]), {**values, "diagnosis": one}).artifacts["sweep"]
    assert set(both.pool.aimed) == set(WEAK)


def test_an_arm_below_the_best_tails_promoted_before_is_barred(swept: Desk) -> None:
    space, values = swept
    limits = {"slices": 0.0, "ngrams": 0.0, "fall": 0.0}
    made: Any = sweep(with_policy(after(space, values["sweep"]), tails=limits), values).artifacts["sweep"]
    barred = {arm.name: [reason.step for reason in arm.barred] for arm in made.arms}
    assert barred["synthetic-00"] == []
    assert "tail coverage" in barred["synthetic-75"]
    assert made.chosen == "synthetic-00"


def test_where_every_arm_loses_tails_the_sweep_refuses_and_names_them(swept: Desk) -> None:
    space, values = swept
    few = space.params.train.model_copy(update={"new_rows": 8})
    small = replace(space, params=space.params.model_copy(update={"train": few}))
    output = sweep(with_policy(small, tails={"slices": 1.0, "ngrams": 0.9}), values)
    assert output.verdict.outcome is Outcome.REFUSE
    assert {reason.step for reason in output.verdict.reasons} == {"tail coverage"}
    said = " ".join(reason.problem for reason in output.verdict.reasons)
    for name in ("synthetic-00: ", "synthetic-75: ", "rare n-grams survive"):
        assert name in said
    assert "control: " not in said


def test_a_cap_that_cannot_hold_refuses_and_one_that_can_is_held(swept: Desk) -> None:
    space, values = swept
    output = sweep(with_policy(space, caps={"capability": 0.4}), values)
    assert output.verdict.outcome is Outcome.REFUSE
    assert any("capability broken makes 50.0% of the new rows" in reason.problem for reason in output.verdict.reasons)
    held = sweep(with_policy(space, caps={"batch": 0.2}), values)
    assert held.verdict.passed
    batch_of = {one.example.id: one.batch for one in values["accepted"]}
    shown: dict[str, int] = {}
    rows: Any = held.artifacts["mixture"]
    for row in rows:
        if row.use is Use.NEW and row.example.id in batch_of:
            shown[batch_of[row.example.id]] = shown.get(batch_of[row.example.id], 0) + row.repeat
    assert shown
    assert max(shown.values()) <= 0.2 * 60


def test_a_sweep_of_the_first_release_is_read_and_holds_nothing_back(swept: Desk) -> None:
    space, values = swept
    new = {"more_seeds", "mean", "interval", "gain", "tails", "barred", "corrected_rows"}
    old = values["sweep"].model_dump(mode="json", exclude={"fragility": True, "pool": True})
    old["arms"] = [{key: value for key, value in arm.items() if key not in new} for arm in old["arms"]]
    for arm in old["arms"]:
        del arm["training"]["setting"]
    old["shape"] = "synthetic-does-not-help"
    read = Sweep.model_validate(old)
    assert (read.shape, read.pool, read.arms[0].tails) == (CurveShape.SYNTHETIC_DOES_NOT_HELP, None, None)
    before = replace(space, promoted={1: canonical(old)})
    assert sweep(before, {**values, "gold": values["gold"][2:]}).verdict.passed
    with pytest.raises(RecordError, match=r"promotions/1/evidence/sweep\.json"):
        sweep(replace(space, promoted={1: b"{}"}), values)
