"""What time it is."""

from __future__ import annotations

from datetime import UTC, datetime

from runner.rules.times import written


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return written(datetime.now(UTC))
