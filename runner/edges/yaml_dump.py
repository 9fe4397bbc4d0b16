"""Plain values as YAML that a person would have written: block style, quotes where needed, literal blocks for lines.

This is the canonical form of a reviewed file: what Hallmark writes, and what `hallmark fmt` makes of what people write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from runner.edges.yaml_scalars import INVISIBLE, escape, plain

_SAFE_START = re.compile(r"[^\W_]|\(|/(?=\w)", re.UNICODE)
_UNSAFE = re.compile(rf": |:\Z| #|[\x00-\x1f{INVISIBLE}]|\s\Z")
_ESCAPED = re.compile(f"[{INVISIBLE}]")
_FLOW = frozenset("[]{}")


class Remark(NamedTuple):
    """The comments that belong to a field or an item. An empty line among them is an empty text."""

    above: tuple[str, ...] = ()
    beside: str = ""
    below: tuple[str, ...] = ()
    """After the last of what it holds."""


At = tuple[str | int, ...]
"""Where a field or an item stands: keys and places from the top."""
Remarks = Mapping[At, Remark]
NONE = Remark()
NO_REMARKS: Remarks = {}


def dump(value: Any, *, remarks: Remarks = NO_REMARKS) -> bytes:
    """YAML of a JSON value (str keys; dict, list or tuple, str, int, float, bool, None). `load(dump(x)).value == x`."""
    return ("\n".join(_block(value, "", (), remarks)) + "\n").encode()


def _block(value: Any, indent: str, at: At, remarks: Remarks) -> Iterator[str]:
    """The lines of a value, each starting with `indent`."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            here = (*at, key)
            yield from _own_lines(remarks.get(here, NONE).above, indent)
            yield from _entry(f"{indent}{_text(key, key=True)}:", item, indent, here, remarks)
    elif isinstance(value, (list, tuple)) and value:
        for number, item in enumerate(value):
            here = (*at, number)
            yield from _own_lines(remarks.get(here, NONE).above, indent)
            yield from _item(item, indent, here, remarks)
    else:
        yield f"{indent}{_flat(value)}"
    yield from _own_lines(remarks.get(at, NONE).below, indent)


def _own_lines(comments: Iterable[str], indent: str) -> Iterator[str]:
    return (f"{indent}{line}" if line else "" for line in comments)


def _entry(head: str, value: Any, indent: str, at: At, remarks: Remarks) -> Iterator[str]:
    """`head` ends in a colon or a dash; the value follows on the same line or below."""
    beside = remarks.get(at, NONE).beside
    beside = f"  {beside}" if beside else ""
    if isinstance(value, (dict, list, tuple)) and value:
        yield head + beside
        yield from _block(value, indent + "  ", at, remarks)
    elif isinstance(value, str) and _literal(value):
        yield f"{head} |" + ("" if value.endswith("\n") else "-") + beside
        for line in value.removesuffix("\n").split("\n"):
            yield f"{indent}  {line}" if line else ""
    else:
        yield f"{head} {_flat(value)}{beside}"


def _item(value: Any, indent: str, at: At, remarks: Remarks) -> Iterator[str]:
    if isinstance(value, dict) and value:
        lines = _block(value, indent + "  ", at, remarks)
        yield f"{indent}- {next(lines).lstrip(' ')}"
        yield from lines
    else:
        yield from _entry(f"{indent}-", value, indent, at, remarks)


def _flat(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text if "." in text else f"{text}.0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    return "[]" if isinstance(value, (list, tuple)) else "{}"


def _literal(text: str) -> bool:
    """Whether a literal block says exactly `text`."""
    lines = text.removesuffix("\n").split("\n")
    clean = all(not line or (line.strip() and not _ESCAPED.search(line)) for line in lines)
    visible = not any(character < " " for line in lines for character in line)
    return len(lines) > 1 and clean and visible and bool(lines[0]) and bool(lines[-1]) and lines[0][0] != " "


def _text(text: str, *, key: bool = False) -> str:
    """`text` plain where that is safe, else in double quotes."""
    safe = bool(_SAFE_START.match(text)) and not _UNSAFE.search(text) and plain(text) == text
    if safe and isinstance(plain(text), str) and not (_FLOW & set(text)) and not (key and len(text) > 100):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: escape(match[0]), quoted)
