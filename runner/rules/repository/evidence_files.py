"""Evidence files read as what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.base import Record
from runner.records.dataset import Batch
from runner.records.evidence import EvidenceFile
from runner.rules.strict_json import strict_json

R = TypeVar("R", bound=Record)


def record(files: Mapping[str, bytes], name: EvidenceFile, kind: type[R]) -> R | None:
    """The record in a file, None where there is no such file. Raises `RecordError` that names the file."""
    return parsed(files[name], name, kind) if name in files else None


def parsed(data: bytes | str, name: str, kind: type[R], line: int | None = None) -> R:
    """What `data`, of the file `name`, says. Raises `RecordError` with the first thing that is wrong with it."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise RecordError(first["msg"], path=name, line=line, field=field) from error


def batches(files: Mapping[str, bytes]) -> tuple[Batch, ...]:
    """`provenance.json`: a list of batches, or a record that holds one as `batches`. Raises `RecordError`."""
    name = EvidenceFile.PROVENANCE
    if name not in files:
        return ()
    try:
        found = strict_json(files[name])
    except ValueError as error:
        raise RecordError(f"not JSON: {error}", path=name) from error
    rows = found.get("batches", []) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise RecordError("is no list of batches, and holds none", path=name)
    return tuple(parsed(json.dumps(row), name, Batch) for row in rows)
