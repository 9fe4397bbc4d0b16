"""Composites, paired comparisons, and the statistics under them, against values worked out by hand."""

from __future__ import annotations

import math
import random

import pytest

from runner.errors import RecordError
from runner.records.scenario import OutcomeType, SetName
from runner.records.score import Grade, GradedAnswer
from runner.rules.evaluation.scoring import compare, composite, grades_by_set, regressions, set_score
from runner.rules.evaluation.statistics import auc, bootstrap_interval, holm, mcnemar


def grade(name: str, *, passed: bool, capability: str = "a") -> Grade:
    return Grade(
        scenario=name,
        capability=capability,
        outcome_type=OutcomeType.TP,
        score=float(passed),
        passed=passed,
        answer="",
        explanation="x",
    )


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (8, 1, 2 * 10 / 512),
        (1, 8, 2 * 10 / 512),
        (4, 4, 1.0),
        (10, 0, 2 / 1024),
    ],
)
def test_mcnemar_is_exact(gained: int, lost: int, expected: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-12)


def test_mcnemar_of_many_pairs_agrees_with_the_exact_sum() -> None:
    exact = float(2 * sum(math.comb(1010, k) for k in range(471)) / 2**1010)
    assert mcnemar(540, 470) == pytest.approx(exact, rel=1e-9)
    assert 0 < mcnemar(3000, 1000) < 1e-200
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 2)


def test_the_bootstrap_interval_is_seeded_and_covers_the_mean() -> None:
    differences = [1] * 30 + [0] * 60 + [-1] * 10
    low, high = bootstrap_interval(differences, resamples=2000, seed=3)
    assert low < 0.2 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.6 / 10, rel=0.15)
    assert bootstrap_interval(differences, resamples=2000, seed=3) == (low, high)
    assert bootstrap_interval(differences, resamples=2000, seed=4) != (low, high)
    assert bootstrap_interval([], resamples=10, seed=1) == (0.0, 0.0)
    assert bootstrap_interval([1, 1, 1], resamples=10, seed=1) == (1.0, 1.0)


def test_the_bootstrap_covers_at_its_level() -> None:
    random_ = random.Random(5)
    inside = 0
    for turn in range(200):
        values = [random_.choice((-1, 0, 0, 1, 1)) for _ in range(80)]
        low, high = bootstrap_interval(values, resamples=300, seed=turn)
        inside += low <= 0.2 <= high
    assert 175 <= inside <= 200


def test_holm_rejects_step_by_step() -> None:
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03}, 0.05) == ("a", "b", "c")
    assert holm({"a": 0.01, "b": 0.026, "c": 0.03}, 0.05) == ("a",)
    assert holm({"a": 0.02, "b": 0.02, "c": 0.02}, 0.05) == ()
    assert holm({}, 0.05) == ()


def test_auc_counts_ties_half() -> None:
    assert auc([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert auc([0.0], [0.0]) == 0.5
    assert auc([0.0, 2.0], [1.0]) == 0.5
    assert auc([], [1.0]) == 0.5


def test_the_composite_weighs_capabilities_and_not_scenarios() -> None:
    scores = [("a", 1.0)] * 9 + [("b", 0.0)]
    assert composite(scores, {"a": 1, "b": 1}) == (0.5, {"a": 1.0, "b": 0.0})
    assert composite(scores, {"a": 1, "b": 3})[0] == 0.25
    assert composite([("a", 0.5)], {"a": 1, "b": 3})[0] == 0.5, "a capability without scores does not count"
    assert composite([], {"a": 1}) == (0.0, {})
    with pytest.raises(RecordError, match="has no weight"):
        composite([("c", 1.0)], {"a": 1})


def test_the_composite_does_not_depend_on_order() -> None:
    scores = [(f"c{n % 7}", (n * 37 % 101) / 101) for n in range(500)]
    weights = {f"c{n}": 0.1 + n for n in range(7)}
    shuffled = random.Random(1).sample(scores, len(scores))
    assert composite(scores, weights) == composite(shuffled, weights)


def test_a_comparison_is_paired() -> None:
    candidate = [grade("s1", passed=True), grade("s2", passed=True), grade("s3", passed=False)]
    other = [grade("s3", passed=True), grade("s2", passed=False), grade("s1", passed=True)]
    found = compare(candidate, other, against="base", resamples=50, seed=1)
    assert (found.gained, found.lost, found.difference, found.p_value) == (1, 1, 0.0, 1.0)
    with pytest.raises(RecordError, match="same scenarios"):
        compare(candidate[:2], other, against="base", resamples=50, seed=1)


def test_regressions_list_what_was_passed_before() -> None:
    before = [grade("s1", passed=True), grade("s2", passed=True), grade("s3", passed=False)]
    after = [grade("s1", passed=False), grade("s3", passed=True)]
    found = regressions(after, before)
    assert (found.count, found.of, found.scenarios) == (2, 2, ("s1", "s2"))


def test_grades_are_told_apart_by_model_and_perturbation() -> None:
    rows = [
        GradedAnswer(model="base", set=SetName.CORE, grade=grade("s1", passed=True), tokens=1),
        GradedAnswer(model="base", set=SetName.CORE, perturbation="typos", grade=grade("s1", passed=False), tokens=1),
        GradedAnswer(model="incumbent", set=SetName.CORE, grade=grade("s1", passed=False), tokens=1),
    ]
    (only,) = grades_by_set(rows, "base")[SetName.CORE]
    assert only.passed
    assert set_score([only], {"a": 1}).composite == 1.0
    assert not grades_by_set(rows, "base", "typos")[SetName.CORE][0].passed
