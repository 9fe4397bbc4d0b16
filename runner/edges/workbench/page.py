"""The workbench's report as one self-contained HTML page: no script, nothing loaded, same report, same bytes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files as resources
from typing import Any

from runner.edges.report import page_style
from runner.edges.workbench import drawings
from runner.records.workbench import WorkbenchReport
from runner.rules.text.shown import shown
from runner.rules.workbench import words

MOST = 40
"""Rows of a list that the page shows; JSON has them all."""


def page(report: WorkbenchReport) -> bytes:
    """UTF-8. Ids and traits are people's words, and escaped."""
    html: str = _template().render(
        report=report,
        most=MOST,
        hardest=words.hardest(report.items.figures, most=MOST),
        backwards=words.backwards(report.items.figures),
        apart=any(one.discrimination is not None for one in report.items.figures),
    )
    return html.encode()


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(
        style=page_style(),
        traits=words.TRAITS,
        gap=words.gap,
        shifts=words.shifts,
        headline=words.headline,
        dumbbells=drawings.dumbbells,
        difficulties=drawings.difficulties,
        scatter=drawings.scatter,
        detectable=drawings.detectable,
    )
    environment.filters.update(p=words.p_value, share=words.share, shown=shown)
    source = resources("runner").joinpath("templates", "workbench.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)
