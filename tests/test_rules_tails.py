"""What a mixture keeps of real data's tails, and a pool that only grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.records.dataset import Example
from runner.records.mixture import SliceCoverage, TailCoverage, TailLimits, Withdrawn
from runner.records.scenario import Origin
from runner.rules.data.accumulation import content_key, lost, pool_record
from runner.rules.data.tail_coverage import (
    coverage,
    lost_tails,
    ngrams,
    ngrams_kept,
    rare_capabilities,
    rare_ngrams,
    rare_slices,
)
from tests.flywheel_fixture import user


def row(name: str, text: str, capability: str = "weak", origin: Origin = Origin.HUMAN) -> Example:
    return Example(id=name, capability=capability, input=user(text), answer=capability, origin=origin)


def test_rare_ngrams_stand_in_two_to_five_rows() -> None:
    texts = [f"please {word} it" for word in ("mend", "mend", "ship", "ship", "ship", "return")]
    assert ngrams("Please, mend it!") == {"please", "mend", "it", "please mend", "mend it"}
    found = rare_ngrams(texts)
    assert {"mend", "ship", "please mend", "ship it"} <= found
    assert "return" not in found, "one row's word is as often a slip"
    assert "please" not in found, "what stands in six rows is no tail"
    assert rare_ngrams(["same same same", "other"]) == frozenset(), "rows are counted, not occurrences"


def test_what_survives_is_a_share_of_the_rare_ngrams() -> None:
    rare = {"mend", "ship", "please mend", "ship it"}
    assert ngrams_kept(rare, ["please mend this"]) == 0.5
    assert ngrams_kept(rare, ["mend", "please ship it", "please mend"]) == 1.0
    assert ngrams_kept(rare, []) == 0.0
    assert ngrams_kept(frozenset(), []) == 1.0


def test_a_capability_is_rare_below_half_of_the_median() -> None:
    assert rare_capabilities({"a": 100, "b": 90, "c": 44, "d": 95}) == {"c"}
    assert rare_capabilities({"a": 10, "b": 10}) == frozenset()
    assert rare_capabilities({}) == frozenset()


REAL = [
    *(row(f"r{n}", f"the {word} is lost") for n, word in enumerate(["tent", "tent", "stove", "stove"])),
    row("r9", "x y"),
]
COUNTS = {"weak": 5, "strong": 40, "other": 30}


def test_a_slice_survives_with_half_of_its_rows() -> None:
    slices = rare_slices(REAL, counts=COUNTS, tails={"rare": ["r9", "gone"], "costly": []})
    assert slices == {"capability/weak": frozenset(one.id for one in REAL), "signals/rare": {"r9"}}
    found = coverage(REAL, [*REAL[:3], row("made", "any stove is", origin=Origin.SYNTHETIC)], slices=slices)
    by_name = {one.slice: one for one in found.slices}
    assert (by_name["capability/weak"].kept, by_name["capability/weak"].survives) == (3, True)
    assert (by_name["signals/rare"].kept, by_name["signals/rare"].survives) == (0, False)
    assert found.slices_kept == 0.5
    assert found.ngrams_kept == 1.0, "a synthetic row may carry a rare word on"
    assert coverage(REAL, REAL[:1], slices={}).slices_kept == 1.0


def tails(slices: float, ngrams_: float, names: tuple[str, ...] = ()) -> TailCoverage:
    gone = tuple(SliceCoverage(slice=name, real=8, kept=1, survives=False) for name in names)
    return TailCoverage(slices=gone, slices_kept=slices, ngrams=100, ngrams_kept=ngrams_)


LIMITS = TailLimits(slices=0.5, ngrams=0.5, fall=0.2)


def test_lost_tails_are_refused_with_the_slices_named() -> None:
    assert list(lost_tails(tails(0.5, 0.5), [], LIMITS)) == []
    (one,) = lost_tails(tails(0.25, 0.9, ("capability/weak", "signals/rare")), [], LIMITS)
    assert "25% of 2 rare slices survive, at least 50% should" in one.problem
    assert "capability/weak (1 of 8 rows shown), signals/rare (1 of 8 rows shown)" in one.problem
    (near,) = lost_tails(tails(2 / 3, 0.9, ("capability/weak",)), [], LIMITS.model_copy(update={"slices": 0.67}))
    assert "66.7% of 1 rare slices survive, at least 67% should" in near.problem
    (two,) = lost_tails(tails(1.0, 0.31), [], LIMITS)
    assert "31.0% of 100 rare n-grams survive, at least 50% should" in two.problem


def test_a_fall_below_the_best_mixture_promoted_before_is_a_collapse() -> None:
    before = [tails(1.0, 0.95), tails(1.0, 0.9)]
    assert list(lost_tails(tails(0.9, 0.76), before, LIMITS)) == []
    (one,) = lost_tails(tails(1.0, 0.74), before, LIMITS)
    assert "and 95.0% did before: at most 20.0% may be lost" in one.problem
    assert len(list(lost_tails(tails(0.7, 0.74), before, LIMITS))) == 2


@given(
    now=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    before=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=3),
    more=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_more_history_never_excuses_and_better_figures_never_condemn(
    now: tuple[float, float], before: list[tuple[float, float]], more: tuple[float, float]
) -> None:
    earlier = [tails(*one) for one in before]
    few = list(lost_tails(tails(*now), earlier, LIMITS))
    assert len(few) <= len(list(lost_tails(tails(*now), [*earlier, tails(*more)], LIMITS)))
    better = tails(max(now[0], more[0]), max(now[1], more[1]))
    assert len(list(lost_tails(better, earlier, LIMITS))) <= len(few)


def test_the_record_holds_people_s_rows_and_counts_the_others() -> None:
    found = pool_record(["weak"], [*REAL, row("made", "z", origin=Origin.SYNTHETIC)], base=7)
    assert set(found.human) == {one.id for one in REAL}
    assert (found.synthetic, found.base, found.aimed) == (1, 7, ("weak",))
    assert found.human["r0"] == content_key(REAL[0])[:16]
    assert content_key(REAL[0]) == content_key(REAL[1]), "the same text with the same answer"


def test_a_lost_row_is_refused_by_name_unless_it_was_withdrawn() -> None:
    before = pool_record(["weak"], REAL, base=0)
    renamed = [one.model_copy(update={"id": f"new-{one.id}"}) for one in REAL]
    assert list(lost({1: before}, pool_record(["weak"], [*renamed, row("r7", "more")], base=0))) == []
    fewer = pool_record(["weak"], REAL[:4], base=0)
    (one,) = lost({1: before, 2: fewer}, fewer)
    assert one.step == "accumulate"
    assert "1 human rows that promotion 1 was trained with are no longer there: r9" in one.problem
    assert list(lost({1: before}, fewer, [Withdrawn(example="r9", reason="asked to be forgotten")])) == []


def test_a_row_that_was_written_anew_or_became_synthetic_is_lost() -> None:
    before = pool_record(["weak"], REAL, base=0)
    for changed in (row("r9", "x y z"), row("r9", "x y", origin=Origin.SYNTHETIC)):
        (one,) = lost({3: before}, pool_record(["weak"], [*REAL[:4], changed], base=0))
        assert "promotion 3" in one.problem
        assert "r9" in one.problem


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40), st.sets(st.integers(0, 30)))
def test_exactly_what_is_missing_is_named(first: list[tuple[int, bool]], kept: set[int]) -> None:
    rows = {f"n{n}": row(f"n{n}", f"text {n}") for n, _ in first}
    later = [one for name, one in rows.items() if int(name[1:]) in kept]
    missing = sorted(set(rows) - {one.id for one in later})
    reasons = list(lost({1: pool_record([], rows.values(), base=0)}, pool_record([], later, base=0)))
    assert bool(reasons) == bool(missing)
    for name in missing[:20]:
        assert name in reasons[0].problem
    if len(missing) > 20:
        assert f"and {len(missing) - 20} more" in reasons[0].problem


@pytest.mark.parametrize("field", ["slices", "ngrams", "fall"])
def test_a_limit_is_a_share(field: str) -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        TailLimits.model_validate({field: 1.5})
