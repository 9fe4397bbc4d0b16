"""A rubric: the criteria an answer is graded by, each with one grader and a weight. Enums and text only."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from runner.records.base import PositiveAmount, Record, Share, Slug, Sparse, Text
from runner.records.graders import Contains, ContainsNone, Grader
from runner.records.patterns import unusable


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
    STRIP_INVISIBLE = "strip-invisible"
    """Without characters that nobody sees: zero-width ones, soft hyphens, marks that turn the direction of writing."""


class Criterion(Record):
    id: Slug
    """Named in explanations and evidence."""
    description: Text
    """What an answer must do, in words."""
    grader: Grader
    """What decides it; docs/graders.md has each kind with an example."""
    weight: PositiveAmount = 1.0
    """What it counts in the score, beside the others."""
    required: bool = True
    """A scenario passes only where every required criterion is met."""


class Rubric(Sparse):
    """One file under `rubrics/`; the file's name is its id."""

    SPARSE = frozenset({"pass_score"})

    id: Slug
    title: Text
    status: RubricStatus
    """Only what is approved grades; a draft waits for people."""
    capabilities: tuple[Slug, ...] = ()
    """The capabilities this rubric covers; none listed means all."""
    normalisation: tuple[Normalisation, ...] = ()
    """What is done to answer and reference before they are compared, in this order."""
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    """What is looked at, one by one."""
    pass_score: Annotated[Share, Field(gt=0)] | None = None
    """The weighted share of the criteria that passes, so that some which are not required may be missed. Without it a
    rubric that requires nothing passes an answer only where every criterion is met."""

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if self.pass_score is not None and all(criterion.required for criterion in self.criteria):
            hint = "write `required: false` for the criteria that may be missed, or remove pass_score"
            raise unusable("pass_score decides nothing: every criterion is required", hint)
        return self

    @model_validator(mode="after")
    def _keeps_clauses(self) -> Self:
        if Normalisation.STRIP_PUNCTUATION not in self.normalisation:
            return self
        for criterion in self.criteria:
            if isinstance(criterion.grader, Contains | ContainsNone) and criterion.grader.negation is not None:
                hint = "remove strip-punctuation from the normalisation, or negation from the criterion"
                problem = f"the criterion {criterion.id} looks for negations, whose clauses strip-punctuation removes"
                raise unusable(problem, hint)
        return self


JsonObject = dict[str, Any]
