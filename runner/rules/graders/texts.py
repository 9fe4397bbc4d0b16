"""Whole answers: the same text, one of several, a pattern found in it, or a regular expression that means the same."""

from __future__ import annotations

from runner.records.graders import Exact, OneOf, Regex, SameLanguage
from runner.rules.evaluation.json_schema import compiled
from runner.rules.graders.case import Case, Credit
from runner.rules.text.matching import OutOfSteps, Steps, found
from runner.rules.text.regular_languages import same_language


def exact(case: Case, grader: Exact) -> Credit:
    return Credit.of(case.given == case.wanted)


def one_of(case: Case, grader: OneOf) -> Credit:
    return Credit.of(case.given in {case.same(value) for value in grader.values})


def regex(case: Case, grader: Regex) -> Credit:
    try:
        return Credit.of(found(compiled(grader.pattern), case.given, steps=Steps()))
    except OutOfSteps as error:
        return Credit.of(False, f"the search {error} and was given up")


def accepts_the_same(case: Case, grader: SameLanguage) -> Credit:
    if case.given == case.wanted:
        return Credit.of(True)
    try:
        return Credit.of(same_language(case.given, case.wanted))
    except ValueError:
        return Credit.of(False, "is no regular expression")
