"""How large a difference a paired comparison can see: exact power of McNemar's test, and what follows from it.

Of n pairs, D ~ Binomial(n, discordance) differ; of those, G ~ Binomial(D, share of gains). The test finds the gain
where the two-sided exact p-value of G against D - G is at most alpha and G is the larger. Power is the sum over D
(unconditional: Schork and Williams 1980; O'Brien 2002). Phase 12 states what is computed here; the gate does without.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SPREAD = 7.0
"""Standard deviations of D on either side of its mean that are summed over: what is left out is below 1e-11."""
MOST = 1_000_000
EXACT = 4_000
"""Scenarios up to which what is needed or detectable is searched for with the exact power; above, the normal formula
gives it: at so many the exact power takes minutes, and the two hardly differ."""
TOLERANCE = 1e-4


def power(pairs: int, *, discordance: float, difference: float, alpha: float) -> float:
    """The chance to find a true gain of `difference`, where the two differ on a share `discordance` of all pairs.

    Raises `ValueError` where the difference is larger than the discordance, or either is no share.
    """
    if not 0 <= difference <= discordance <= 1:
        raise ValueError("0 <= difference <= discordance <= 1 does not hold")
    if not pairs or not discordance:
        return 0.0
    half = SPREAD * math.sqrt(pairs * discordance * (1 - discordance)) + 1
    low = max(0, math.floor(pairs * discordance - half))
    differing = np.arange(low, min(pairs, math.ceil(pairs * discordance + half)) + 1)
    weights = _binomial(np.full(differing.shape, pairs), differing, discordance)
    needed = np.asarray(critical(1 << int(differing[-1]).bit_length(), alpha))[differing]
    gains = (discordance + difference) / (2 * discordance)
    found = [_tail(int(count), int(least), gains) for count, least in zip(differing, needed, strict=True)]
    return float(np.dot(weights, found))


@lru_cache(maxsize=1024)
def detectable(pairs: int, *, discordance: float, alpha: float, wanted: float) -> float | None:
    """The smallest difference found with a power of `wanted`; none where even a difference of 1 is not.

    One that is larger than `discordance` needs as many pairs that differ, all of them gains.
    """

    def enough(difference: float) -> bool:
        share = min(1.0, max(discordance, difference))
        if pairs > EXACT:
            return normal_pairs(difference, discordance=share, alpha=alpha, wanted=wanted) <= pairs
        return power(pairs, discordance=share, difference=difference, alpha=alpha) >= wanted

    if not enough(1.0):
        return None
    low, high = 0.0, 1.0
    while high - low > TOLERANCE:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return min(1.0, math.ceil(high * 10_000) / 10_000)


@lru_cache(maxsize=1024)
def pairs_needed(effect: float, *, discordance: float, alpha: float, wanted: float) -> int | None:
    """How many pairs find a difference of `effect` with a power of `wanted`; none where more than a million."""
    share = min(1.0, max(discordance, effect))
    about = normal_pairs(effect, discordance=share, alpha=alpha, wanted=wanted)
    if about > MOST:
        return None
    if about > EXACT:
        return about
    low, high = 0, max(8, about)
    while power(high, discordance=share, difference=effect, alpha=alpha) < wanted:
        low, high = high, high + max(8, high // 4)
    while high - low > 1:
        middle = (low + high) // 2
        found = power(middle, discordance=share, difference=effect, alpha=alpha) >= wanted
        low, high = (low, middle) if found else (middle, high)
    return high


def normal_pairs(effect: float, *, discordance: float, alpha: float, wanted: float) -> int:
    """The same by the normal approximation (Connor 1987), which the exact test needs a little more than."""
    normal = NormalDist()
    at_null = normal.inv_cdf(1 - alpha / 2) * math.sqrt(discordance)
    at_effect = normal.inv_cdf(wanted) * math.sqrt(max(0.0, discordance - effect**2))
    return math.ceil(((at_null + at_effect) / effect) ** 2)


@lru_cache(maxsize=64)
def critical(most: int, alpha: float) -> tuple[int, ...]:
    """For 0 to `most` pairs that differ: the least number of gains with a two-sided p of at most alpha.

    One more than there are pairs where no number is enough.
    """
    found, needed = [], 1
    for count in range(most + 1):
        while needed <= count and 2 * _tail(count, needed, 0.5) > alpha:
            needed += 1
        found.append(max(needed, 1))
    return tuple(found)


def _tail(count: int, least: int, share: float) -> float:
    """P(Binomial(count, share) >= least)."""
    if least > count:
        return 0.0
    values = np.arange(least, count + 1)
    return min(1.0, float(_binomial(np.full(values.shape, count), values, share).sum()))


def _binomial(counts: npt.NDArray[np.int64], values: npt.NDArray[np.int64], share: float) -> Array:
    """P(Binomial(count, share) = value), one for each."""
    if share in (0.0, 1.0):
        return np.asarray(values == (counts if share else 0), dtype=np.float64)
    logs = _log_factorials(1 << int(counts.max()).bit_length())
    chosen = logs[counts] - logs[values] - logs[counts - values]
    return np.asarray(np.exp(chosen + values * math.log(share) + (counts - values) * math.log1p(-share)))


@lru_cache(maxsize=32)
def _log_factorials(most: int) -> Array:
    return np.asarray(np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1, dtype=np.float64)))]))
