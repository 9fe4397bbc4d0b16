"""What `hallmark doctor` says: one finding a line, each with why it matters and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNSEEN = "not looked at"


WORST = (Level.PROBLEM, Level.WARNING, Level.UNSEEN, Level.OK)


class Finding(NamedTuple):
    """`what` was found by the check of that name. `fix` is a command, wherever one does it."""

    check: str
    level: Level
    what: str
    why: str = ""
    fix: str = ""


class Unseen(NamedTuple):
    """A fact that could not be collected, or that there is nothing of: never taken for a good one."""

    why: str
    fix: str = ""


class Said(NamedTuple):
    """What a rule makes of a fact, before it has the name of its check."""

    level: Level
    what: str
    why: str = ""
    fix: str = ""


def ok(what: str) -> Said:
    return Said(Level.OK, what)


def warning(what: str, *, why: str, fix: str = "") -> Said:
    return Said(Level.WARNING, what, why, fix)


def problem(what: str, *, why: str, fix: str = "") -> Said:
    return Said(Level.PROBLEM, what, why, fix)


def unseen(fact: Unseen) -> Said:
    return Said(Level.UNSEEN, fact.why, "what was not looked at may be right or wrong", fact.fix)


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether nothing stands in the way: warnings, and what was not looked at, do not."""
    return all(one.level is not Level.PROBLEM for one in findings)
