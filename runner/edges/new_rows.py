"""How many rows of a data file an earlier one did not have. Neither file is held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from runner.edges.traces.held import Held
from runner.errors import DataError
from runner.records.base import Record

R = TypeVar("R", bound=Record)


def rows(path: Path, kind: type[R]) -> Iterator[R]:
    """The rows of a JSON lines file. Raises `DataError` at the first that is none of its kind."""
    with path.open("rb") as file:
        for number, line in _lines(file):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                raise DataError(
                    f"{path.name} line {number} is no {kind.__name__}: {error.errors()[0]['msg']}"
                ) from error


def new_rows(before: Path | None, now: Path, kind: type[R], *, says: Callable[[R], bytes | None]) -> int:
    """How many different rows `now` has that `before` does not. `says` gives what makes a row that row; nothing for one
    that does not count."""
    held = Held()
    try:
        for row in rows(before, kind) if before is not None else ():
            _is_new(held, says(row))
        return sum(_is_new(held, says(row)) for row in rows(now, kind))
    finally:
        held.close()


def _is_new(held: Held, said: bytes | None) -> bool:
    return said is not None and held.is_new(hashlib.sha256(said).digest()[:16])


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(file, 1) if line.strip())
