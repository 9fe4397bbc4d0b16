"""The graders: for each kind of criterion the function that decides it. docs/graders.md has the same table in words.

Each takes the case and the criterion's parameters, gives a credit from 0 to 1 with its explanation, and depends on
nothing else: the same answer gets the same credit on every machine. Each ends soon on whatever a model answers, since
its work is counted in steps and the answer's length is limited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.rules.graders import calls, lists, number, objects, queries, texts, words
from runner.rules.graders.case import MISSED, Case, Credit

LONGEST_ANSWER = 200_000
"""Characters of an answer at most; no criterion of a longer one is met."""

GRADERS: dict[str, Callable[[Case, Any], Credit]] = {
    "exact": texts.exact,
    "one-of": texts.one_of,
    "contains": words.contains,
    "contains-none": words.contains_none,
    "regex": texts.regex,
    "numeric": number.numeric,
    "set": lists.as_set,
    "order": lists.in_order,
    "json-schema": objects.json_schema,
    "json-fields": objects.json_fields,
    "tool-calls": calls.tool_calls,
    "sql": queries.sql,
    "same-language": texts.accepts_the_same,
}
"""All but `judge`, whose verdict comes from outside."""


def credit(case: Case, grader: Any) -> Credit:
    """What the answer has of a criterion with this grader.

    Raises `RecordError` or `ValueError` for a rubric or reference by which nothing can be graded.
    """
    if len(case.answer) > LONGEST_ANSWER:
        return Credit(MISSED, f"the answer is longer than {LONGEST_ANSWER:,} characters")
    return GRADERS[grader.kind](case, grader)
