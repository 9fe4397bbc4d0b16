"""The incumbent's answers to the scenarios of a change, so that an author sees whether each is a real failure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.phases.common import Stopwatch, Task, graded
from runner.ports import Model, Ports
from runner.records.change_review import Place, Preview, Previewed, Withheld
from runner.records.scenario import Scenario
from runner.records.terms import SetName
from runner.workspace import Inputs

NEVER_ASKED = SetName.RESERVE
"""No model may have been asked what becomes the next held-out set."""


class Shown(NamedTuple):
    """A new or changed scenario."""

    at: Place
    set: SetName
    scenario: Scenario


def previewed(inputs: Inputs, ports: Ports, model: Model, chosen: Sequence[Shown], *, name: str) -> Preview:
    """Answer and grade of each, in one batch; of held-out how many passed, and nothing else. Reserve is not asked.

    Raises what the models raise, and `RecordError` for a rubric there is not.
    """
    asked = [one for one in chosen if one.set is not NEVER_ASKED]
    work = [Task(one.set, one.scenario) for one in asked]
    rows = graded(inputs, ports, Stopwatch(ports), model=model, name="incumbent", work=work)[0] if work else []
    hidden = [row for row in rows if row.set is SetName.HELDOUT]
    answers = tuple(
        Previewed(
            at=one.at,
            set=one.set,
            scenario=one.scenario.id,
            passed=row.grade.passed,
            score=row.grade.score,
            answer=row.grade.answer,
            explanation=row.grade.explanation,
        )
        for one, row in zip(asked, rows, strict=True)
        if one.set is not SetName.HELDOUT
    )
    passed = sum(row.grade.passed for row in hidden)
    withheld = (Withheld(set=SetName.HELDOUT, passed=passed, scenarios=len(hidden)),) if hidden else ()
    return Preview(cluster=inputs.workspace.cluster.id, model=name, answers=answers, withheld=withheld)
