"""The workbench page's drawings, as inline SVG in the manner of `report_figures`: colours by class, words beside."""

from __future__ import annotations

from collections.abc import Sequence

from runner.edges.report_figures import ROW, dot, drawing, label, rule
from runner.records.workbench import Balance, ItemFigures, Power

BINS = 10
HEIGHT = 180
LEFT, WIDTH = 8.0, 90.0
"""Where the plotted area begins, and how wide it is, in per cent."""


def dumbbells(one: Balance) -> str:
    """Held-out and the other set, by the values that differ most: two dots and the way between."""
    says = "; ".join(
        f"{each.value}: {each.heldout:.0%} of held-out, {each.other:.0%} of {one.against}" for each in one.shifts
    )
    bottom = ROW * len(one.shifts) + 4
    widest = max([0.05, *(max(each.heldout, each.other) for each in one.shifts)])
    parts = [drawing(bottom + 20, f"{one.trait} in held-out and {one.against}. {says}", "figure")]
    for part in (0.0, 0.5, 1.0):
        x = 2 + 94 * part
        parts += [rule(x, 0, x, bottom, "grid"), label(x, bottom + 15, f"{widest * part:.0%}", "tick")]
    for row, each in enumerate(one.shifts):
        y = ROW * row + ROW / 2 + 2
        ours, theirs = (2 + 94 * value / widest for value in (each.heldout, each.other))
        parts += [rule(ours, y, theirs, y, "whisker"), dot(theirs, y, 5, "incumbent"), dot(ours, y, 5, "candidate")]
    return "".join([*parts, "</svg>"])


def difficulties(figures: Sequence[ItemFigures]) -> str:
    """A histogram of difficulty, ten bars, held-out stacked on the others."""
    counts = [[0, 0] for _ in range(BINS)]
    for one in figures:
        counts[min(BINS - 1, int(one.difficulty * BINS))][one.set == "heldout"] += 1
    most = max(1, *(sum(each) for each in counts))
    bottom = HEIGHT - 24
    says = ", ".join(
        f"{sum(each)} from {place / BINS:.1f} to {(place + 1) / BINS:.1f}" for place, each in enumerate(counts)
    )
    parts = [drawing(HEIGHT, f"Items by difficulty: {says}", "figure")]
    for place, (others, heldout) in enumerate(counts):
        x, width, y = LEFT + WIDTH * place / BINS, WIDTH / BINS - 0.6, float(bottom)
        for count, kind in ((others, "incumbent"), (heldout, "candidate")):
            tall = (bottom - 8) * count / most
            y -= tall
            parts.append(f'<rect class="{kind}" x="{x:.2f}%" y="{y:.1f}" width="{width:.2f}%" height="{tall:.1f}"/>')
        parts.append(label(x, bottom + 16, f"{place / BINS:.1f}", "tick"))
    parts += [label(LEFT - 1, 14, f"{most:,}", "tick", "end"), label(LEFT - 1, bottom, "0", "tick", "end")]
    return "".join([*parts, "</svg>"])


def scatter(figures: Sequence[ItemFigures]) -> str:
    """Discrimination over difficulty, a dot for each item that has both; a line at no discrimination."""
    shown = [one for one in figures if one.discrimination is not None]
    bottom = HEIGHT + 40

    def y(value: float) -> float:
        return 10 + (bottom - 10) * (1 - value) / 2

    parts = [drawing(bottom + 24, f"Discrimination by difficulty of {len(shown):,} items", "figure")]
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        parts.append(rule(LEFT, y(value), LEFT + WIDTH, y(value), "zero" if value == 0 else "grid"))
        parts.append(label(LEFT - 1, y(value) + 4, f"{value:g}".replace("-", "\N{MINUS SIGN}"), "tick", "end"))
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(label(LEFT + WIDTH * value, bottom + 18, f"{value:g}", "tick"))
    for one in shown:
        kind = "candidate" if one.set == "heldout" else "incumbent"
        parts.append(dot(LEFT + WIDTH * one.difficulty, y(one.discrimination or 0.0), 3, kind))
    return "".join([*parts, "</svg>"])


def detectable(power: Power) -> str:
    """For each capability the smallest gain that held-out can see; one that it cannot see has no dot."""
    bottom = ROW * len(power.rows) + 4
    said = "; ".join(
        f"{one.capability}: {'none' if one.difference is None else f'{one.difference:.0%}'}" for one in power.rows
    )
    parts = [drawing(bottom + 22, f"Smallest gain that is found on held-out. {said}", "figure")]
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = 2 + 94 * value
        parts += [rule(x, 0, x, bottom, "grid"), label(x, bottom + 16, f"{value:.0%}", "tick")]
    for row, one in enumerate(power.rows):
        if one.difference is not None:
            parts.append(dot(2 + 94 * one.difference, ROW * row + ROW / 2 + 2, 5, "candidate"))
    return "".join([*parts, "</svg>"])
