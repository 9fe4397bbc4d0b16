"""Whether a text mentions something, and says so: "does not include X" mentions X without saying that X is included.

A mention is negated by a word before it in its own clause, at most a window away, or by words right after it. Two
negations side by side cancel out ("not without X"). A clause ends at a full stop, a semicolon, a colon, a question or
exclamation mark, a dash, a line's end, and before a word such as "but". Which words do so is the language's; the
English ones stand here, and a rubric may list others. It is a rule of thumb with a fixed reach, not a parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from runner.records.graders import Negation
from runner.rules.text.shown import quoted

MOST_LOOKED_AT = 2_000
"""Mentions of one thing in a text; what more of them say is not looked at."""

_NT = r"\w+n['\u2019]t"
_BEFORE = (
    rf"{_NT}|cannot|not(?!\s+only\b)|no(?!,)|never|none|nothing|neither|nor|without|lacks?|lacking|fails?\s+to"
    r"|failed\s+to|excludes?|excluding|omits?|omitting|except(?:\s+for)?|instead\s+of|rather\s+than"
)
_AFTER = (
    rf"(?:is|are|was|were|will|would|should|could|can|do|does|did|has|have|had|must|may)\s+(?:not(?!\s+only\b)|never)"
    rf"|cannot|{_NT}|(?:is|are|was|were)\s+(?:excluded|omitted|missing|absent)"
)
_BOUNDARIES = r"but|however|although|though|whereas|while|yet|instead(?!\s+of)"
_STOPS = r"[.!?;:](?=\s)|[\n\u2013\u2014]|\s-\s"


class Words(NamedTuple):
    """A negation's words as patterns."""

    before: re.Pattern[str]
    after: re.Pattern[str]
    ends: re.Pattern[str]


class Mention(NamedTuple):
    """Whether something is said, and where it is only negated, the words around it."""

    said: bool
    negated: str = ""
    more: bool = False
    """There are more mentions than were looked at, each of which was negated."""


def mention(text: str, value: str, *, whole_words: bool, negation: Negation | None) -> Mention:
    """How `text` mentions `value`, both as they are compared. Nothing is no mention."""
    if not value:
        return Mention(False)
    if negation is None and not whole_words:
        return Mention(value in text)
    negated = ""
    for number, at in enumerate(_places(text, value, whole_words=whole_words)):
        if number == MOST_LOOKED_AT:
            return Mention(False, negated, more=True)
        if negation is None or not _negated(text, at, at + len(value), negation):
            return Mention(True)
        negated = negated or quoted(text[max(0, at - negation.window) : at + len(value) + 16], longest=100)
    return Mention(False, negated)


def _places(text: str, value: str, *, whole_words: bool) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not whole_words or not (_inside(text, at) or _inside(text, end)):
            yield at
        at = text.find(value, at + 1)


def _inside(text: str, at: int) -> bool:
    """Whether a word goes on over this place."""
    return 0 < at < len(text) and _letter(text[at - 1]) and _letter(text[at])


def _letter(one: str) -> bool:
    return one.isalnum() or one == "_"


def _negated(text: str, start: int, end: int, negation: Negation) -> bool:
    words = _words(negation)
    begins = max(0, start - negation.window)
    for stop in words.ends.finditer(text, begins, start):
        begins = stop.end()
    if _odd([found.span() for found in words.before.finditer(text, begins, start)], text):
        return True
    return words.after.match(text, end) is not None


def _odd(spans: list[tuple[int, int]], text: str) -> bool:
    """Whether a negation is left when neighbours have cancelled out."""
    left: list[tuple[int, int]] = []
    for span in spans:
        if left and not text[left[-1][1] : span[0]].strip():
            left.pop()
        else:
            left.append(span)
    return bool(left)


@lru_cache(maxsize=256)
def _words(negation: Negation) -> Words:
    before = _listed(negation.before) or _BEFORE
    after = _listed(negation.after) or _AFTER
    boundaries = _listed(negation.boundaries) or _BOUNDARIES
    return Words(
        re.compile(rf"(?<!\w)(?:{before})(?!\w)", re.IGNORECASE),
        re.compile(rf"[\"'\u201d\u2019)]?\s+(?:{after})(?!\w)", re.IGNORECASE),
        re.compile(rf"{_STOPS}|(?<!\w)(?:{boundaries})(?!\w)", re.IGNORECASE),
    )


def _listed(words: tuple[str, ...]) -> str:
    """Longer ones first, so that none hides behind its own beginning."""
    return "|".join(r"\s+".join(map(re.escape, one.split())) for one in sorted(words, key=len, reverse=True))
