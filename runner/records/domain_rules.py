"""Domain rules: what a candidate of this cluster must and must not be, in words, lists and patterns. Inert text.

A rule looks at one field of a candidate, has an id and a reason that is shown when it rejects, and may carry examples
(`passes`, `fails`) that `hallmark check` runs, so that a wrong rule is found in the pull request that brings it.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from runner.records.base import Count, Record, Share, Slug, Text
from runner.records.json_schemas import check_schema
from runner.records.patterns import check_pattern, unusable

Pattern = Annotated[Text, AfterValidator(check_pattern)]
Values = Annotated[tuple[Text, ...], Field(min_length=1)]


class RuleField(StrEnum):
    """What of a candidate a rule looks at."""

    INPUT = "input"
    """The last user message."""
    ANSWER = "answer"


class Script(StrEnum):
    """A writing system, by the first word of its letters' Unicode names."""

    ARABIC = "arabic"
    CYRILLIC = "cyrillic"
    DEVANAGARI = "devanagari"
    GREEK = "greek"
    HAN = "han"
    HANGUL = "hangul"
    HEBREW = "hebrew"
    HIRAGANA = "hiragana"
    KATAKANA = "katakana"
    LATIN = "latin"
    THAI = "thai"


class WordCount(Record):
    """So many words at least, and at most."""

    kind: Literal["words"]
    least: Count = 0
    most: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise unusable(f"asks for at least {self.least} words and at most {self.most}", "make `most` the larger")
        return self


class Literals(Record):
    """Texts to look for, case folded. As whole words, unless `inside_words` says that they may be part of one."""

    values: Values
    inside_words: bool = False


class MustContain(Literals):
    """At least one of `values` stands in it. All of several: a rule each."""

    kind: Literal["must-contain"]


class MustNotContain(Literals):
    """None of `values` stands in it."""

    kind: Literal["must-not-contain"]


class Patterned(Record):
    """A pattern to look for anywhere in the text (`patterns`: Python's `re`, as far as it needs no backtracking)."""

    pattern: Pattern
    fold_case: bool = False
    """Look in the text in lower case."""


class MustMatch(Patterned):
    kind: Literal["must-match"]


class MustNotMatch(Patterned):
    kind: Literal["must-not-match"]


class InScript(Record):
    """So large a share of its letters is of these scripts; a text without letters passes."""

    kind: Literal["script"]
    scripts: Annotated[tuple[Script, ...], Field(min_length=1)]
    least_share: Share = 0.9


class AllowedValues(Record):
    """It is one of `values`, case and surrounding spaces aside: the labels that there are."""

    kind: Literal["one-of"]
    values: Values


class ConformingJson(Record):
    """It is JSON that the schema (draft 2020-12) accepts. The schema is JSON text, so that YAML cannot retype it."""

    kind: Literal["json-schema"]
    json_schema: Annotated[Text, AfterValidator(check_schema)]


class NoPlaceholders(Record):
    """No blank was left unfilled: `[Your name]`, `{{order_id}}`, `<insert date>`, lorem ipsum, and none of `values`.

    What redaction writes, such as `[EMAIL]`, is no placeholder: real messages have it.
    """

    kind: Literal["no-placeholders"]
    values: tuple[Text, ...] = ()


Check = Annotated[
    WordCount
    | MustContain
    | MustNotContain
    | MustMatch
    | MustNotMatch
    | InScript
    | AllowedValues
    | ConformingJson
    | NoPlaceholders,
    Field(discriminator="kind"),
]


class DomainRule(Record):
    """One rule. A candidate that breaks it is rejected with the rule's id as the cause, and its reason."""

    id: Slug
    reason: Text
    capabilities: tuple[Slug, ...] = ()
    """The capabilities it is for; none listed means all."""
    of: RuleField = RuleField.INPUT
    check: Check
    passes: tuple[Text, ...] = ()
    """Texts that must pass."""
    fails: tuple[Text, ...] = ()
    """Texts that must be rejected."""
