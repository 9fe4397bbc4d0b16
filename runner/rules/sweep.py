"""What the ratio curve says: its shape, the arm to go on with, and the adapter strength."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from runner.records.score import SetScore
from runner.records.training import Arm, Curve, CurvePoint, CurveShape, StrengthPoint
from runner.rules.mixture import CONTROL

EPSILON = 1e-9
"""What rounding may add to a difference of two composites."""


@dataclass(frozen=True)
class Choice:
    """The arm chosen (none where no arm may be), the curve's shape and the reasoning."""

    arm: Arm | None
    shape: CurveShape
    explanation: str


def human_share(arm: Arm) -> float:
    """The share of human rows among the arm's new ones."""
    return round(1 - arm.synthetic_share, 9)


def choose(arms: Sequence[Arm], *, human_floor: float, margin: float) -> Choice:
    """The eligible arm (human floor held, not the control) with the least synthetic data among those whose dev
    composite is within `margin` of the best eligible one."""
    curve = sorted((arm for arm in arms if arm.name != CONTROL), key=lambda arm: (arm.synthetic_share, arm.name))
    form, why = shape(curve, margin=margin)
    eligible = [arm for arm in curve if human_share(arm) >= human_floor]
    if not eligible:
        return Choice(None, form, f"{why}; no arm holds the human floor of {human_floor:.0%}")
    best = max(arm.dev.composite for arm in eligible)
    chosen = next(arm for arm in eligible if best - arm.dev.composite <= margin + EPSILON)
    barred = len(curve) - len(eligible)
    left = f"; {barred} arms below the human floor were not eligible" if barred else ""
    reason = f"{chosen.name} is the least synthetic arm within {margin:g} of the best eligible dev composite {best:.4f}"
    return Choice(chosen, form, f"{why}; {reason}{left}")


def shape(curve: Sequence[Arm], *, margin: float) -> tuple[CurveShape, str]:
    """The form of the dev composite over the synthetic share. `peak`: an arm with synthetic data beats real data alone
    by more than `margin`. `plateau`: no arm differs from it by more. Else synthetic data does not help."""
    if not any(arm.synthetic_rows for arm in curve):
        return (
            CurveShape.SYNTHETIC_DOES_NOT_HELP,
            "no synthetic candidate was accepted, so every arm is real data alone",
        )
    real = min(curve, key=lambda arm: arm.synthetic_share)
    made = [arm for arm in curve if arm.synthetic_rows and arm is not real]
    if not made:
        return CurveShape.PLATEAU, "there is one point, so no curve"
    best = max(made, key=lambda arm: (arm.dev.composite, -arm.synthetic_share))
    gain = best.dev.composite - real.dev.composite
    if gain > margin + EPSILON:
        return CurveShape.PEAK, f"{best.name} beats {real.name} by {gain:.4f} on dev"
    if all(abs(arm.dev.composite - real.dev.composite) <= margin + EPSILON for arm in made):
        return CurveShape.PLATEAU, f"no arm differs from {real.name} by more than {margin:g} on dev"
    return CurveShape.SYNTHETIC_DOES_NOT_HELP, f"no arm beats {real.name} by more than {margin:g} on dev, and some lose"


def curve(arms: Iterable[Arm], aimed: Iterable[str]) -> Curve:
    """The sweep as points to plot; `targeted` is the mean over the aimed capabilities, `others` over the rest."""
    wanted = set(aimed)
    return Curve(
        points=tuple(
            CurvePoint(
                arm=arm.name,
                synthetic_share=arm.synthetic_share,
                composite=arm.dev.composite,
                targeted=_mean(arm.dev, lambda name: name in wanted),
                others=_mean(arm.dev, lambda name: name not in wanted),
            )
            for arm in arms
        )
    )


def choose_strength(points: Sequence[StrengthPoint], *, threshold: float, margin: float) -> StrengthPoint:
    """The strength to go on with: of those whose dev composite clears `threshold` by `margin`, the one that loses the
    fewest dev scenarios the incumbent passed, and the smaller where equal. Where none clears it, the best composite."""
    clear = [point for point in points if point.dev.composite >= threshold + margin - EPSILON]
    if not clear:
        return max(points, key=lambda point: (point.dev.composite, -point.strength))
    return min(clear, key=lambda point: (point.lost, point.strength))


def _mean(score: SetScore, wanted: Callable[[str], bool]) -> float:
    values = [value for name, value in score.capabilities.items() if wanted(name)]
    return round(math.fsum(values) / len(values), 9) if values else 0.0
