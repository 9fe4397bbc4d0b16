"""Times as records write them: UTC, to the second, such as 2026-03-01T12:00:00Z."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The time that `text` writes. Raises `ValueError` for any other form of it."""
    made = datetime.fromisoformat(text)
    if written(made) != text:
        raise ValueError(f"{text!r} is not a time such as 2026-03-01T12:00:00Z")
    return made


def later(text: str, *, days: int) -> str:
    """So many days after `text`. Raises `ValueError` for what is no time, or where the calendar has no such day."""
    try:
        return written(moment(text) + timedelta(days=days))
    except OverflowError as error:
        raise ValueError(f"there is no day {days} days after {text}") from error
