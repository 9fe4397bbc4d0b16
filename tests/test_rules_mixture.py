"""Arms that differ in content alone, the shape of a curve, the arm and the strength to go on with."""

from __future__ import annotations

import pytest

from runner.records.dataset import Example
from runner.records.scenario import Origin
from runner.records.score import SetScore
from runner.records.training import Arm, CurveShape, StrengthPoint, TrainingRecord, Use
from runner.rules.mixture import CONTROL, MAX_REPEATS, arm_rows, makeup, mixture_digest, pool, replay_rows
from runner.rules.sweep import choose, choose_strength, curve, shape
from tests.flywheel_fixture import user


def rows(prefix: str, capability: str, count: int, origin: Origin = Origin.HUMAN) -> list[Example]:
    return [
        Example(
            id=f"{prefix}-{capability}-{n}",
            capability=capability,
            input=user(f"{prefix} {capability} {n}"),
            answer=capability,
            origin=origin,
        )
        for n in range(count)
    ]


BASE = [*rows("base", "weak", 3), *rows("base", "strong", 40), *rows("base", "other", 5)]
GATHERED = [*rows("gold", "weak", 10), *rows("made", "weak", 12, Origin.SYNTHETIC), *rows("gold", "other", 4)]
SOURCE = pool(["weak"], base=BASE, gathered=GATHERED)
REPLAY = replay_rows(SOURCE, wanted=20, seed=1)


@pytest.mark.parametrize(("share", "synthetic"), [(0.0, 0), (0.25, 15), (0.5, 30), (0.75, 36)])
def test_an_arm_has_its_share_or_what_there_was(share: float, synthetic: int) -> None:
    made = makeup(arm_rows(SOURCE, arm="a", synthetic=share, new_rows=60, replay=REPLAY, seed=1))
    assert (made.human, made.synthetic, made.replay) == (60 - synthetic, synthetic, 20)
    assert synthetic <= MAX_REPEATS * 12


def test_the_control_gets_nothing_new_and_as_many_rows() -> None:
    found = arm_rows(SOURCE, arm=CONTROL, synthetic=0.0, new_rows=60, replay=REPLAY, seed=1)
    assert {row.example.id.split("-")[0] for row in found} == {"base"}
    assert makeup(found).human == 60


def test_every_arm_replays_the_same_rows_of_capabilities_not_aimed_at() -> None:
    assert {row.example.capability for row in REPLAY} == {"strong", "other"}
    assert {row.use for row in REPLAY} == {Use.REPLAY}
    assert sum(row.example.capability == "other" for row in REPLAY) == 5, "as evenly as there are rows"
    assert len(replay_rows(SOURCE, wanted=999, seed=1)) == 45
    for share in (0.0, 0.75):
        found = arm_rows(SOURCE, arm="a", synthetic=share, new_rows=60, replay=REPLAY, seed=1)
        assert found[-len(REPLAY) :] == REPLAY


def test_the_same_seed_gives_the_same_mixture() -> None:
    def made(seed: int) -> str:
        replay = replay_rows(SOURCE, wanted=20, seed=seed)
        return mixture_digest(arm_rows(SOURCE, arm="a", synthetic=0.5, new_rows=61, replay=replay, seed=seed))

    assert made(1) == made(1) != made(2)


def test_the_pool_leaves_out_leaks_repeats_and_capabilities_without_gathered_rows() -> None:
    again = GATHERED[0].model_copy(update={"id": "cand-again"})
    mended = rows("mended", "weak", 1, Origin.CORRECTED)
    found = pool(
        ["strong", "weak", "weak"],
        base=BASE,
        gathered=[*GATHERED, again, *mended],
        leaked=["gold-weak-1", "base-weak-0"],
    )
    assert found.aimed == ("weak",)
    assert {row.id for row in found.human["weak"]} == {f"gold-weak-{n}" for n in range(10)} - {"gold-weak-1"}
    assert len(found.base["weak"]) == 2
    assert found.synthetic["weak"][-1].id == "mended-weak-0", "corrected rows are not human for the floor"


def test_gathered_rows_come_before_base_rows_where_not_all_fit() -> None:
    source = pool(["strong"], base=BASE, gathered=rows("log", "strong", 3))
    found = arm_rows(source, arm="a", synthetic=0.0, new_rows=10, replay=(), seed=1)
    assert sum(row.example.id.startswith("log") for row in found) == 3
    assert makeup(found).human == 10


def score(value: float) -> SetScore:
    return SetScore(scenarios=10, passed=int(10 * value), composite=value, capabilities={"weak": value, "strong": 1.0})


def arm(name: str, value: float, share: float) -> Arm:
    digests = dict.fromkeys(("mixture", "base", "recipe", "adapter"), "0" * 64)
    record = TrainingRecord(seed=1, threads=1, examples=1, tokens=1, steps=1, loss=(), **digests)
    made = round(100 * share)
    return Arm(
        name=name, synthetic_wanted=share, synthetic_share=share, human_rows=100 - made, synthetic_rows=made,
        replay_rows=0, dev=score(value), training=record,
    )  # fmt: skip


def arms(*values: float) -> list[Arm]:
    shares = (0.0, 0.25, 0.5, 0.75)
    return [
        arm("control", 0.1, 0.0),
        *(arm(f"s{n}", value, share) for n, (value, share) in enumerate(zip(values, shares, strict=False))),
    ]


@pytest.mark.parametrize(
    ("values", "form", "chosen"),
    [
        ((0.80, 0.85, 0.90, 0.82), CurveShape.PEAK, "s2"),
        ((0.80, 0.81, 0.80, 0.805), CurveShape.PLATEAU, "s0"),
        ((0.90, 0.89, 0.80, 0.70), CurveShape.SYNTHETIC_DOES_NOT_HELP, "s0"),
        ((0.80, 0.895, 0.90, 0.70), CurveShape.PEAK, "s1"),
        ((0.50, 0.60, 0.70, 0.99), CurveShape.PEAK, "s2"),
    ],
)
def test_the_curve_s_shape_and_the_least_synthetic_good_arm(
    values: tuple[float, ...], form: CurveShape, chosen: str
) -> None:
    found = choose(arms(*values), human_floor=0.5, margin=0.01)
    assert (found.shape, found.arm and found.arm.name) == (form, chosen)
    assert found.explanation


def test_no_arm_above_the_floor_is_no_choice_and_the_control_never_is() -> None:
    assert choose(arms(0.8)[:1], human_floor=0.0, margin=0.01).arm is None
    only = [arm("s3", 0.9, 0.75)]
    assert choose(only, human_floor=0.5, margin=0.01).arm is None


def test_a_curve_without_synthetic_rows_says_so() -> None:
    assert shape([arm("s0", 0.9, 0.0)], margin=0.01)[0] is CurveShape.SYNTHETIC_DOES_NOT_HELP


def test_points_split_targeted_from_others() -> None:
    (point,) = curve([arm("s0", 0.6, 0.0)], ["weak"]).points
    assert (point.targeted, point.others, point.composite) == (0.6, 1.0, 0.6)


def point(strength: float, value: float, lost: int) -> StrengthPoint:
    return StrengthPoint(strength=strength, dev=score(value), lost=lost)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([point(0.6, 0.80, 0), point(0.8, 0.85, 2), point(1.0, 0.90, 30)], 0.8),
        ([point(0.6, 0.85, 1), point(0.8, 0.90, 2), point(1.0, 0.90, 3)], 0.6),
        ([point(0.6, 0.805, 1), point(0.8, 0.81, 2), point(1.0, 0.90, 3)], 0.8),
        ([point(0.6, 0.85, 5), point(0.8, 0.85, 5), point(1.0, 0.85, 4)], 1.0),
        ([point(0.6, 0.50, 0), point(0.8, 0.70, 5), point(1.0, 0.70, 6)], 0.8),
    ],
)
def test_strength_is_the_least_forgetting_that_clears_the_threshold(
    points: list[StrengthPoint], expected: float
) -> None:
    assert choose_strength(points, threshold=0.8, margin=0.01).strength == expected
