"""Statistics: exact McNemar, Holm's correction, the percentile bootstrap, Wilson's interval, and the rank AUC with its
interval.

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
    if pairs >= 1000:
        return _mcnemar_large(gained, lost)
    tail = sum(math.comb(pairs, k) for k in range(min(gained, lost) + 1))
    return min(1.0, float(2 * tail / 2**pairs))


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


def wilson(successes: float, total: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's two-sided interval of a share (Wilson 1927; Newcombe 1998, method 3). (0, 1) where `total` is 0."""
    if not total:
        return 0.0, 1.0
    z = _z(level)
    share = successes / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return round(max(0.0, middle - half), 9), round(min(1.0, middle + half), 9)


def auc_interval(positives: Sequence[float], negatives: Sequence[float], *, level: float = 0.95) -> tuple[float, float]:
    """An interval for `auc`, at least as wide as DeLong's (DeLong, DeLong and Clarke-Pearson 1988).

    DeLong's has no width where the two are told apart perfectly, however few they are; so each end is the farther out
    of DeLong's and of the one that inverts Hanley and McNeil's variance (Newcombe 2006, part 2, method 5). (0, 1) where
    either is empty.
    """
    if not positives or not negatives:
        return 0.0, 1.0
    z, value = _z(level), auc(positives, negatives)
    half = z * math.sqrt(delong_variance(positives, negatives))
    ends = [_inverted(value, len(positives), len(negatives), z=z, towards=end) for end in (0.0, 1.0)]
    return round(max(0.0, min(value - half, ends[0])), 9), round(min(1.0, max(value + half, ends[1])), 9)


def delong_variance(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The variance of `auc` from its structural components; 0 for fewer than two of either."""
    import numpy as np

    high, low = np.asarray(positives, dtype=np.float64), np.asarray(negatives, dtype=np.float64)
    if min(high.size, low.size) < 2:
        return 0.0
    above = (np.sign(high[:, None] - low[None, :]) + 1) / 2
    return float(above.mean(axis=1).var(ddof=1) / high.size + above.mean(axis=0).var(ddof=1) / low.size)


def hanley_mcneil_variance(value: float, positives: int, negatives: int) -> float:
    """The variance of an AUC of `value` (Hanley and McNeil 1982), with the two sizes at their mean."""
    more = (positives + negatives) / 2 - 1
    spread = 1 + more * ((1 - value) / (2 - value) + value / (1 + value))
    return value * (1 - value) * spread / (positives * negatives)


def _inverted(value: float, positives: int, negatives: int, *, z: float, towards: float) -> float:
    """The AUC between `value` and `towards` from which `value` is z standard errors away, by bisection."""
    near, far = value, towards
    for _ in range(60):
        middle = (near + far) / 2
        inside = abs(middle - value) <= z * math.sqrt(hanley_mcneil_variance(middle, positives, negatives))
        near, far = (middle, far) if inside else (near, middle)
    return near


def _z(level: float) -> float:
    """The standard normal quantile of a two-sided interval."""
    from statistics import NormalDist  # fractions, decimals and all: the gate has no use for it

    return NormalDist().inv_cdf((1 + level) / 2)
