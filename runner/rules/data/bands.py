"""Intervals for the arms of a sweep, over seeds and dev scenarios, by a two-level bootstrap.

1. Dev scenarios are drawn with replacement within their capability (the composite weighs capabilities), the same draw
   for every arm: arms are compared in pairs, scenario by scenario.
2. To each arm's mean over its seeds is added the mean of as many draws from the pooled seed residuals: the seeds' own
   composites less their arm's mean, times sqrt(k / (k - 1)) for k seeds (Davison and Hinkley 1997, 2.4). Seeds are too
   few in one arm to tell how much a seed matters; over all arms there are enough for a figure. Part of a residual is
   chance on single scenarios, which the first level has already: residuals are shrunk by that part of their variance.

With one seed everywhere the second level is missing, and the intervals are those of dev alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.records.score import Grade, Interval

RESAMPLES = 2000
LEVEL = 0.95
DIGITS = 9


@dataclass(frozen=True)
class ArmScores:
    """One arm's dev scores: a row for each of its seeds, a column for each scenario, alike in every arm."""

    name: str
    synthetic_share: float
    seeds: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Dev:
    """The dev set as the bootstrap needs it: each scenario's capability, and the capabilities' weights."""

    capabilities: tuple[str, ...]
    weights: Mapping[str, float]

    @classmethod
    def of(cls, grades: Sequence[Grade], weights: Mapping[str, float]) -> Dev:
        return cls(tuple(grade.capability for grade in grades), weights)

    @cached_property
    def each(self) -> tuple[float, ...]:
        """What each scenario weighs in the composite. They add up to 1."""
        counts = {name: self.capabilities.count(name) for name in set(self.capabilities)}
        total = math.fsum(self.weights[name] for name in counts)
        return tuple(self.weights[name] / counts[name] / total for name in self.capabilities)


class Bands:
    """Composites of every arm in every resample. `draws` has the shape (resamples, arms)."""

    def __init__(
        self, arms: Sequence[ArmScores], dev: Dev, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
    ) -> None:
        import numpy as np

        self.arms, self.level = tuple(arms), level
        self._at = {arm.name: position for position, arm in enumerate(self.arms)}
        weights = np.asarray(dev.each)
        scores = [np.asarray(arm.scores, dtype=np.float64) for arm in self.arms]
        self._by_seed = [found @ weights for found in scores]
        self._chance = [_chance(found, weights) for found in scores if len(found) > 1]
        generator = np.random.default_rng(seed)
        counts = _counts(dev.capabilities, resamples, generator)
        means = np.stack([found.mean(axis=0) for found in scores])
        self.draws = (counts * weights) @ means.T + self._seed_noise(resamples, generator)

    @property
    def seeds(self) -> int:
        """The most seeds that any arm was run with."""
        return max(len(arm.seeds) for arm in self.arms)

    def mean(self, arm: str) -> float:
        """The arm's dev composite, mean over its seeds."""
        return round(float(self._by_seed[self._at[arm]].mean()), DIGITS)

    def of_seed(self, seed: int) -> dict[str, float]:
        """The composites of that seed, of the arms that were run with it."""
        return {
            arm.name: float(found[arm.seeds.index(seed)])
            for arm, found in zip(self.arms, self._by_seed, strict=True)
            if seed in arm.seeds
        }

    def interval(self, arm: str) -> Interval:
        """Of the arm's mean, within 0 and 1."""
        found = _interval(self.draws[:, self._at[arm]], self.level)
        return found.model_copy(update={"low": max(0.0, found.low), "high": min(1.0, found.high)})

    def difference(self, arm: str, other: str, *, among: int = 1) -> Interval:
        """Of the arm's mean less the other's, simultaneous over `among` such comparisons (Bonferroni)."""
        level = round(1 - (1 - self.level) / max(1, among), DIGITS)
        return _interval(self.draws[:, self._at[arm]] - self.draws[:, self._at[other]], level)

    def _seed_noise(self, resamples: int, generator: Any) -> Any:
        """Shape (resamples, arms); nought where no arm has two seeds."""
        import numpy as np

        pool = [
            (found - found.mean()) * math.sqrt(len(found) / (len(found) - 1))
            for found in self._by_seed
            if len(found) > 1
        ]
        if not pool:
            return np.zeros((resamples, len(self.arms)))
        residuals = np.concatenate(pool)
        variance = float((residuals**2).mean())
        shrink = math.sqrt(max(0.0, 1 - float(np.mean(self._chance)) / variance)) if variance > 0 else 0.0
        residuals = residuals * shrink
        drawn = [generator.choice(residuals, (resamples, len(found))).mean(axis=1) for found in self._by_seed]
        return np.stack(drawn, axis=1)


def _chance(scores: Any, weights: Any) -> float:
    """The variance of one seed's composite that comes of seeds differing on single scenarios, and not as a whole."""
    apart = scores - (scores @ weights)[:, None]
    return float((weights**2 * apart.var(axis=0, ddof=1)).sum())


def _counts(capabilities: Sequence[str], resamples: int, generator: Any) -> Any:
    """How often each scenario is drawn, stratified by capability. Shape (resamples, scenarios)."""
    import numpy as np

    counts = np.zeros((resamples, len(capabilities)))
    names = np.asarray(capabilities)
    for name in sorted(set(capabilities)):
        at = np.flatnonzero(names == name)
        counts[:, at] = generator.multinomial(len(at), np.full(len(at), 1 / len(at)), size=resamples)
    return counts


def _interval(values: Any, level: float) -> Interval:
    import numpy as np

    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=round(float(low), DIGITS), high=round(float(high), DIGITS), level=level)
