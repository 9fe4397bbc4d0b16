"""Canonical bytes (RFC 8785) and the digests taken over them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

from runner.errors import RecordError
from runner.records.base import Record


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value or record. Raises `RecordError` for what JSON cannot say: NaN, infinities, whole
    numbers beyond 2**53, halves of surrogate pairs."""
    try:
        return rfc8785.dumps(value.model_dump(mode="json") if isinstance(value, Record) else value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise RecordError(f"has no canonical JSON: {error}") from error


def sha256(data: bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """sha256 of the canonical bytes of `value`."""
    return sha256(canonical(value))


def tree_digest(files: Mapping[str, bytes]) -> str:
    """sha256 over the canonical list of [path, sha256 of the bytes], sorted by path."""
    return digest([[path, sha256(files[path])] for path in sorted(files)])
