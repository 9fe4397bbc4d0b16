"""The report's drawings, as inline SVG.

They have no `viewBox`: x is in per cent of the width and y in pixels, so that a phone narrows the drawing and not its
letters. Colours come from the report's style sheet by class, so that light and dark both hold. Every drawing says in
words what it shows (`aria-label`), and the report has a table beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from runner.records.funnel import Funnel
from runner.records.score import Comparison
from runner.records.training import Arm, Sweep
from runner.records.validation import Estimate

ROW = 28
"""Height of a row of the interval plot, in pixels."""
BAR = 7
"""Height of one bar, in pixels."""


def drawing(height: float, says: str, kind: str) -> str:
    return f'<svg class="{kind}" role="img" width="100%" height="{height:g}" aria-label="{escape(says, quote=True)}">'


def rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}"/>'


def dot(x: float, y: float, radius: float, kind: str) -> str:
    return f'<circle class="{kind}" cx="{x:.2f}%" cy="{y:.1f}" r="{radius:g}"/>'


def label(x: float, y: float, text: str, kind: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.2f}%" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def signed(value: float) -> str:
    """A difference with its sign, minus as U+2212."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def ticks(low: float, high: float, *, most: int = 6) -> tuple[float, ...]:
    """Round numbers from `low` to `high`, at most `most` of them; none where the range is empty."""
    if high <= low:
        return ()
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
    step = next((step for step in steps if (high - low) / step <= most), steps[-1])
    first = round(low / step)
    return tuple(round(n * step, 6) for n in range(first, round(high / step) + 1) if low <= n * step <= high)


def intervals(comparisons: Sequence[Comparison]) -> str:
    """Dot and interval per comparison, around a line at no difference. One row of `ROW` pixels each."""
    low = min([-0.05, *(c.interval.low for c in comparisons)]) - 0.02
    high = max([0.05, *(c.interval.high for c in comparisons)]) + 0.02

    def x(value: float) -> float:
        return 100 * (value - low) / (high - low)

    bottom = ROW * len(comparisons) + 4
    says = "; ".join(
        f"candidate against {c.against}: {signed(c.difference)}, {c.interval.level:.0%} interval "
        f"{signed(c.interval.low)} to {signed(c.interval.high)}"
        for c in comparisons
    )
    parts = [drawing(bottom + 22, f"Difference in the share passed, {says}", "figure")]
    for value in ticks(low, high):
        parts.append(rule(x(value), 0, x(value), bottom, "zero" if value == 0 else "grid"))
        parts.append(label(x(value), bottom + 16, signed(value)[:-1] if value else "0", "tick"))
    for row, comparison in enumerate(comparisons):
        y = ROW * row + ROW / 2 + 2
        ends = comparison.interval
        parts.append(rule(x(ends.low), y, x(ends.high), y, "whisker"))
        parts += [rule(x(end), y - 4, x(end), y + 4, "whisker") for end in (ends.low, ends.high)]
        parts.append(dot(x(comparison.difference), y, 5, "candidate"))
    return "".join([*parts, "</svg>"])


def against_limit(rows: Sequence[tuple[str, Estimate]], limit: float) -> str:
    """A dot and an interval for each batch, on a scale from 0 to 1 with a line at the limit."""
    bottom = ROW * len(rows) + 4
    listed = "; ".join(f"{name}: {one.value:.2f}, from {one.low:.2f} to {one.high:.2f}" for name, one in rows)
    parts = [drawing(bottom + 22, f"How well a classifier tells each batch from real rows; {listed}", "figure")]
    for value in ticks(0.0, 1.0):
        parts.append(rule(100 * value, 0, 100 * value, bottom, "grid"))
        parts.append(label(2 + 96 * value, bottom + 16, f"{value:g}", "tick"))
    parts.append(rule(100 * limit, 0, 100 * limit, bottom, "control-line"))
    for row, (_, one) in enumerate(rows):
        y = ROW * row + ROW / 2 + 2
        parts.append(rule(100 * one.low, y, 100 * one.high, y, "whisker"))
        parts.append(dot(100 * one.value, y, 5, "candidate"))
    return "".join([*parts, "</svg>"])


def bars(scores: Mapping[str, float], *, says: str) -> str:
    """One capability: a bar per model on a scale from 0 to 1. `scores` maps a model's class name to its score."""
    parts = [drawing((BAR + 2) * len(scores) + 2, says, "bars")]
    for row, (model, score) in enumerate(scores.items()):
        y = 1 + (BAR + 2) * row
        parts.append(f'<rect class="track" x="0" y="{y}" width="100%" height="{BAR}"/>')
        parts.append(f'<rect class="{escape(model)}" x="0" y="{y}" width="{100 * score:.2f}%" height="{BAR}"/>')
    return "".join([*parts, "</svg>"])


def funnel_bars(funnel: Funnel) -> str:
    """A bar per step, as wide as its share of what was generated; behind it, what the step rejected."""
    whole = max(funnel.generated, 1)
    says = ", ".join(f"{one.kept:,} {one.step}" for one in funnel.steps)
    parts = [drawing(ROW * len(funnel.steps), f"Rows that came through each step: {says}", "figure")]
    before = funnel.generated
    for row, one in enumerate(funnel.steps):
        y, width, lost = ROW * row + 5, 88 * one.kept / whole, 88 * (before - one.kept) / whole
        parts.append(f'<rect class="candidate" x="0" y="{y}" width="{width:.2f}%" height="{ROW - 10}"/>')
        parts.append(f'<rect class="lost" x="{width:.2f}%" y="{y}" width="{lost:.2f}%" height="{ROW - 10}"/>')
        parts.append(label(width + lost + 1, y + 13, f"{one.kept:,}", "tick", "start"))
        before = one.kept
    return "".join([*parts, "</svg>"])


def _whisker(x: float, low: float, high: float) -> list[str]:
    """An upright interval: its stem and its two ends, a sixtieth of the width across."""
    ends = [rule(x - 0.8, y, x + 0.8, y, "whisker") for y in (low, high)]
    return [rule(x, low, x, high, "whisker"), *ends]


def _within(arm: Arm) -> str:
    return f" (interval {arm.interval.low:.3f} to {arm.interval.high:.3f})" if arm.interval else ""


def sweep_curve(sweep: Sweep, *, height: int = 220) -> str:
    """Dev composite by synthetic share, mean over the seeds, with intervals. The control arm is a dashed line, the
    chosen arm is ringed."""
    control = next((arm for arm in sweep.arms if arm.name == "control"), None)
    arms = sorted((arm for arm in sweep.arms if arm is not control), key=lambda arm: (arm.synthetic_share, arm.name))
    mean = {arm.name: arm.dev.composite if arm.mean is None else arm.mean for arm in sweep.arms}
    values = [*mean.values(), *(end for arm in arms if arm.interval for end in (arm.interval.low, arm.interval.high))]
    low, high = max(0.0, min(values) - 0.04), min(1.0, max(values) + 0.04)
    right = max([0.5, *(arm.synthetic_share for arm in arms)])
    bottom = height - 42

    def x(share: float) -> float:
        return 12 + 80 * share / right

    def y(value: float) -> float:
        return 12 + (bottom - 12) * (high - value) / (high - low)

    says = "; ".join(
        f"{arm.name} {mean[arm.name]:.3f} at {arm.synthetic_share:.0%} synthetic{_within(arm)}" for arm in sweep.arms
    )
    parts = [drawing(height, f"Composite on dev by synthetic share: {says}. Chosen: {sweep.chosen}", "figure")]
    for value in ticks(low, high, most=5):
        parts += [rule(12, y(value), 96, y(value), "grid"), label(9, y(value) + 4, f"{value:.2f}", "tick", "end")]
    if control is not None:
        parts.append(rule(12, y(mean["control"]), 96, y(mean["control"]), "control-line"))
        parts.append(label(96, y(mean["control"]) - 6, "control: no new data", "tick", "end"))
    for one, two in pairwise(arms):
        ends = (x(one.synthetic_share), y(mean[one.name]), x(two.synthetic_share), y(mean[two.name]))
        parts.append(rule(*ends, "curve"))
    for arm in arms:
        at = (x(arm.synthetic_share), y(mean[arm.name]))
        if arm.interval:
            parts += _whisker(at[0], y(arm.interval.low), y(arm.interval.high))
        if arm.name == sweep.chosen:
            parts.append(dot(*at, 9, "ring"))
        parts += [dot(*at, 4, "candidate"), label(at[0], bottom + 16, f"{arm.synthetic_share:.0%}", "tick")]
    parts.append(label(54, height - 6, "synthetic share of the new rows", "tick"))
    return "".join([*parts, "</svg>"])
