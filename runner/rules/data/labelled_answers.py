"""Labelled rows as people give them, and what is asked of an answer: a label, or a JSON object that names its label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.errors import RecordError
from runner.records.graders import Exact, JsonFields, JsonSchema
from runner.records.rubric import Criterion, Normalisation, Rubric, RubricStatus
from runner.rules.evaluation.json_schema import conforms
from runner.rules.evaluation.structured import named_in, read_object
from runner.rules.naming import slug


class Row(NamedTuple):
    """One labelled text, and where it stands."""

    file: str
    line: int
    text: str
    label: str
    structured: str = ""
    """The right answer as a JSON object; empty where it is the label."""

    @property
    def answer(self) -> str:
        return self.structured or self.label


class Request(NamedTuple):
    """What people say of the cluster they want; the thresholds are starting points to be reviewed."""

    cluster: str
    text_column: str = "text"
    label_column: str = "label"
    answer_column: str = ""
    """Where the right answer is a JSON object: its column; empty where it is the label."""
    answer_field: str = ""
    """The key of such an object that names its label."""
    schema: str = ""
    """The JSON schema of such an object, as text."""
    threshold_composite: float = 0.7
    threshold_heldout: float = 0.7
    triage: str = "all"
    real_only: float | None = None
    """What real data alone reaches; measured where not given."""
    problem_file: str = ""


def check_answer(row: Row, request: Request) -> None:
    """Raises `RecordError` for an answer that is no object, names another label, or does not conform."""
    problem = ""
    if read_object(row.structured) is None:
        problem, hint = "is no JSON object", "write the answer as one object"
    elif named_in(row.structured, request.answer_field) != slug(row.label):
        problem = f'does not name the label "{row.label[:40]}" under "{request.answer_field}"'
        hint = "say with --answer-field which key of the answer names the label"
    elif request.schema and not conforms(row.structured, request.schema):
        problem, hint = "does not conform to the schema", "mend the answer, or the file of --schema"
    if problem:
        raise RecordError(f"the answer {problem}", path=row.file, line=row.line, hint=hint)


def definition(label: str, request: Request) -> str:
    return f"Texts whose right answer is {_asked(label, request.answer_field)}."


def _asked(label: str, field: str) -> str:
    return f'an object whose {field} is "{label}"' if field else f'"{label}"'


SPACES_AND_CASE = (Normalisation.STRIP, Normalisation.LOWERCASE, Normalisation.COLLAPSE_SPACES)


def rubric(request: Request) -> Rubric:
    """The label and nothing else; or an object that conforms, with all the right fields and no others."""
    return Rubric(
        id=f"{request.cluster}-exact",
        title=f"The right {'object' if request.answer_column else 'label'}, and nothing else",
        status=RubricStatus.APPROVED,
        normalisation=(*SPACES_AND_CASE, Normalisation.CANONICAL_JSON) if request.answer_column else SPACES_AND_CASE,
        criteria=tuple(_criteria(request)),
    )


def _criteria(request: Request) -> Iterator[Criterion]:
    if not request.answer_column:
        yield Criterion(id="label", description="The answer is the reference label.", grader=Exact(kind="exact"))
        return
    if request.schema:
        schema = JsonSchema(kind="json-schema", json_schema=request.schema)
        yield Criterion(id="schema", description="The answer conforms to the schema.", grader=schema)
    fields = JsonFields(kind="json-fields")
    yield Criterion(id="fields", description="The fields are those of the reference.", grader=fields, weight=3.0)


def said(row: Row) -> str:
    return row.structured or f'"{row.label}"'


def passes(row: Row) -> str:
    """The pass criterion of the row's scenario."""
    free = "letter case, spaces and the order of keys" if row.structured else "letter case and spaces"
    return f"The answer is {said(row)}; {free} do not matter."


def fails(row: Row) -> str:
    """The fail criterion of the row's scenario."""
    if row.structured:
        return "The answer is no object, lacks a field, has one too many, or has another value."
    return "The answer is another label, several labels, or an explanation."
