"""A review's remarks at their lines, and as GitHub's workflow commands, which stand there in the pull request.

A command ends at the end of its line, and its properties at a colon or comma, so these are written as GitHub's own
toolkit writes them (actions/toolkit, packages/core/src/command.ts).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from runner.records.change_review import ChangeReview, Place
from runner.rules.review.figures import HOW
from runner.rules.review.told import LOOSENED
from runner.rules.review.words import loosenings
from runner.rules.text.shown import shown

MOST = 10
"""Annotations of a level that GitHub shows of one step."""


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Annotation(NamedTuple):
    level: Level
    at: Place
    title: str
    text: str


def commands(review: ChangeReview) -> str:
    """The commands, a line each. Of each level as many as GitHub shows, the last of them telling how many more there
    are."""
    found = list(remarks(review))
    lines = []
    for level in Level:
        of = [one for one in found if one.level is level]
        shown_ = of if len(of) <= MOST else of[: MOST - 1]
        lines += list(map(_command, shown_))
        if len(shown_) < len(of):
            lines.append(f"::{level}::and {len(of) - len(shown_)} more; the comment of the review tells of all")
    return "\n".join(lines) + "\n" if lines else ""


def remarks(review: ChangeReview) -> Iterator[Annotation]:
    """What is to be said at a line, in no order of weight."""
    for problem in review.refusals:
        hint = f" ({problem.hint})" if problem.hint else ""
        yield Annotation(Level.ERROR, problem.at, "Must be mended", f"{problem.problem}{hint}")
    for overlap in review.overlaps:
        level = Level.ERROR if overlap.leak else Level.WARNING
        alike = f"{overlap.scenario}: {HOW[overlap.how]} {overlap.other} ({overlap.similarity:.0%})"
        yield Annotation(level, overlap.at, "Leak" if overlap.leak else "Found elsewhere already", alike)
    for one in loosenings(review):
        said = f"{LOOSENED}: {one.meaning or one.field}: {one.before} → {one.after}"
        yield Annotation(Level.WARNING, one.at, LOOSENED, said)
    for coverage in review.coverage:
        for gap in coverage.gaps_opened:
            text = f"{gap.capability} has {gap.has} in {gap.set}: {gap.lacks}"
            at = Place(path=f"clusters/{coverage.cluster}/cluster.yaml")
            yield Annotation(Level.NOTICE, at, "A gap in the benchmark", text)


def _command(one: Annotation) -> str:
    place = f"file={_property(one.at.path)},line={one.at.line},title={_property(one.title)}"
    return f"::{one.level} {place}::{_data(shown(one.text))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(shown(text)).replace(":", "%3A").replace(",", "%2C")
