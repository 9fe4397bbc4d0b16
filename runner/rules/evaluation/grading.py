"""Grading: one answer against one scenario's rubric. Normalisation is what the rubric lists, in its order.

What each kind of criterion asks stands in `graders/`. Here their credits become a score, a pass, and words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from runner.errors import RecordError
from runner.records.fields import FieldTally
from runner.records.graders import JsonFields, JsonSchema
from runner.records.judge import Judge, Judged
from runner.records.rubric import Criterion, Normalisation, Rubric, RubricStatus
from runner.records.scenario import Scenario
from runner.records.score import Grade
from runner.rules.evaluation.json_schema import conforms
from runner.rules.evaluation.structured import counts
from runner.rules.graders.case import Case, Credit
from runner.rules.graders.table import LONGEST_ANSWER, credit
from runner.rules.naming import LONGEST
from runner.rules.text.normalisation import normalise, whole_characters
from runner.rules.text.shown import quoted, shorten

NOT_JUDGED: Mapping[str, Judged] = {}
LONGEST_WHY = 320


def grade(scenario: Scenario, rubric: Rubric, answer: str, *, judged: Mapping[str, Judged] = NOT_JUDGED) -> Grade:
    """The grade of `answer`: score is the weighted share of the criteria, and `passes` says when it passes.

    A criterion may be met in part, which counts for the score and leaves it missed. `judged` has the verdict on each
    criterion that a judge decides, by the criterion's id; one that is for show counts neither for the score nor for
    passing. The explanation says of each missed criterion what was expected and what was found, and shows the answer
    as it was compared where that is not how it was written.
    Raises `RecordError` for a schema or reference that cannot be used, for a criterion that needs a judge and has no
    verdict, and where no criterion counts.
    """
    answer = whole_characters(answer)
    case = Case(
        answer=answer,
        reference=scenario.reference,
        same=partial(normalise, steps=rubric.normalisation),
        prompt="\n".join(message.content for message in scenario.input),
        tools=scenario.tools,
    )
    credits = {one.id: _credit(one, rubric, scenario, case, judged) for one in rubric.criteria}
    counted = _counted(rubric, judged)
    total = math.fsum(criterion.weight for criterion in counted)
    score = math.fsum(criterion.weight * credits[criterion.id].share for criterion in counted) / total
    score = min(1.0, round(score, 9))
    missed = [criterion for criterion in counted if credits[criterion.id].share < 1]
    return Grade(
        scenario=scenario.id,
        capability=scenario.capability,
        outcome_type=scenario.outcome_type,
        score=score,
        passed=passes(rubric, counted, missed, score),
        missed=tuple(criterion_slug(rubric, criterion) for criterion in missed),
        answer=answer,
        explanation=_explain(missed, credits, rubric, case) + _beside(judged),
        fields=_tally(rubric, case),
        judged=dict(sorted(judged.items())),
    )


def passes(rubric: Rubric, counted: Sequence[Criterion], missed: Sequence[Criterion], score: float) -> bool:
    """Whether an answer passes that missed some of the criteria that count: every required one is met, and the score
    is at least the rubric's `pass_score`. Where nothing is required and there is no such score, all must be met."""
    if any(criterion.required for criterion in missed):
        return False
    if rubric.pass_score is not None:
        return score >= rubric.pass_score
    return not missed or any(criterion.required for criterion in counted)


def grade_all(
    scenarios: Sequence[Scenario],
    rubrics: Mapping[str, Rubric],
    answers: Sequence[str],
    *,
    judged: Sequence[Mapping[str, Judged]] = (),
) -> tuple[Grade, ...]:
    """The grades of `answers`, one per scenario and in their order, as are the judges' verdicts where there are any.
    Raises `RecordError` for an unknown rubric, and as `grade` does."""
    for scenario in scenarios:
        if scenario.rubric not in rubrics:
            raise RecordError(f"scenario {scenario.id} names rubric {scenario.rubric!r}, which there is not")
    verdicts = judged or [NOT_JUDGED] * len(scenarios)
    return tuple(
        grade(scenario, rubrics[scenario.rubric], answer, judged=found)
        for scenario, answer, found in zip(scenarios, answers, verdicts, strict=True)
    )


def criterion_slug(rubric: Rubric, criterion: Criterion) -> str:
    """`rubric/criterion` as one slug."""
    return f"{rubric.id}-{criterion.id}"[:LONGEST].strip("-")


def common_normalisation(scenarios: Iterable[Scenario], rubrics: Mapping[str, Rubric]) -> tuple[Normalisation, ...]:
    """The normalisation of the approved rubric that most of `scenarios` name: how production answers are compared."""
    named = Counter(
        scenario.rubric
        for scenario in scenarios
        if scenario.rubric in rubrics and rubrics[scenario.rubric].status is RubricStatus.APPROVED
    )
    if not named:
        return (Normalisation.UNICODE_NFKC, Normalisation.STRIP, Normalisation.LOWERCASE, Normalisation.COLLAPSE_SPACES)
    return rubrics[min(named, key=lambda name: (-named[name], name))].normalisation


def _credit(
    criterion: Criterion, rubric: Rubric, scenario: Scenario, case: Case, judged: Mapping[str, Judged]
) -> Credit:
    """What the answer has of a criterion, by its grader or by the judge."""
    if not isinstance(criterion.grader, Judge):
        try:
            return credit(case, criterion.grader)
        except ValueError as error:
            raise RecordError(
                f"scenario {scenario.id} cannot be graded by {criterion.id} of rubric {rubric.id}: {error}",
                field="reference",
                hint="`hallmark check` names file and line",
            ) from error
    if criterion.id not in judged:
        raise RecordError(
            f"the criterion {criterion.id} of rubric {rubric.id} needs a judge, and none has judged this answer",
            hint="name a judge for the cluster, or use another grader",
        )
    verdict = judged[criterion.id]
    return Credit(verdict.credit, verdict.explanation)


def _counted(rubric: Rubric, judged: Mapping[str, Judged]) -> list[Criterion]:
    """The criteria that are not for show."""
    found = [criterion for criterion in rubric.criteria if criterion.id not in judged or not judged[criterion.id].shown]
    if not found:
        hint = "calibrate its judge: hallmark calibrate, or add a criterion that needs none"
        raise RecordError(f"no criterion of rubric {rubric.id} counts: its judges are for show", hint=hint)
    return found


def _tally(rubric: Rubric, case: Case) -> FieldTally | None:
    """The answer's fields over all criteria on fields; none where the rubric has no such criterion."""
    graders = [criterion.grader for criterion in rubric.criteria]
    compared = [grader.below for grader in graders if isinstance(grader, JsonFields)]
    if not compared:
        return None
    answer = case.answer if len(case.answer) <= LONGEST_ANSWER else ""
    each = [counts(answer, case.reference, below=below, same=case.same) for below in compared]
    schemas = [grader.json_schema for grader in graders if isinstance(grader, JsonSchema)]
    return FieldTally(
        right=sum(one.right for one in each),
        given=sum(one.given for one in each),
        wanted=sum(one.wanted for one in each),
        conforms=all(conforms(answer, schema) for schema in schemas),
    )


def _explain(missed: Sequence[Criterion], credits: Mapping[str, Credit], rubric: Rubric, case: Case) -> str:
    compared = _compared(rubric, case)
    if not missed:
        return f"meets every criterion{compared}"
    said = f"answered {quoted(case.answer)}{compared}" if case.answer.strip() else "gave no answer"
    wanted = "; ".join(_wanting(criterion, credits[criterion.id]) for criterion in missed)
    return f"{said} where {quoted(case.reference)} is right; missed: {wanted}"


def _beside(judged: Mapping[str, Judged]) -> str:
    """The verdicts that count for nothing."""
    return "".join(f"; not counted: {name} ({one.explanation})" for name, one in sorted(judged.items()) if one.shown)


def _compared(rubric: Rubric, case: Case) -> str:
    """The answer as the rubric has it compared, where that differs from how it was written."""
    if len(case.answer) > LONGEST_ANSWER or case.given in (case.answer, case.answer.strip()):
        return ""
    return f" (compared as {quoted(case.given)} after {', '.join(rubric.normalisation)})"


def _wanting(criterion: Criterion, found: Credit) -> str:
    """The criterion, how far it is met where that is in part, and why no further."""
    part = f"{found.share:.2f} of it" if found.share > 0 else ""
    why = ", ".join(filter(None, (part, shorten(found.why, longest=LONGEST_WHY))))
    return f"{criterion.description} ({why})" if why else criterion.description
