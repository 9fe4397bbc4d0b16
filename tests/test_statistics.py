"""Intervals against published values, against scikit-learn, and against how often they hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from runner.rules.evaluation.statistics import auc, auc_interval, delong_variance, hanley_mcneil_variance, wilson

NORMAL = [1] * 33 + [2] * 6 + [3] * 6 + [4] * 11 + [5] * 2
ABNORMAL = [1] * 3 + [2] * 2 + [3] * 2 + [4] * 11 + [5] * 33
"""109 images rated from 1 to 5 (Hanley and McNeil 1982, table I)."""


def test_delong_is_that_of_the_published_ratings() -> None:
    """Area .8932, standard error .0307, interval .83295 to .95339: what Stata's manual prints for `roctab`."""
    value, error = auc(ABNORMAL, NORMAL), delong_variance(ABNORMAL, NORMAL) ** 0.5
    assert (round(value, 4), round(error, 4)) == (0.8932, 0.0307)
    assert (round(value - 1.959964 * error, 5), round(value + 1.959964 * error, 5)) == (0.83295, 0.95339)
    low, high = auc_interval(ABNORMAL, NORMAL)
    assert round(low, 5) <= 0.83295
    assert round(high, 5) >= 0.95339


def test_hanley_and_mcneil_s_error_is_theirs() -> None:
    """.032 for the same ratings, in the same paper."""
    assert round(hanley_mcneil_variance(0.893, 51, 58) ** 0.5, 3) == 0.032


@pytest.mark.parametrize(
    ("successes", "total", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_wilson_is_that_of_newcombe_s_table(successes: int, total: int, expected: tuple[float, float]) -> None:
    """Newcombe 1998, table I, method 3."""
    assert tuple(round(end, 4) for end in wilson(successes, total)) == expected


def test_the_auc_is_scikit_learn_s() -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(4)
    for _ in range(20):
        high, low = generator.integers(2, 9, 14), generator.integers(0, 7, 23)
        expected = roc_auc_score([1] * 14 + [0] * 23, [*high, *low])
        assert auc(high.tolist(), low.tolist()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("shift", "true"), [(0.0, 0.5), (1.19, 0.8), (2.33, 0.95)])
def test_the_interval_s_lower_end_is_rarely_above_the_truth(shift: float, true: float) -> None:
    """Two normals `shift` apart have the AUC Phi(shift / sqrt 2). The lower end may miss it in one case of forty."""
    generator = np.random.default_rng(9)
    runs, above = 400, 0
    for _ in range(runs):
        low, _ = auc_interval(generator.normal(shift, 1, 40).tolist(), generator.normal(0, 1, 10).tolist())
        above += low > true
    assert above <= 0.035 * runs


def test_the_ends_of_what_cannot_be_told() -> None:
    assert auc_interval([], [1.0]) == (0.0, 1.0)
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = auc_interval([2.0] * 5, [1.0] * 5)
    assert (low < 0.7, high) == (True, 1.0), "five told apart perfectly are a matter of chance in 1 of 252"
    assert auc_interval([1.0] * 5, [2.0] * 5) == pytest.approx((0.0, 1 - low), abs=1e-6)
    assert auc_interval([2.0] * 40, [1.0] * 10)[0] > 0.85
