"""A signed payload as the statement that it is."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from runner.errors import VerificationError
from runner.records.base import Record
from runner.rules.strict_json import canonical_json

S = TypeVar("S", bound=Record)


def statement(kind: type[S], payload: bytes) -> S:
    """A signed payload as its statement. Raises `VerificationError` for all but the canonical bytes of one: what
    readers could take for two things, nobody has signed."""
    try:
        canonical_json(payload)
        return kind.model_validate_json(payload, strict=True)
    except ValidationError as error:
        raise VerificationError(f"its statement says {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise VerificationError(f"its statement cannot be read: {error}") from error
