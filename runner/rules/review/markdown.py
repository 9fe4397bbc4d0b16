"""A review as a pull-request comment, which is found again by its first line and written over, not repeated.

Whatever strangers wrote stands in code spans: GitHub takes nothing in them for markup, mentions, links or HTML
(CommonMark 0.31, 6.1), and on one line nothing can end the paragraph they stand in.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

from runner.records.change_review import ChangeReview
from runner.rules.review.told import Line, Quote, Red, Section, count
from runner.rules.review.words import headline, sections
from runner.rules.text.shown import shorten, shown

MARKER = "<!-- hallmark-review -->"
"""By which the comment of an earlier review is found."""
LONGEST = 65_536
"""Characters of a comment, GitHub's limit; bytes are counted, which are never fewer."""
LIMITS = (100_000, 1_000, 300, 100, 50, 20, 10, 5, 2, 0)
"""Items shown of a section, the most that fit."""
FEW = 8
"""Items that are shown without a click."""
LONGEST_QUOTE = 300


def markdown(review: ChangeReview) -> str:
    """The comment. The same review gives the same text; what does not fit is left out and counted: items first, and
    where a change concerns very many clusters, whole sections, the last ones."""
    found = sections(review)
    for most in LIMITS:
        text = _comment(review, found, most)
        if len(text.encode()) <= LONGEST:
            return text
    fitting = bisect_right(range(1, len(found)), LONGEST, key=partial(_size, review, found))
    return _comment(review, found, 0, kept=fitting)


def _size(review: ChangeReview, found: Sequence[Section], kept: int) -> int:
    return len(_comment(review, found, 0, kept=kept).encode())


@lru_cache(maxsize=8192)
def code(text: str) -> str:
    """A code span that says `text` on one line, whatever it holds."""
    line = shorten(shown(text), longest=LONGEST_QUOTE)
    if not line:
        return "*nothing*"
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _comment(review: ChangeReview, found: Sequence[Section], most: int, *, kept: int | None = None) -> str:
    """Of the sections the first `kept`, or all; of each at most so many items, and lines where there are no items."""
    shown_ = found[:kept]
    parts = [MARKER, "## What this change means", *map(_line, headline(review))]
    parts += [text for one in shown_ for text in _section(one, most)]
    lines = sum(max(0, len(one.items) - most) + _cut(one, most) for one in shown_)
    left = [count(lines, "line")] if lines else []
    left += [count(len(found) - len(shown_), "section")] if len(shown_) < len(found) else []
    if left:
        told = " and ".join(left)
        parts.append(f"*{told} left out: the comment would be too long. `hallmark review` says all.*")
    parts.append(f"<sub>From {code(review.base[:12])} to {code(review.head[:12])}.</sub>")
    return "\n\n".join(parts) + "\n"


def _section(section: Section, most: int) -> Iterator[str]:
    yield f"### {section.title}"
    if section.lines:
        cut = _cut(section, most)
        lines = [*section.lines[:FEW], (f"… and {cut:,} more",), section.lines[-1]] if cut else section.lines
        yield "<br>\n".join(map(_line, lines))
    items = _items(section, most)
    if not items:
        return
    if len(section.items) > FEW:
        yield f"<details><summary>{count(len(section.items), 'line')}</summary>"
        yield items
        yield "</details>"
    else:
        yield items


def _cut(section: Section, most: int) -> int:
    """How many lines are left out, where not even without items the comment fits: the first `FEW` stay and the last,
    which says what the items are."""
    return max(0, len(section.lines) - FEW - 1) if most == 0 else 0


def _items(section: Section, most: int) -> str:
    lines = []
    for item in section.items[:most]:
        lines.append(f"- {_line(item.line)}")
        lines += [f"  - {_line(line)}" for line in item.under]
    left = len(section.items) - most
    if lines and left > 0:
        lines.append(f"- … and {left:,} more")
    return "\n".join(lines)


def _line(line: Line) -> str:
    return "".join(map(_part, line)).strip()


def _part(part: str | Quote | Red) -> str:
    if isinstance(part, Quote):
        return code(part.text)
    return f"🔴 **{part.text}**" if isinstance(part, Red) else part


def plain(review: ChangeReview) -> str:
    """The review for a terminal."""
    lines = [*(_told(line) for line in headline(review))]
    for section in sections(review):
        lines += ["", section.title, *(f"  {_told(line)}" for line in section.lines)]
        for item in section.items:
            lines += [f"  - {_told(item.line)}", *(f"      {_told(line)}" for line in item.under)]
    return "\n".join(lines) + "\n"


def _told(line: Line) -> str:
    parts: Sequence[str] = [shown(part.text) if isinstance(part, Quote | Red) else part for part in line]
    return " ".join("".join(parts).split())
