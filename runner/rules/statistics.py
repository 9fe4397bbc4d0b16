"""Paired statistics: exact McNemar, Holm's correction, the percentile bootstrap, and the rank AUC.

numpy is imported where numbers are many: the gate needs only the first two, and starts a seventh sooner without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

CHUNK = 4_000_000
"""Resampled indices held in memory at once."""


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value for `gained` against `lost` discordant pairs (McNemar 1947, binomial form).

    Under the null each discordant pair is a fair coin; p is twice the smaller tail, at most 1. No discordant pair
    gives 1. Raises `ValueError` for a negative count.
    """
    if gained < 0 or lost < 0:
        raise ValueError("counts of discordant pairs cannot be negative")
    pairs = gained + lost
    tail = sum(math.comb(pairs, k) for k in range(min(gained, lost) + 1))
    return min(1.0, float(2 * tail / 2**pairs)) if pairs < 1000 else _mcnemar_large(gained, lost)


def _mcnemar_large(gained: int, lost: int) -> float:
    """The same through log-gamma, where 2**n no longer fits a float."""
    pairs = gained + lost
    logs = [
        math.lgamma(pairs + 1) - math.lgamma(k + 1) - math.lgamma(pairs - k + 1) - pairs * math.log(2)
        for k in range(min(gained, lost) + 1)
    ]
    return min(1.0, 2 * math.fsum(math.exp(value) for value in logs))


def bootstrap_interval(
    differences: Sequence[float], *, resamples: int, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of paired `differences` (Efron 1979). Empty input gives (0, 0)."""
    import numpy as np

    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0:
        return 0.0, 0.0
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // values.size)
    means = np.concatenate(
        [
            values[generator.integers(0, values.size, (min(rows, resamples - start), values.size))].mean(axis=1)
            for start in range(0, resamples, rows)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return round(float(low), 9), round(float(high), 9)


def holm(p_values: Mapping[str, float], alpha: float) -> tuple[str, ...]:
    """The names whose null is rejected at family-wise level `alpha` (Holm 1979), smallest p first."""
    ordered = sorted(p_values.items(), key=lambda item: (item[1], item[0]))
    rejected: list[str] = []
    for rank, (name, p_value) in enumerate(ordered):
        if p_value > alpha / (len(ordered) - rank):
            break
        rejected.append(name)
    return tuple(rejected)


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties counted half (Mann-Whitney). 0.5 if either is empty."""
    import numpy as np

    if not positives or not negatives:
        return 0.5
    high = np.asarray(positives, dtype=np.float64)
    low = np.sort(np.asarray(negatives, dtype=np.float64))
    below = np.searchsorted(low, high, side="left")
    upto = np.searchsorted(low, high, side="right")
    return float((below + upto).sum() / (2 * high.size * low.size))
