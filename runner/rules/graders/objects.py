"""Answers that are JSON: what a schema accepts, and fields in common."""

from __future__ import annotations

from runner.records.graders import JsonFields, JsonSchema
from runner.rules.evaluation.json_schema import misfit
from runner.rules.evaluation.structured import counts, faults
from runner.rules.graders.case import Case, Credit
from runner.rules.text.shown import shorten


def json_schema(case: Case, grader: JsonSchema) -> Credit:
    """The answer as it stands: normalisation would change its keys. Raises `RecordError` for a broken schema."""
    why = misfit(case.answer, grader.json_schema)
    return Credit.of(not why, why)


def json_fields(case: Case, grader: JsonFields) -> Credit:
    share = counts(case.answer, case.reference, below=grader.below, same=case.same).f1
    if share == 1:
        return Credit(share)
    wrong = faults(case.answer, case.reference, below=grader.below, same=case.same)
    return Credit(share, shorten(", ".join(wrong), longest=240))
