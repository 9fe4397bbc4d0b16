"""Markdown that is made of records: plain words, tables, figures with their intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from runner.records.significance import Interval

NOT_STATED = "*not stated*"
NONE = "-"
"""What stands in a cell that has no figure."""
BAR = 40
"""Characters of a bar that stands for 1."""
_UNSEEN = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f"
    r"\u202a-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U0010ffff]"
)
"""What `rules.text.shown` writes out, as a list of its own: each Python brings its own Unicode, and every one must make
the same bytes. A letter that is too new for one of them stands as it is."""
_MARKUP = re.compile(r"\\(?=\|)|\||(?<=\])\(")
"""What makes a link or an image of brackets, or ends a cell; and a backslash that would escape the mark before that."""
_BLOCK = re.compile(r"\[|#{1,6}(?: |$)|>|[-+*](?: |$)|`{3}|~{3}|([-*_])(?: ?\1){2,}$")
"""What makes a heading, a list, a quotation, a code block, a rule or a link's definition of a line."""
_NUMBERED = re.compile(r"\A([0-9]{1,9})(?=[.)](?: |$))")


def visible(text: str) -> str:
    """`text` with every character that nobody sees written out as its code, such as \\u202e."""
    return _UNSEEN.sub(lambda found: _code_of(found[0]), text)


def _code_of(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def inline(text: str) -> str:
    """Somebody's words on one line, as words: no HTML, no link or image, nothing that ends a cell or begins a heading,
    a list or a block, no letter that nobody sees."""
    line = " ".join(visible(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    line = _NUMBERED.sub(r"\1\\", _MARKUP.sub(r"\\\g<0>", line))
    return f"\\{line}" if _BLOCK.match(line) else line


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
