"""Grading: one answer against one scenario's rubric. Normalisation is what the rubric lists, in its order."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from runner.errors import RecordError
from runner.records.fields import FieldTally
from runner.records.judge import Judge, Judged
from runner.records.patterns import Instruction, program
from runner.records.rubric import (
    Contains,
    Criterion,
    Exact,
    JsonFields,
    JsonSchema,
    Normalisation,
    OneOf,
    Regex,
    Rubric,
    RubricStatus,
    SameLanguage,
)
from runner.records.scenario import Scenario
from runner.records.score import Grade
from runner.rules.matching import found
from runner.rules.naming import LONGEST
from runner.rules.regular_languages import same_language
from runner.rules.structured import canonical_json, counts, faults

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


NOT_JUDGED: Mapping[str, Judged] = {}


def _strip_punctuation(text: str) -> str:
    return "".join(character for character in text if not unicodedata.category(character).startswith("P"))


STEPS: dict[Normalisation, Callable[[str], str]] = {
    Normalisation.STRIP: str.strip,
    Normalisation.LOWERCASE: str.lower,
    Normalisation.COLLAPSE_SPACES: lambda text: re.sub(r"\s+", " ", text),
    Normalisation.STRIP_PUNCTUATION: _strip_punctuation,
    Normalisation.UNICODE_NFKC: lambda text: unicodedata.normalize("NFKC", text),
    Normalisation.CANONICAL_JSON: canonical_json,
}


def normalise(text: str, steps: Iterable[Normalisation]) -> str:
    """`text` after each step, in order."""
    for step in steps:
        text = STEPS[step](text)
    return text


def grade(scenario: Scenario, rubric: Rubric, answer: str, *, judged: Mapping[str, Judged] = NOT_JUDGED) -> Grade:
    """The grade of `answer`: score is the weighted share of criteria met; it passes where every required one is met.

    A criterion on fields may be met in part, which counts for the score and not for passing. A rubric that requires
    nothing passes an answer only where every criterion is met. `judged` has the verdict on each criterion that a judge
    decides, by the criterion's id; one that is for show counts neither for the score nor for passing.
    Raises `RecordError` for a schema that cannot be used, for a criterion that needs a judge and has no verdict, and
    where no criterion counts.
    """
    met = {criterion.id: _credit(criterion, rubric, scenario, answer, judged) for criterion in rubric.criteria}
    counted = _counted(rubric, judged)
    missed = [criterion for criterion in counted if met[criterion.id] < 1]
    required = [criterion for criterion in counted if criterion.required] or counted
    total = math.fsum(criterion.weight for criterion in counted)
    score = math.fsum(criterion.weight * met[criterion.id] for criterion in counted) / total
    return Grade(
        scenario=scenario.id,
        capability=scenario.capability,
        outcome_type=scenario.outcome_type,
        score=min(1.0, round(score, 9)),
        passed=all(met[criterion.id] == 1 for criterion in required),
        missed=tuple(criterion_slug(rubric, criterion) for criterion in missed),
        answer=answer,
        explanation=_explain(missed, rubric, scenario, answer, judged),
        fields=_tally(rubric, scenario, answer),
        judged=dict(sorted(judged.items())),
    )


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
    criterion: Criterion, rubric: Rubric, scenario: Scenario, answer: str, judged: Mapping[str, Judged]
) -> float:
    """What the answer has of a criterion, 0 to 1."""
    grader = criterion.grader
    if isinstance(grader, Judge):
        return _verdict(criterion, rubric, judged).credit
    if isinstance(grader, JsonFields):
        return counts(answer, scenario.reference, below=grader.below, same=_same(rubric)).f1
    return float(_judge(grader, _same(rubric), answer, scenario.reference))


def _counted(rubric: Rubric, judged: Mapping[str, Judged]) -> list[Criterion]:
    """The criteria that are not for show."""
    found = [criterion for criterion in rubric.criteria if criterion.id not in judged or not judged[criterion.id].shown]
    if not found:
        hint = "calibrate its judge: hallmark calibrate, or add a criterion that needs none"
        raise RecordError(f"no criterion of rubric {rubric.id} counts: its judges are for show", hint=hint)
    return found


def _verdict(criterion: Criterion, rubric: Rubric, judged: Mapping[str, Judged]) -> Judged:
    if criterion.id not in judged:
        raise RecordError(
            f"the criterion {criterion.id} of rubric {rubric.id} needs a judge, and none has judged this answer",
            hint="name a judge for the cluster, or use another grader",
        )
    return judged[criterion.id]


def _tally(rubric: Rubric, scenario: Scenario, answer: str) -> FieldTally | None:
    """The answer's fields over all criteria on fields; none where the rubric has no such criterion."""
    graders = [criterion.grader for criterion in rubric.criteria]
    compared = [grader.below for grader in graders if isinstance(grader, JsonFields)]
    if not compared:
        return None
    each = [counts(answer, scenario.reference, below=below, same=_same(rubric)) for below in compared]
    schemas = [grader.json_schema for grader in graders if isinstance(grader, JsonSchema)]
    return FieldTally(
        right=sum(one.right for one in each),
        given=sum(one.given for one in each),
        wanted=sum(one.wanted for one in each),
        conforms=all(conforms(answer, schema) for schema in schemas),
    )


def _same(rubric: Rubric) -> Callable[[str], str]:
    return partial(normalise, steps=rubric.normalisation)


def _judge(
    grader: Exact | OneOf | Regex | Contains | JsonSchema | SameLanguage,
    same: Callable[[str], str],
    answer: str,
    reference: str,
) -> bool:
    match grader:
        case Exact():
            return same(answer) == same(reference)
        case OneOf(values=values):
            return same(answer) in {same(value) for value in values}
        case Regex(pattern=pattern):
            return found(_program(pattern), same(answer))
        case Contains(values=values):
            return all(same(value) in same(answer) for value in values or (reference,))
        case JsonSchema(json_schema=schema):
            return conforms(answer, schema)
        case SameLanguage():
            return _accepts_the_same(same(answer), same(reference))


def _accepts_the_same(answer: str, reference: str) -> bool:
    if answer == reference:
        return True
    try:
        return same_language(answer, reference)
    except ValueError:
        return False


@lru_cache(maxsize=256)
def _program(pattern: str) -> tuple[Instruction, ...]:
    return program(pattern)


def _has_pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword `pattern`, in linear time."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not found(_program(pattern), instance):
        yield ValidationError("does not match the pattern")


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    """Refers to nothing but itself: the registry is empty, and fetches nothing."""
    from jsonschema import Draft202012Validator, validators  # a tenth of a second, which the gate does not need
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    try:
        parsed = json.loads(schema)
        Draft202012Validator.check_schema(parsed)
    except (ValueError, RecursionError, SchemaError) as error:
        raise RecordError("not a JSON schema of draft 2020-12", field="json_schema") from error
    extend: Callable[..., Any] = validators.extend
    made: Validator = extend(Draft202012Validator, {"pattern": _has_pattern})(parsed, registry=Registry())
    return made


def conforms(answer: str, schema: str) -> bool:
    """Whether `answer` is JSON that the schema accepts. Raises `RecordError` for a schema that cannot be used."""
    try:
        value = json.loads(answer)
        json.dumps(value, allow_nan=False)  # Python reads NaN and infinities, JSON has none
    except (ValueError, RecursionError):
        return False
    from referencing.exceptions import Unresolvable

    try:
        return bool(_validator(schema).is_valid(value))
    except Unresolvable as error:
        raise RecordError(f"refers to what is not in it: {error.ref}", field="json_schema") from error
    except (OverflowError, RecursionError):  # a number too large to be divided, an answer too deep
        return False


def _explain(
    missed: Sequence[Criterion], rubric: Rubric, scenario: Scenario, answer: str, judged: Mapping[str, Judged]
) -> str:
    if not missed:
        return "meets every criterion"
    said = f"answered {shorten(answer)!r}" if answer.strip() else "gave no answer"
    wanted = "; ".join(_wanting(criterion, rubric, scenario, answer, judged) for criterion in missed)
    return f"{said} where {shorten(scenario.reference)!r} is right; missed: {wanted}"


def _wanting(
    criterion: Criterion, rubric: Rubric, scenario: Scenario, answer: str, judged: Mapping[str, Judged]
) -> str:
    """The criterion, for fields which of them are wrong, and why a judge does not see it met."""
    grader = criterion.grader
    if isinstance(grader, Judge):
        return f"{criterion.description} ({shorten(judged[criterion.id].explanation, longest=240)})"
    if not isinstance(grader, JsonFields):
        return criterion.description
    wrong = faults(answer, scenario.reference, below=grader.below, same=_same(rubric))
    return f"{criterion.description} ({shorten(', '.join(wrong), longest=240)})"


def shorten(text: str, *, longest: int = 60) -> str:
    """`text` on one line, cut to `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
