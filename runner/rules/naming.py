"""Names made from text: slugs, and ids that follow from contents."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from runner.rules.canonical import digest

LONGEST = 64


def slug(text: str, *, longest: int = LONGEST) -> str:
    """`text` as a slug: ASCII, lower case, runs of anything else as one hyphen. Empty where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].strip("-")


def content_id(prefix: str, value: Any, *, digits: int = 12) -> str:
    """`<prefix>-<first hex digits of the digest of value>`."""
    return f"{prefix}-{digest(value)[:digits]}"
