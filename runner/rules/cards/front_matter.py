"""A card's front matter: a YAML block that every reader of YAML reads the same way.

Words stay plain where no version of YAML can take them for anything else; all other text is written as JSON writes it,
which YAML reads too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from runner.rules.handoff.words import visible

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*\Z")
NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
DIGITS = 6
"""Of a figure; more would be of no use to a reader, and powers of ten are no numbers to YAML 1.1."""


def front_matter(value: dict[str, Any]) -> str:
    """`value` between two `---` lines."""
    return "\n".join(["---", *_lines(value, ""), "---", ""])


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _entry(f"{indent}{_scalar(key)}:", below, f"{indent}  ")
    else:
        for below in value:
            first, *rest = _lines(below, f"{indent}  ") if _nested(below) else [_scalar(below)]
            yield f"{indent}- {first.lstrip()}"
            yield from rest


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if _nested(value):
        yield head
        yield from _lines(value, indent)
    else:
        yield f"{head} {_scalar(value)}"


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = PLAIN.match(value) and value.lower() not in NOT_TEXT
        return value if plain else _quoted(value)
    if isinstance(value, float):
        text = f"{value:.{DIGITS}f}".rstrip("0")
        return f"{text}0" if text.endswith(".") else text
    return json.dumps(value)


def _quoted(text: str) -> str:
    """As JSON, what YAML takes for a line break or nobody sees as its code."""
    said = visible(json.dumps(text, ensure_ascii=False))
    return said.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
