"""Markdown that is made of records: plain words, tables, figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.records.significance import Interval
from runner.rules.text.shown import shown

NOT_STATED = "*not stated*"
NONE = "-"
"""What stands in a cell that has no figure."""
BAR = 40
"""Characters of a bar that stands for 1."""


def inline(text: str) -> str:
    """Somebody's words on one line, as words: no HTML, nothing that ends a cell, no letter that nobody sees."""
    return " ".join(shown(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def sentence(text: str) -> str:
    """Somebody's words with a stop behind them."""
    said = inline(text)
    return said if said.endswith((".", "!", "?")) else f"{said}."


def stated(text: str) -> str:
    """What people state, or that they do not."""
    return inline(text) if text.strip() else NOT_STATED


def code(text: str) -> str:
    """An id, a digest or a path; nothing that holds a backtick stands in one."""
    return f"`{text.replace('`', chr(39))}`"


def digest(text: str | None) -> str:
    """A digest's first twelve digits."""
    return code(text[:12]) if text else "none"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; no rows are said to be none."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return "None."
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "None."


def figure(value: float | None) -> str:
    """A score with three decimals; a dash where there is none."""
    return NONE if value is None else f"{value:.3f}"


def within(value: float, interval: Interval | None) -> str:
    """`0.715 (0.682 to 0.748)`."""
    return f"{value:.3f}" + (f" ({interval.low:.3f} to {interval.high:.3f})" if interval else "")


def percent(value: float) -> str:
    return f"{value:.0%}"


def bar(value: float) -> str:
    """A share as a bar."""
    return "█" * round(max(0.0, min(1.0, value)) * BAR)


def count(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
