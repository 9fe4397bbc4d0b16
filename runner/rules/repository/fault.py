"""One thing of a reviewed file that does not hold, as both `check` and a gate can say it."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """In which file, at which field, what, and the fix."""

    path: str
    field: str
    problem: str
    hint: str
