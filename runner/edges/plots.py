"""Pictures by matplotlib: the sweep for the evidence bundle, and a collapse simulation for people. The same figures
give the same bytes: no dates, salted ids."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import Any

from runner.records.collapse import Collapse, Line, Regime
from runner.records.training import Arm, Sweep

SALT = "hallmark"
CONTROL = "control"
STYLE: Mapping[str, Any] = {
    "svg.hashsalt": SALT,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b6760",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e0d9",
    "legend.frameon": False,
}


def _mean(arm: Arm, capabilities: Collection[str]) -> float:
    """Over the capabilities and the arm's seeds."""
    scores = [arm.dev, *(one.dev for one in arm.more_seeds)]
    found = [score for dev in scores for name, score in sorted(dev.capabilities.items()) if name in capabilities]
    return sum(found) / len(found)


def _composite(arm: Arm) -> float:
    return arm.dev.composite if arm.mean is None else arm.mean


def _series(sweep: Sweep, targeted: Collection[str]) -> list[tuple[str, str, dict[str, float]]]:
    """(label, colour, score by arm): the composite, and targeted and other capabilities where both are there."""
    known = {name for arm in sweep.arms for name in arm.dev.capabilities}
    weak, others = known & set(targeted), known - set(targeted)
    series = [("all capabilities", "#1f4e79", {arm.name: _composite(arm) for arm in sweep.arms})]
    if weak and others and all(set(arm.dev.capabilities) == known for arm in sweep.arms):
        series.append(("targeted", "#a4501c", {arm.name: _mean(arm, weak) for arm in sweep.arms}))
        series.append(("others", "#6b6760", {arm.name: _mean(arm, others) for arm in sweep.arms}))
    return series


def _draw(axes: Any, sweep: Sweep, targeted: Collection[str]) -> None:
    arms = sorted((arm for arm in sweep.arms if arm.name != CONTROL), key=lambda arm: (arm.synthetic_share, arm.name))
    shares = [arm.synthetic_share for arm in arms]
    for label, colour, score in _series(sweep, targeted):
        axes.plot(shares, [score[arm.name] for arm in arms], marker="o", markersize=5, color=colour, label=label)
        if CONTROL in score:
            axes.axhline(
                score[CONTROL], color=colour, linestyle=(0, (4, 3)), linewidth=1, label=f"{label}, control arm"
            )
    banded = [arm for arm in arms if arm.interval]
    if banded:
        low, high = ([getattr(arm.interval, end) for arm in banded] for end in ("low", "high"))
        level = banded[0].interval.level if banded[0].interval else 0.0
        band = [arm.synthetic_share for arm in banded]
        axes.fill_between(band, low, high, color="#1f4e79", alpha=0.15, linewidth=0, label=f"{level:.0%} interval")
    chosen = next((arm for arm in sweep.arms if arm.name == sweep.chosen), None)
    if chosen is not None and chosen.name != CONTROL:
        at = (chosen.synthetic_share, _composite(chosen))
        axes.plot(*at, marker="o", markersize=14, markerfacecolor="none", markeredgecolor="#1c1b1a", linestyle="none")
        axes.annotate(f"chosen: {chosen.name}", at, xytext=(0, 13), textcoords="offset points", ha="center")
    axes.set_xlim(-0.04, max([0.8, *(share + 0.05 for share in shares)]))
    axes.set_xticks(sorted(set(shares)), [f"{share:.0%}" for share in sorted(set(shares))])
    axes.margins(y=0.15)
    axes.set_xlabel("synthetic share of the new rows")
    axes.set_ylabel("score on dev")
    axes.set_title(f"Sweep: {sweep.shape.value.replace('-', ' ')}", loc="left")


def sweep_svg(sweep: Sweep, *, targeted: Collection[str] = ()) -> bytes:
    """The ratio curve on dev: score by synthetic share, the control arm as a dashed line, the chosen arm ringed.

    Capabilities in `targeted` and the others are drawn apart where the arms' scores name both kinds. Deterministic.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(dict(STYLE)):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        _draw(axes, sweep, targeted)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        out = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None, "Title": "Sweep on dev"})
    return out.getvalue()


REGIMES = {Regime.REPLACE: ("#a4501c", "replace"), Regime.ACCUMULATE: ("#1f4e79", "accumulate")}
PANELS = (
    ("score", "rare_score", "score on real dev", "rare labels"),
    ("tails", "", "rare n-grams still written", ""),
    ("distinct", "", "distinct word pairs written", ""),
)


def collapse_png(collapse: Collapse) -> bytes:
    """Score, tails and variety by generation, a line for each regime. Deterministic."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(dict(STYLE)):
        figure = Figure(figsize=(10.5, 3.6), layout="constrained", facecolor="white", dpi=120)
        for axes, panel in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            for line in collapse.lines:
                _line(axes, line, *panel)
            axes.set_title(panel[2], loc="left")
            axes.set_xlabel("generation")
            axes.set_xticks(range(max(len(line.generations) for line in collapse.lines)))
            axes.set_ylim(0, 1)
        figure.axes[-1].legend(*figure.axes[0].get_legend_handles_labels(), loc="upper right")
        figure.suptitle(
            f"{collapse.data}: {collapse.real} real rows, {collapse.steps} steps on them", x=0.01, ha="left"
        )
        out = io.BytesIO()
        FigureCanvasAgg(figure).print_png(out, metadata={"Software": None})
    return out.getvalue()


def _line(axes: Any, line: Line, field: str, beside: str, _title: str, beside_label: str) -> None:
    """One regime in one panel; `beside` is a second figure, dotted, where every generation has it."""
    colour, label = REGIMES[line.regime]
    numbers = [one.number for one in line.generations]
    axes.plot(numbers, [getattr(one, field) for one in line.generations], marker="o", color=colour, label=label)
    also = [getattr(one, beside) for one in line.generations] if beside else []
    if also and None not in also:
        axes.plot(numbers, also, linestyle=(0, (1, 2)), color=colour, label=f"{label}, {beside_label}")
