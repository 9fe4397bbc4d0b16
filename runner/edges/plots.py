"""Pictures for the evidence bundle, by matplotlib. The same sweep gives the same bytes: no dates, salted ids."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import Any

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
    found = [score for name, score in sorted(arm.dev.capabilities.items()) if name in capabilities]
    return sum(found) / len(found)


def _series(sweep: Sweep, targeted: Collection[str]) -> list[tuple[str, str, dict[str, float]]]:
    """(label, colour, score by arm): the composite, and targeted and other capabilities where both are there."""
    known = {name for arm in sweep.arms for name in arm.dev.capabilities}
    weak, others = known & set(targeted), known - set(targeted)
    series = [("all capabilities", "#1f4e79", {arm.name: arm.dev.composite for arm in sweep.arms})]
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
    chosen = next((arm for arm in sweep.arms if arm.name == sweep.chosen), None)
    if chosen is not None and chosen.name != CONTROL:
        at = (chosen.synthetic_share, chosen.dev.composite)
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
