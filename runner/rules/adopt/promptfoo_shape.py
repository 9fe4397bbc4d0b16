"""One test of a promptfoo configuration, with every field in the shape that promptfoo gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runner.errors import RecordError
from runner.rules.adopt.items import Tally, text_of

READ = ("vars", "assert", "options", "metadata", "threshold", "description")
_SHAPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "vars": ((dict, str), "a mapping of names to values"),
    "assert": ((list,), "a list of assertions"),
    "options": ((dict,), "a mapping"),
    "metadata": ((dict,), "a mapping"),
    "threshold": ((int, float), "a number"),
    "description": ((str, int, float), "a text"),
}


class Test(NamedTuple):
    """What is left out has its empty value."""

    vars: Mapping[str, Any] | str
    """A text names a file."""
    asserts: Sequence[Any]
    options: Mapping[str, Any]
    metadata: Mapping[str, Any]
    threshold: float | None
    description: str


def shaped(said: Mapping[str, Any], place: str) -> Test:
    """Raises `RecordError` with the place and field of what has another shape."""
    for name, (kinds, what) in _SHAPES.items():
        value = said.get(name)
        if value is not None and not isinstance(value, kinds):
            raise RecordError(f"is not {what}", path=place, field=name, hint=f"{name} is {what}")
    threshold = said.get("threshold")
    if threshold is not None and not 0 <= threshold <= 1:
        raise RecordError(f"the threshold {threshold} is no share", path=place, field="threshold", hint="from 0 to 1")
    return Test(
        vars=said.get("vars") or {},
        asserts=said.get("assert") or [],
        options=said.get("options") or {},
        metadata=said.get("metadata") or {},
        threshold=float(threshold) if threshold else None,
        description=" ".join(text_of(said.get("description") or "").split()),
    )


def count_others(said: Mapping[str, Any], tally: Tally, place: str) -> None:
    """Fields of a test that are not read."""
    for key in sorted(map(str, said.keys() - {*READ})):
        tally.left(f"the field {key} of a test", "it is not taken over", place)
