"""The number of the gate's rule before the words of what could not even be read for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import RecordError, VerificationError


@contextmanager
def told_by(rule: str) -> Iterator[None]:
    """Bad data that is found within is refused by `rule`. What the outside could not do stays what it is."""
    try:
        yield
    except (RecordError, VerificationError) as error:
        raise VerificationError(f"{rule}: {error}") from error
