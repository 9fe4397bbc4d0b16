"""JSON of other programs' logs, which write numbers and characters that JSON does not have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import RecordError


def json_object(data: bytes, path: Path, *, what: str = "", line: int | None = None) -> dict[str, Any]:
    """The object in `data`; a half of a surrogate pair becomes a question mark. Raises `RecordError` for no object."""
    named = f"{what} " if what else ""
    try:
        found = json.loads(data)
        if b"\\ud" in data.lower():
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{named}is no JSON: {error}", path=str(path), line=line) from error
    if not isinstance(found, dict):
        raise RecordError(f"{named}is no JSON object", path=str(path), line=line)
    return found


def finite(value: Any) -> float | None:
    """A number that JSON has; None for anything else."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None


def listed(value: Any) -> Sequence[Any]:
    """A list as it stands; nothing of anything else."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """An object as it stands; nothing of anything else."""
    return value if isinstance(value, dict) else {}
