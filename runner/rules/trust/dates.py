"""Step 1: when main's commits were made, by what whoever made them wrote.

`verify` judges what is no promotion at its commit's time. So main's dates rise, and at the door none is ahead of the
clock: a date that is still to come would keep everybody else's honest commits out.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runner.records.verdict import Reason
from runner.rules import times
from runner.rules.trust.facts import Facts

SKEW = 600
"""Seconds that the clock of whoever merges may be ahead."""
HINT = "make the merge again, on a machine whose clock is right"


def written(seconds: int) -> str:
    """A commit's time, in seconds since 1970, as records write it."""
    return times.written(datetime.fromtimestamp(seconds, UTC))


def date_problems(facts: Facts, *, step: str) -> list[Reason]:
    """Why the step's date cannot be believed. Equal times are in order: git counts whole seconds."""
    (old, new), said = facts.times, f"{facts.new[:12]} is dated {written(facts.times[1])}"
    found = []
    if new < old:
        found.append(f"{said}, before {facts.old[:12]} of {written(old)}")
    if facts.clock and new > times.moment(facts.clock).timestamp() + SKEW:
        found.append(f"{said}, and it is {facts.clock}")
    return [Reason(step=step, problem=f"1.2 date: {problem}", hint=HINT) for problem in found]
