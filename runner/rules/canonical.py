"""Canonical bytes (RFC 8785) and the digests taken over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from runner.errors import RecordError


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value or record. Raises `RecordError` for what JSON cannot say: NaN, infinities, whole
    numbers beyond 2**53, halves of surrogate pairs."""
    try:
        if _rows_of_text(value):
            return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        is_record = hasattr(value, "model_dump")  # told by its method: what asks of envelopes alone begins sooner
        return rfc8785.dumps(value.model_dump(mode="json") if is_record else value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise RecordError(f"has no canonical JSON: {error}") from error


def _rows_of_text(value: Any) -> bool:
    """Whether it is a list of lists of text, as manifests and contexts are: thousands of rows, without a number or a
    name to order, which json writes in the same bytes and ten times as fast."""
    return isinstance(value, list) and all(
        isinstance(row, list) and all(isinstance(cell, str) for cell in row) for row in value
    )


def sha256(data: bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """sha256 of the canonical bytes of `value`."""
    return sha256(canonical(value))


def tree_digest(files: Mapping[str, bytes]) -> str:
    """sha256 over the canonical list of [path, sha256 of the bytes], sorted by path."""
    return digest([[path, sha256(files[path])] for path in sorted(files)])
