"""What an answer says and does not say: values that stand in it, or must not."""

from __future__ import annotations

from runner.records.graders import Contains, ContainsNone, Echo
from runner.rules.graders.case import MET, Case, Credit
from runner.rules.text.content_words import content_words
from runner.rules.text.mentions import Mention, mention
from runner.rules.text.shown import quoted


def contains(case: Case, grader: Contains) -> Credit:
    values = grader.values or (case.reference,)
    needed = grader.at_least or len(values)
    missing: list[str] = []
    for value in values:
        found = _of(case, value, grader)
        if not found.said:
            missing.append(_lacks(value, found))
    if len(values) - len(missing) < needed:
        of = f"{len(values) - len(missing)} of {len(values)} where {needed} are needed: " if grader.at_least else ""
        return Credit.of(False, of + ", ".join(missing[:6]))
    return _own_words(case, grader.echo) if grader.echo is not None else Credit(MET)


def contains_none(case: Case, grader: ContainsNone) -> Credit:
    """What is mentioned too often to be looked at is taken as said."""
    each = {value: _of(case, value, grader) for value in grader.values}
    found = [quoted(value) for value, mentioned in each.items() if mentioned.said or mentioned.more]
    return Credit.of(not found, f"says {', '.join(found[:6])}")


def _of(case: Case, value: str, grader: Contains | ContainsNone) -> Mention:
    return mention(case.given, case.same(value), whole_words=grader.whole_words, negation=grader.negation)


def _lacks(value: str, found: Mention) -> str:
    return f"{quoted(value)} only negated in {found.negated}" if found.negated else f"{quoted(value)} is missing"


def _own_words(case: Case, echo: Echo) -> Credit:
    """All of the credit, or the cap of an answer that has too few content words of its own."""
    own = len(content_words(case.answer) - content_words(case.prompt))
    if own >= echo.own_words:
        return Credit(MET)
    return Credit(min(MET, echo.cap), f"only repeats the input's words, for which it gets {echo.cap:g} at most")
