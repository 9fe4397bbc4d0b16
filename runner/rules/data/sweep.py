"""What the ratio curve says: its shape, the arm to go on with, how easily another would have been chosen, and the
adapter's strength.

Synthetic data must earn its place. An arm with less of it is passed over only where another's gain over it is beyond
doubt: more than the margin, and its interval above nought. All of it is decided by the intervals of `rules.data.bands`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.records.score import Interval, SetScore
from runner.records.training import Arm, Curve, CurvePoint, CurveShape, Fragility, Gain, StrengthPoint
from runner.rules.data.bands import ArmScores, Bands
from runner.rules.data.mixture import CONTROL

EPSILON = 1e-9
"""What rounding may add to a difference of two composites."""
STEADY, SHAKY = 0.9, 0.6
"""Shares of resamples with the same choice from which it is called steady, and below which it is a coin's toss."""


@dataclass(frozen=True)
class Choice:
    """The arm chosen (none where no arm may be), the curve's shape, the reasoning, and how fragile it is."""

    arm: str | None
    shape: CurveShape
    explanation: str
    gains: Mapping[str, Gain]
    """Each arm with synthetic data over the one with the least."""
    fragility: Fragility | None


def human_share(arm: Arm) -> float:
    """The share of the arm's new rows that count as human."""
    return round(1 - arm.synthetic_share, 9)


def judge(bands: Bands, *, barred: Collection[str] = (), margin: float, equivalent: float) -> Choice:
    """The least synthetic of the arms that may be chosen which no other beats beyond doubt. The control never is.

    `barred` names arms that may not be chosen. They are part of the curve none the less. Differences up to `margin`
    count as none, and such up to `equivalent` do not matter.
    """
    curve_ = _curve(bands)
    gains = _gains(bands, curve_)
    form, why = shape(gains, curve_, equivalent=equivalent)
    able = [arm for arm in curve_ if arm.name not in barred]
    if not able:
        return Choice(None, form, f"{why}; no arm may be chosen", gains, None)
    rule = _Rule(bands, able, margin=margin)
    means = {arm.name: bands.mean(arm.name) for arm in able}
    chosen = rule.choose(means)
    left = f"; {len(curve_) - len(able)} arms may not be chosen" if len(able) < len(curve_) else ""
    reason = f"{chosen} has the least synthetic data of the arms that none beats beyond doubt on dev"
    fragility = _fragility(bands, rule, chosen)
    return Choice(chosen, form, f"{why}; {reason}{left}. {fragility.words}", gains, fragility)


def contenders(bands: Bands, *, barred: Collection[str] = ()) -> tuple[str, ...]:
    """The arms worth another seed: the least synthetic that may be chosen and, of the others whose gain over it may be
    above nought after the first seed, the best. None where no other is within reach: a seed could change nothing."""
    able = [arm for arm in _curve(bands) if arm.name not in barred]
    gains = _gains(bands, able)
    near = [name for name, gain in gains.items() if gain.interval.high > 0]
    if not near:
        return ()
    return able[0].name, max(near, key=lambda name: gains[name].difference)


def _curve(bands: Bands) -> list[ArmScores]:
    return sorted((arm for arm in bands.arms if arm.name != CONTROL), key=lambda arm: (arm.synthetic_share, arm.name))


def _gains(bands: Bands, arms: Sequence[ArmScores]) -> dict[str, Gain]:
    """Each arm's gain over the first, of those that have more synthetic data than it."""
    if not arms:
        return {}
    first, others = arms[0], [arm.name for arm in arms if arm.synthetic_share > arms[0].synthetic_share]
    return {
        name: Gain(
            over=first.name,
            difference=round(bands.mean(name) - bands.mean(first.name), 9),
            interval=bands.difference(name, first.name, among=len(others)),
        )
        for name in others
    }


def shape(gains: Mapping[str, Gain], arms: Sequence[ArmScores], *, equivalent: float) -> tuple[CurveShape, str]:
    """The form of dev over the synthetic share, and why. The intervals are simultaneous over the arms.

    `peak`: an arm's gain over the least synthetic one lies above nought. `plateau`: every gain lies within
    `equivalent` of it. `synthetic-does-not-help`: no gain can be as much as `equivalent`. Else it is inconclusive.
    """
    if not arms or not any(arm.synthetic_share for arm in arms):
        return CurveShape.INCONCLUSIVE, "no arm has synthetic rows, so there is nothing to compare"
    if not gains:
        return CurveShape.INCONCLUSIVE, "there is one point, so no curve"
    over = next(iter(gains.values())).over
    best = max(gains, key=lambda name: gains[name].difference)
    better = [name for name, gain in gains.items() if gain.interval.low > 0]
    worse = [name for name, gain in gains.items() if gain.interval.high < 0]
    if better:
        top = max(better, key=lambda name: gains[name].difference)
        return CurveShape.PEAK, f"{top} beats {over} on dev by {_said(gains[top])}"
    also = f"; worse than it are {', '.join(worse)}" if worse else ""
    if all(-equivalent <= gain.interval.low and gain.interval.high <= equivalent for gain in gains.values()):
        return CurveShape.PLATEAU, f"no arm differs from {over} by more than {equivalent:g} on dev{also}"
    if all(gain.interval.high < equivalent for gain in gains.values()):
        problem = f"no arm can gain {equivalent:g} over {over} on dev; the best, {best}, has {_said(gains[best])}"
        return CurveShape.SYNTHETIC_DOES_NOT_HELP, problem + also
    problem = f"dev cannot tell whether synthetic data helps: {best} less {over} is {_said(gains[best])}"
    return CurveShape.INCONCLUSIVE, problem + also


def _said(gain: Gain) -> str:
    interval = gain.interval
    return f"{gain.difference:+.4f} ({interval.level:.1%} interval {interval.low:+.4f} to {interval.high:+.4f})"


class _Rule:
    """The choice among arms in the order of their synthetic share, given their composites."""

    def __init__(self, bands: Bands, arms: Sequence[ArmScores], *, margin: float) -> None:
        self.arms = [arm.name for arm in arms]
        self._doubt = {
            (best, arm): max(margin, self._lower_width(bands, best, arm)) for best in self.arms for arm in self.arms
        }

    def _lower_width(self, bands: Bands, best: str, arm: str) -> float:
        if best == arm:
            return 0.0
        interval: Interval = bands.difference(best, arm, among=len(self.arms) - 1)
        return bands.mean(best) - bands.mean(arm) - interval.low

    def choose(self, composites: Mapping[str, float]) -> str:
        """The first of the arms in `composites` that the best one does not beat beyond doubt."""
        here = [name for name in self.arms if name in composites]
        best = max(here, key=lambda name: composites[name])
        return next(name for name in here if composites[best] - composites[name] <= self._doubt[best, name] + EPSILON)


def _fragility(bands: Bands, rule: _Rule, chosen: str) -> Fragility:
    """How often the same rule, with the same doubt, chooses another arm: over resamples, and with each seed alone."""
    at = [position for position, arm in enumerate(bands.arms) if arm.name in rule.arms]
    names = [bands.arms[position].name for position in at]
    found = Counter(rule.choose(dict(zip(names, map(float, row), strict=True))) for row in bands.draws[:, at])
    choices = {name: round(found[name] / found.total(), 4) for name in rule.arms if found[name]}
    seeds = sorted({seed for arm in bands.arms for seed in arm.seeds})
    alone = {seed: {n: v for n, v in bands.of_seed(seed).items() if n in rule.arms} for seed in seeds}
    by_seed = {str(seed): rule.choose(values) for seed, values in alone.items() if len(values) > 1 or len(names) == 1}
    return Fragility(choices=choices, by_seed=by_seed, words=_words(bands, rule, chosen, choices, by_seed))


def _words(bands: Bands, rule: _Rule, chosen: str, choices: Mapping[str, float], by_seed: Mapping[str, str]) -> str:
    """The fragility as an approver reads it."""
    if len(rule.arms) == 1:
        return f"Only {chosen} could be chosen"
    same = choices.get(chosen, 0.0)
    kind = "steady" if same >= STEADY else "fragile" if same >= SHAKY else "a coin's toss"
    others = ", ".join(f"{name} in {share:.0%}" for name, share in choices.items() if name != chosen)
    near = max((name for name in rule.arms if name != chosen), key=bands.mean)
    gap = bands.mean(near) - bands.mean(chosen)
    seeds = ", ".join(f"seed {seed} alone {name}" for seed, name in by_seed.items())
    lacking = "" if bands.seeds > 1 else "; one seed was run, so what another would change is not in these figures"
    return (
        f"The choice is {kind}: of {len(bands.draws)} resamples over seeds and dev scenarios {same:.0%} choose it again"
        f"{f' ({others})' if others else ''}; {seeds}; the best other arm, {near}, is {abs(gap):.4f} "
        f"{'above' if gap > 0 else 'below'}{lacking}"
    )


def curve(arms: Iterable[Arm], aimed: Iterable[str]) -> Curve:
    """The sweep as points to plot, means over the seeds; `targeted` is the mean over the aimed capabilities, `others`
    over the rest."""
    wanted = set(aimed)
    return Curve(points=tuple(_point(arm, wanted) for arm in arms))


def _point(arm: Arm, wanted: Collection[str]) -> CurvePoint:
    scores = [arm.dev, *(one.dev for one in arm.more_seeds)]
    return CurvePoint(
        arm=arm.name,
        synthetic_share=arm.synthetic_share,
        composite=arm.dev.composite if arm.mean is None else arm.mean,
        targeted=_mean(scores, lambda name: name in wanted),
        others=_mean(scores, lambda name: name not in wanted),
        low=arm.interval.low if arm.interval else None,
        high=arm.interval.high if arm.interval else None,
        seeds=len(scores),
    )


def choose_strength(points: Sequence[StrengthPoint], *, threshold: float, margin: float) -> StrengthPoint:
    """The strength to go on with: of those whose dev composite clears `threshold` by `margin`, the one that loses the
    fewest dev scenarios the incumbent passed, and the smaller where equal. Where none clears it, the best composite."""
    clear = [point for point in points if point.dev.composite >= threshold + margin - EPSILON]
    if not clear:
        return max(points, key=lambda point: (point.dev.composite, -point.strength))
    return min(clear, key=lambda point: (point.lost, point.strength))


def _mean(scores: Sequence[SetScore], wanted: Callable[[str], bool]) -> float:
    """Over the wanted capabilities and over the seeds."""
    values = [value for score in scores for name, value in score.capabilities.items() if wanted(name)]
    return round(math.fsum(values) / len(values), 9) if values else 0.0
