"""JSON from strangers: read as data, every name once, and nothing that JSON itself does not have."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def strict_json(data: bytes) -> Any:
    """The value in `data`. Raises `ValueError` for what is no UTF-8 or JSON, for a name that an object has twice
    (readers differ in which one they take), for NaN and infinities, and for nesting deeper than Python can follow."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_named_once, parse_constant=_not_json)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"it names {', '.join(map(repr, twice[:3]))} twice")
    return found


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
