"""A rubric: the criteria an answer is graded by, each with one grader and a weight. Enums and text only."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from runner.records.base import Record, Slug, Text
from runner.records.json_schemas import check_schema
from runner.records.judge import Judge
from runner.records.patterns import check_pattern


class RubricStatus(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"


class Normalisation(StrEnum):
    """A step applied to answer and reference before they are compared, in the order the rubric lists them."""

    STRIP = "strip"
    LOWERCASE = "lowercase"
    COLLAPSE_SPACES = "collapse-spaces"
    STRIP_PUNCTUATION = "strip-punctuation"
    UNICODE_NFKC = "unicode-nfkc"
    CANONICAL_JSON = "canonical-json"
    """A JSON object with sorted keys and no spaces between its parts; other text stays as it is."""


class Exact(Record):
    """The answer equals the scenario's reference."""

    kind: Literal["exact"]


class OneOf(Record):
    """The answer equals one of `values`."""

    kind: Literal["one-of"]
    values: tuple[Text, ...] = Field(min_length=1)


class Regex(Record):
    """`pattern` (Python `re` syntax, as far as it needs no backtracking) is found in the answer."""

    kind: Literal["regex"]
    pattern: Annotated[Text, AfterValidator(check_pattern)]


class Contains(Record):
    """Every one of `values` stands in the answer; with no values, the reference does."""

    kind: Literal["contains"]
    values: tuple[Text, ...] = ()


class JsonSchema(Record):
    """The answer is JSON that the schema (draft 2020-12) accepts. It is JSON text, so that YAML cannot retype it."""

    kind: Literal["json-schema"]
    json_schema: Annotated[Text, AfterValidator(check_schema)]


class JsonFields(Record):
    """The answer is a JSON object with the reference's fields and no others. In part it is met by their F1.

    A field is a path and a scalar at it; the order of keys and of a list's elements says nothing. Each string is
    compared after the rubric's normalisation.
    """

    kind: Literal["json-fields"]
    below: str = ""
    """The top-level key whose fields are compared, such as `slots`; all of them where empty."""


class SameLanguage(Record):
    """The answer is a regular expression that accepts exactly the texts that the reference accepts."""

    kind: Literal["same-language"]


Grader = Annotated[
    Exact | OneOf | Regex | Contains | JsonSchema | JsonFields | SameLanguage | Judge, Field(discriminator="kind")
]


class Criterion(Record):
    id: Slug
    description: Text
    grader: Grader
    weight: Annotated[float, Field(gt=0)] = 1.0
    required: bool = True
    """A scenario passes only where every required criterion is met."""


class Rubric(Record):
    """One file under `rubrics/`; the file's name is its id."""

    id: Slug
    title: Text
    status: RubricStatus
    capabilities: tuple[Slug, ...] = ()
    """The capabilities this rubric covers; none listed means all."""
    normalisation: tuple[Normalisation, ...] = ()
    criteria: tuple[Criterion, ...] = Field(min_length=1)


JsonObject = dict[str, Any]
