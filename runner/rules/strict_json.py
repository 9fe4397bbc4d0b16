"""JSON from strangers: read as data, every name once, and nothing that JSON itself does not have, or that its readers
read as different things (RFC 8259, sections 4, 6 and 8; RFC 7493, I-JSON)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

import rfc8785

DEEPEST = 100
MOST_DIGITS = 4_300
"""Of a whole number: Python reads no longer ones, since that takes time that grows with the square."""


def strict_json(data: bytes) -> Any:
    """The value in `data`. Raises `ValueError` for what is no UTF-8 or JSON, for a name that an object has twice
    (readers differ in which one they take), for NaN, infinities and halves of surrogate pairs, for a whole number of
    more than `MOST_DIGITS`, with its line, and for nesting deeper than `DEEPEST`."""
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except _TooLong as error:
        line = text.count("\n", 0, text.index(error.digits)) + 1
        digits = len(error.digits.lstrip("-"))
        problem = f"the number on its line {line} has {digits:,} digits, and {MOST_DIGITS:,} are read at most"
        raise ValueError(f"{problem}: shorten it, or write it as a text between quotes") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _not_deep(value)
    if "\\u" in text:
        _whole_characters(value)
    return value


def canonical_json(data: bytes) -> Any:
    """The value in `data`, which is its one canonical form (RFC 8785). Raises `ValueError` for any other bytes."""
    value = strict_json(data)
    if rfc8785.dumps(value) != data:
        raise ValueError("it is not in its canonical form")
    return value


def strict_lines(data: bytes) -> None:
    """Every line of a JSON Lines file is strict JSON. Raises `ValueError` with the line's number."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                strict_json(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _not_deep(value: Any) -> None:
    """A level at a time: the call stack's depth depends on who calls."""
    level = [value]
    for _ in range(DEEPEST + 1):
        below = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list)))
        level = [child for parts in below for child in parts if isinstance(child, (dict, list))]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _whole_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("half a surrogate pair stands in it") from error


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


class _TooLong(ValueError):
    """A whole number of more than `MOST_DIGITS`."""

    def __init__(self, digits: str) -> None:
        super().__init__(digits[:20])
        self.digits = digits


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS and len(text.lstrip("-")) > MOST_DIGITS:
        raise _TooLong(text)
    return int(text)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = sorted(name for name, often in Counter(name for name, _ in pairs).items() if often > 1)
        raise ValueError(f"it names {', '.join(map(repr, twice[:3]))} twice")
    return found


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_named_once, parse_constant=_not_json, parse_float=_finite, parse_int=_whole
)
