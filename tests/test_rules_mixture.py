"""Arms that differ in content alone, caps on where their rows are from, and the strength to go on with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.records.dataset import Channel, Example
from runner.records.mixture import MixturePolicy, SliceCaps
from runner.records.scenario import Origin
from runner.records.score import SetScore
from runner.records.training import StrengthPoint, Use
from runner.rules.data.mixture import (
    CONTROL,
    MAX_REPEATS,
    arm_rows,
    counted_as_human,
    makeup,
    mixture_digest,
    pool,
    replay_rows,
)
from runner.rules.data.slices import RowOrigin, origins, over_caps
from runner.rules.data.sweep import choose_strength
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


def test_whether_a_mended_row_is_human_is_for_the_cluster_to_say() -> None:
    mended = rows("mended", "weak", 4, Origin.CORRECTED)
    for says, human in ((False, 40), (True, 60)):
        counted = counted_as_human(MixturePolicy(corrected_is_human=says))
        source = pool(["weak"], base=BASE, gathered=[*GATHERED[:10], *mended], human_origins=counted)
        found = arm_rows(source, arm="a", synthetic=1 / 3, new_rows=60, replay=(), seed=1)
        made = makeup(found, human_origins=counted)
        assert made.human >= human
        assert 0 < made.corrected <= 60


KNOWN = {row.id: RowOrigin(batch="b1", generator="g", source="one") for row in rows("made", "weak", 12)}
KNOWN |= {row.id: RowOrigin(batch="b2", generator="log", source="two") for row in GATHERED[:3]}


@given(cap=st.floats(0.0, 1.0), kind=st.sampled_from(["batch", "generator", "source"]), synthetic=st.floats(0.0, 1.0))
def test_no_origin_is_shown_beyond_its_cap_and_the_others_fill_the_room(
    cap: float, kind: str, synthetic: float
) -> None:
    caps = SliceCaps.model_validate({kind: cap})
    source = pool(["weak"], base=BASE, gathered=GATHERED, origins=KNOWN, caps=caps)
    found = arm_rows(source, arm="a", synthetic=synthetic, new_rows=60, replay=REPLAY, seed=1)
    assert sum(row.repeat for row in found if row.use is Use.NEW) == 60, "people's own rows have no cap"
    assert list(over_caps(found, KNOWN, caps)) == []


def test_without_a_cap_the_rows_are_those_of_before_there_were_any() -> None:
    plain = arm_rows(SOURCE, arm="a", synthetic=0.5, new_rows=61, replay=REPLAY, seed=1)
    traced = pool(["weak"], base=BASE, gathered=GATHERED, origins=KNOWN)
    assert arm_rows(traced, arm="a", synthetic=0.5, new_rows=61, replay=REPLAY, seed=1) == plain


def test_a_slice_above_its_cap_is_named() -> None:
    found = arm_rows(SOURCE, arm="a", synthetic=0.5, new_rows=60, replay=REPLAY, seed=1)
    said = [one.problem for one in over_caps(found, KNOWN, SliceCaps(capability=0.5, batch=0.4, source=0.6))]
    assert said == [
        "capability weak makes 100.0% of the new rows, 50.0% at most may",
        "batch b1 makes 50.0% of weak's new rows, 40.0% at most may",
    ]


def test_a_row_s_source_is_its_signal_s_also_through_its_parents() -> None:
    from tests.flywheel_fixture import fixture
    from tests.test_phases import run_all

    space, values = fixture()
    run_all(space, values, upto="triage")
    unique = values["unique"]
    found = origins(values["accepted"], values["batches"], unique)
    by_channel = {batch.id: batch.provenance.channel for batch in values["batches"]}
    logs = [one for one in found.values() if by_channel[one.batch] is Channel.LOG]
    assert logs
    assert {one.source for one in logs} == {"unknown"}, "nobody named is a source like any other"
    assert {one.generator for one in logs} == {"production-traces"}
    perturbed = [one for one in values["accepted"] if by_channel[one.batch] is Channel.PERTURBATION]
    assert {found[one.example.id].source for one in perturbed} == {"unknown", ""}, "of a trace, and of gold"


def score(value: float) -> SetScore:
    return SetScore(scenarios=10, passed=int(10 * value), composite=value, capabilities={"weak": value, "strong": 1.0})


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
