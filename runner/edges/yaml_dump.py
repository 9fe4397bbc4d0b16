"""Plain values as YAML that a person would have written: block style, quotes where needed, literal blocks for lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from runner.edges.yaml_scalars import INVISIBLE, escape, plain

_SAFE_START = re.compile(r"[^\W_]|\(|/(?=\w)", re.UNICODE)
_UNSAFE = re.compile(rf": |:\Z| #|[\x00-\x1f{INVISIBLE}]|\s\Z")
_ESCAPED = re.compile(f"[{INVISIBLE}]")
_FLOW = frozenset("[]{}")


def dump(value: Any) -> bytes:
    """YAML of a JSON value (str keys; dict, list or tuple, str, int, float, bool, None). `load(dump(x)).value == x`."""
    return ("\n".join(_block(value, "")) + "\n").encode()


def _block(value: Any, indent: str) -> Iterator[str]:
    """The lines of a value, each starting with `indent`."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{indent}{_text(key, key=True)}:", item, indent)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            yield from _item(item, indent)
    else:
        yield f"{indent}{_flat(value)}"


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    """`head` ends in a colon; the value follows on the same line or below."""
    if isinstance(value, (dict, list, tuple)) and value:
        yield head
        yield from _block(value, indent + "  ")
    elif isinstance(value, str) and _literal(value):
        yield f"{head} |" + ("" if value.endswith("\n") else "-")
        for line in value.removesuffix("\n").split("\n"):
            yield f"{indent}  {line}" if line else ""
    else:
        yield f"{head} {_flat(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        lines = _block(value, indent + "  ")
        yield f"{indent}- {next(lines).lstrip(' ')}"
        yield from lines
    elif isinstance(value, (list, tuple)) and value:
        yield f"{indent}-"
        yield from _block(value, indent + "  ")
    else:
        yield from _entry(f"{indent}-", value, indent)


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
