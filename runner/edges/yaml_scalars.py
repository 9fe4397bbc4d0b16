"""What a plain (unquoted) YAML scalar means, where every YAML reader agrees, and what is refused where they do not.

YAML 1.1 (PyYAML, libyaml) and YAML 1.2 (ruamel, editors) read `no`, `010`, `1_0`, `12:30:00` and `1e3` differently. A
reviewed file may not depend on who reads it, so such scalars must be quoted or written out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PlainValue = str | int | float | bool | None


class Surprise(NamedTuple):
    """Why a plain scalar is refused, and what to write instead."""

    problem: str
    hint: str


LARGEST_INTEGER = 2**53 - 1
"""Beyond this JSON readers lose digits (RFC 8259, section 6)."""

INVISIBLE = (
    r"\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff"
)
"""For a character class: controls, bidirectional marks, fillers and tags, which a reviewer cannot see. The two joiners
that scripts and emoji need (U+200C, U+200D) are not among them."""


def escape(character: str) -> str:
    """How a character is written between double quotes."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_WORDS: dict[str, PlainValue] = {"true": True, "false": False, "null": None}
_BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false"}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z")
_NUMBER_LIKE = (
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"), "a time or a base-60 number"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?\Z"), "a date"),
    (re.compile(r"[-+]?0[bxoBXO][0-9a-fA-F_]+\Z"), "a binary, octal or hexadecimal number"),
    (re.compile(r"[-+]?0[0-9_]+\Z"), "an octal number"),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)\Z"), "infinity or not-a-number"),
    (re.compile(r"[-+]?(?=[._]*[0-9])[0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?\Z"), "a number in an unusual form"),
)
_SUSPECTS = frozenset("yYnNtTfFoO~<=+-.0123456789")
"""First characters of every plain scalar that some YAML reader takes for something other than text."""
_NUMBERS = frozenset("+-.0123456789")
"""And of every one that is a number, or like one."""


def plain(text: str) -> PlainValue | Surprise:
    """What the plain scalar `text` says, or why it may not be plain."""
    if text and text[0] not in _SUSPECTS:
        return text
    if not text:
        return Surprise("has no value", 'write the value, or "" for an empty text')
    if text in _WORDS:
        return _WORDS[text]
    if text.lower() in _BOOLEANS:
        hint = f'write "{text}" for the text, or true or false'
        return Surprise(f"the unquoted {text} is a boolean to some YAML readers", hint)
    if text in {"~", "Null", "NULL"}:
        return Surprise(
            f"the unquoted {text} means nothing at all", f'write "{text}" for the text, or leave the key out'
        )
    if text in {"<<", "="}:
        return Surprise(f"the unquoted {text} has a special meaning in YAML", f'write "{text}"')
    return _number(text) if text[0] in _NUMBERS else text


def _number(text: str) -> PlainValue | Surprise:
    if _INTEGER.match(text):
        if len(text) > 17 or abs(int(text)) > LARGEST_INTEGER:
            return Surprise(
                f"the number {text[:24]} has more digits than JSON can carry", f'write "{text[:64]}" for the text'
            )
        return int(text)
    if _DECIMAL.match(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            return Surprise("the number is too large", "write a smaller number, or quote it")
        return value
    for pattern, meaning in _NUMBER_LIKE:
        if pattern.match(text):
            number = ", or a number in plain decimal digits, such as 0.004" if "number" in meaning else ""
            return Surprise(
                f"the unquoted {text} is {meaning} to some YAML readers", f'write "{text}" for the text{number}'
            )
    return text
