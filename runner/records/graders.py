"""What decides a criterion, kind by kind: enums, numbers and text, which `rules.graders` reads.

docs/graders.md has an example of each. A field that was added later is sparse: files that lack it keep their digests.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from runner.records.base import Count, Record, Share, Sparse, Text
from runner.records.expected_calls import ToolCalls
from runner.records.json_schemas import check_schema
from runner.records.judge import Judge
from runner.records.patterns import check_pattern, unusable


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


class Negation(Sparse):
    """What makes a mention none: "does not include X". It is looked for in X's own clause. English by default."""

    SPARSE = frozenset({"before", "after", "boundaries"})

    window: Annotated[int, Field(ge=1, le=1_000)] = 48
    """Characters before a mention in which a word of `before` is looked for."""
    before: tuple[Text, ...] = ()
    """Words that negate what comes after them in the clause, such as "not" and "without"; two of them cancel out."""
    after: tuple[Text, ...] = ()
    """Words that negate what stands right before them, such as "is not"."""
    boundaries: tuple[Text, ...] = ()
    """Words that begin a clause, as full stops and semicolons do, such as "but"."""


class Echo(Record):
    """A cap on answers that only repeat what they were asked: naming things is not yet saying something."""

    cap: Share = 0.2
    """The credit of such an answer at most."""
    own_words: Annotated[int, Field(ge=1)] = 1
    """An answer with fewer content words that do not stand in the input is an echo."""


class Contains(Sparse):
    """Every one of `values` stands in the answer, or `at_least` of them; with no values, the reference does."""

    SPARSE = frozenset({"at_least", "whole_words", "negation", "echo"})

    kind: Literal["contains"]
    values: tuple[Text, ...] = ()
    at_least: Count = 0
    """How many of `values` suffice; all of them where 0."""
    whole_words: bool = False
    """`cat` does not stand in "concatenate"."""
    negation: Negation | None = None
    """With it, "does not include X" does not contain X."""
    echo: Echo | None = None

    @model_validator(mode="after")
    def _enough_values(self) -> Self:
        if self.at_least > max(1, len(self.values)):
            raise unusable(f"asks for {self.at_least} of {len(self.values)} values", "lower at_least, or add values")
        return self


class ContainsNone(Sparse):
    """None of `values` stands in the answer."""

    SPARSE = frozenset({"whole_words", "negation"})

    kind: Literal["contains-none"]
    values: tuple[Text, ...] = Field(min_length=1)
    whole_words: bool = False
    negation: Negation | None = None
    """With it, "we never ask for your X" is allowed."""


class Numeric(Sparse):
    """The answer is the reference's number, within a tolerance, in a unit of the same kind."""

    SPARSE = frozenset({"absolute", "relative", "unit", "decimal_comma"})

    kind: Literal["numeric"]
    absolute: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How far off it may be, in the reference's unit. Of the two tolerances the wider one holds."""
    relative: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """How far off it may be, as a share of the reference."""
    unit: str = ""
    """The unit of a number that names none, of answers and references alike."""
    take: Literal["whole", "first", "last"] = "whole"
    """The answer is one number and nothing else, or its first or last number counts."""
    decimal_comma: bool = False
    """1.234,5 is a thousand and some."""


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


class Set(Sparse):
    """The answer lists the reference's items, in any order; repeats say nothing."""

    SPARSE = frozenset({"separator"})

    kind: Literal["set"]
    separator: str = ""
    """What stands between items, such as `,`; a list is a JSON array where empty."""
    credit: Literal["f1", "all"] = "f1"
    """In part it is met by the F1 of the items, or not at all."""


class Order(Sparse):
    """The answer lists the reference's items in the reference's order."""

    SPARSE = frozenset({"separator"})

    kind: Literal["order"]
    separator: str = ""
    """What stands between items, such as `,`; a list is a JSON array where empty."""
    credit: Literal["exact", "kendall"] = "exact"
    """In part it is met by the share of pairs that stand in the right order, or not at all."""


class Sql(Sparse):
    """The answer is a query that gives the rows that the reference gives, on the tables of the rubric."""

    SPARSE = frozenset({"ordered"})

    kind: Literal["sql"]
    tables: Text
    """The statements of SQLite that make the tables and their rows."""
    ordered: bool = False
    """The rows' order counts too."""


class SameLanguage(Record):
    """The answer is a regular expression that accepts exactly the texts that the reference accepts."""

    kind: Literal["same-language"]


Grader = Annotated[
    Exact
    | OneOf
    | Contains
    | ContainsNone
    | Regex
    | Numeric
    | Set
    | Order
    | JsonSchema
    | JsonFields
    | ToolCalls
    | Sql
    | SameLanguage
    | Judge,
    Field(discriminator="kind"),
]
