"""Intervals of composites: scenarios are drawn again within each capability, which is how a benchmark is made.

The percentile bootstrap (Efron 1979), stratified by capability. It has no width where every scenario of a capability
passes or fails, and too little where there are few, so each end is the farther out of the bootstrap's and of the one
that combines the capabilities' Wilson intervals (MOVER: Zou and Donner 2008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runner.records.significance import Interval
from runner.rules.evaluation.statistics import CHUNK, wilson

Array = npt.NDArray[np.float64]
LEVEL = 0.95


class Spread(NamedTuple):
    """The interval of a composite, and of each capability's mean score."""

    composite: Interval
    capabilities: dict[str, Interval]


def spread(
    scores: Mapping[str, Sequence[float]], weights: Mapping[str, float], *, resamples: int, seed: int
) -> Spread | None:
    """`scores` are those of each capability's scenarios, 0 to 1. None where there are none."""
    if not scores:
        return None
    generator = np.random.default_rng(seed)
    total = math.fsum(weights[name] for name in scores)
    drawn, value, below, above, each = np.zeros(resamples), 0.0, 0.0, 0.0, {}
    for name in sorted(scores):
        found, share = np.asarray(scores[name], dtype=np.float64), weights[name] / total
        means, middle = _means(found, resamples, generator), float(found.mean())
        low, high = _wilson(found)
        drawn += share * means
        value += share * middle
        below += (share * (middle - low)) ** 2
        above += (share * (high - middle)) ** 2
        each[name] = interval(low, high) if _counted(found) else _outer(means, low, high)
    ends = value - math.sqrt(below), value + math.sqrt(above)
    return Spread(_outer(drawn, *ends), each)


def interval(low: float, high: float) -> Interval:
    """Within 0 and 1, rounded, at the usual level."""
    return Interval(low=round(max(0.0, low), 9), high=round(min(1.0, high), 9), level=LEVEL)


def _outer(drawn: Array, low: float, high: float) -> Interval:
    ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return interval(min(low, float(ends[0])), max(high, float(ends[1])))


def _counted(scores: Array) -> bool:
    """Whether every scenario either passes whole or fails whole."""
    return bool(np.isin(scores, (0.0, 1.0)).all())


def _means(scores: Array, resamples: int, generator: np.random.Generator) -> Array:
    """The mean of each resample. Of noughts and ones it is a binomial count, drawn as such."""
    if _counted(scores):
        return np.asarray(generator.binomial(scores.size, scores.mean(), resamples) / scores.size)
    rows = max(1, CHUNK // scores.size)
    parts = [
        scores[generator.integers(0, scores.size, (min(rows, resamples - start), scores.size))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _wilson(scores: Array) -> tuple[float, float]:
    """Wilson's interval of the mean: wide enough for partial scores too, whose variance is at most a share's."""
    return wilson(float(scores.sum()), scores.size, level=LEVEL)
