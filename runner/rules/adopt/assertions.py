"""promptfoo's assertions as criteria of ours: each has a row in `MAPPED`, or in `NOT_MAPPED` with the reason.

What each assertion means is taken from promptfoo's documentation (Assertions & metrics; Deterministic metrics).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from runner.records.graders import Contains, ContainsNone, Exact, Grader, JsonFields, JsonSchema, OneOf, Regex
from runner.records.judge import Judge
from runner.records.rubric import Criterion, Normalisation
from runner.rules.adopt.items import Check, criterion, text_of

CODE = "it would run code"
FIGURE = "it is a figure of operation, which phase 12 measures itself"
OVERLAP = "there is no grader for this measure of overlap"
TRACE = "it reads a trace, and a scenario has one answer"
NEEDS_JUDGE = "it asks a model: name a judge of the workspace with --judge"
NOT_MAPPED: Mapping[str, str] = {
    **dict.fromkeys(("javascript", "python", "ruby", "webhook"), CODE),
    **dict.fromkeys(("cost", "latency", "perplexity", "perplexity-score", "finish-reason"), FIGURE),
    **dict.fromkeys(("rouge-n", "rouge-s", "rouge-l", "bleu", "gleu", "meteor", "levenshtein", "similar"), OVERLAP),
    **dict.fromkeys(
        ("trace-span-count", "trace-span-duration", "trace-error-spans", "trajectory:tool-used",
         "trajectory:tool-args-match", "trajectory:tool-sequence", "trajectory:step-count", "skill-used"), TRACE),
    "contains-json": "there is no grader for JSON that stands inside other text",
    "is-sql": "the grader `sql` needs tables: write a rubric by hand",
    "contains-sql": "the grader `sql` needs tables: write a rubric by hand",
    "word-count": "there is no grader that counts words",
    "select-best": "it compares several models, and a scenario has one answer",
    "max-score": "it compares several models, and a scenario has one answer",
    "classifier": "it asks a hosted classifier",
    "moderation": "it asks a hosted classifier",
}  # fmt: skip
OTHERWISE = "there is no grader for it"
JUDGED = frozenset({"llm-rubric", "model-graded-closedqa", "g-eval"})
INSENSITIVE = frozenset({"icontains", "icontains-all", "icontains-any", "not-icontains", "not-icontains-any"})
SENSITIVE = frozenset({"equals", "contains", "contains-all", "contains-any", "not-contains", "not-contains-any",
                       "regex", "starts-with", "is-json"})  # fmt: skip


class Refused(Exception):
    """Why an assertion is not mapped."""


class Asserted(NamedTuple):
    """One assertion as a criterion; `reference` is what it says is right, where it says that."""

    grader: Grader
    told: str
    reference: str = ""
    whole: bool = False
    """The reference is the whole answer, and not a part of it."""
    forbids: bool = False
    kind: str = ""
    weight: float = 1.0


def _texts(value: Any) -> tuple[str, ...]:
    found = tuple(text_of(one) for one in (value if isinstance(value, list) else [value]) if one is not None)
    if not found or any(not one for one in found) or any(isinstance(one, (dict, list)) for one in _list(value)):
        raise Refused("its value is no text")
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, list):
        raise Refused("its value is a list")
    return _texts(value)[0]


def _equals(value: Any) -> Asserted:
    if isinstance(value, dict):
        said = json.dumps(value, ensure_ascii=False, sort_keys=True)
        return Asserted(JsonFields(kind="json-fields"), f"The answer is the object {said}.", said, whole=True)
    said = _text(value)
    return Asserted(OneOf(kind="one-of", values=(said,)), f"The answer is: {said}", said, whole=True)


def _contains(value: Any) -> Asserted:
    said = _text(value)
    return Asserted(Contains(kind="contains", values=(said,)), f"The answer contains: {said}", said)


def _contains_all(value: Any) -> Asserted:
    said = _texts(value)
    return Asserted(Contains(kind="contains", values=said), f"The answer contains all of: {', '.join(said)}")


def _contains_any(value: Any) -> Asserted:
    said = _texts(value)
    grader = Contains(kind="contains", values=said, at_least=1)
    return Asserted(grader, f"The answer contains one of: {', '.join(said)}")


def _contains_none(value: Any) -> Asserted:
    said = _texts(value)
    grader = ContainsNone(kind="contains-none", values=said)
    return Asserted(grader, f"The answer contains none of: {', '.join(said)}", forbids=True)


def _regex(value: Any) -> Asserted:
    said = _text(value)
    return Asserted(Regex(kind="regex", pattern=said), f"The pattern {said} is found in the answer.")


def _starts_with(value: Any) -> Asserted:
    said = _text(value)
    return Asserted(Regex(kind="regex", pattern=rf"\A{re.escape(said)}"), f"The answer begins with: {said}")


def _is_json(value: Any) -> Asserted:
    if isinstance(value, str):
        raise Refused("its schema stands in another file, or is text")
    grader = JsonSchema(kind="json-schema", json_schema=json.dumps({} if value is None else value, sort_keys=True))
    return Asserted(grader, "The answer is JSON that the schema accepts." if value else "The answer is JSON.")


MAPPED: Mapping[str, Callable[[Any], Asserted]] = {
    "equals": _equals,
    "contains": _contains,
    "icontains": _contains,
    "contains-all": _contains_all,
    "icontains-all": _contains_all,
    "contains-any": _contains_any,
    "icontains-any": _contains_any,
    "not-contains": _contains_none,
    "not-icontains": _contains_none,
    "not-contains-any": _contains_none,
    "not-icontains-any": _contains_none,
    "regex": _regex,
    "starts-with": _starts_with,
    "is-json": _is_json,
}


def asserted(one: Mapping[str, Any], *, judge: str) -> Asserted:
    """The assertion as a criterion. Raises `Refused` with the reason where there is none."""
    kind, weight = text_of(one.get("type", "")), one.get("weight", 1)
    if not isinstance(weight, (int, float)) or weight <= 0:
        raise Refused("its weight is 0: it decides nothing")
    if one.get("transform"):
        raise Refused("its transform would run code")
    if kind in MAPPED and isinstance(one.get("value"), str) and one["value"].startswith("file://"):
        raise Refused("its value stands in another file")
    return _made(kind, one.get("value"), judge)._replace(kind=kind, weight=float(weight))


def _made(kind: str, value: Any, judge: str) -> Asserted:
    if kind in JUDGED:
        if not judge:
            raise Refused(NEEDS_JUDGE)
        question = _text(value)
        return Asserted(Judge(kind="judge", judge=judge, question=question), question)
    if kind not in MAPPED:
        raise Refused(NOT_MAPPED.get(kind, NOT_MAPPED.get(kind.removeprefix("not-"), OTHERWISE)))
    try:
        return MAPPED[kind](value)
    except ValidationError as error:
        first = error.errors()[0]
        why = first.get("ctx", {}).get("problem") or first["msg"]
        raise Refused(f"the grader does not take its value: {why}") from None


def together(found: Sequence[Asserted]) -> tuple[list[Asserted], list[tuple[Asserted, str]]]:
    """A test's assertions as criteria of one rubric, and those that cannot be, with the reason.

    A rubric ignores case or does not. Where some of its assertions do and others do not, the first become patterns.
    """
    kept, refused = [], []
    strict = any(one.kind in SENSITIVE for one in found)
    for one in found:
        try:
            kept.append(_caseless(one) if strict and one.kind in INSENSITIVE else one)
        except Refused as error:
            refused.append((one, str(error)))
    if kept and all(isinstance(one.grader, Judge) for one in kept):
        why = "a judge alone decides the test, and none counts before it is calibrated (docs/judges.md)"
        return [], [*refused, *((one, why) for one in kept)]
    return kept, refused


def check_of(found: Sequence[Asserted], *, threshold: float | None) -> Check:
    """The rubric of one test. `threshold` is promptfoo's: the weighted share of the assertions that passes.

    Where the first that names the right answer can say so by the scenario's reference, it does: tests that differ in
    nothing else then share a rubric.
    """
    kinds = [one.kind for one in found]
    first = next((place for place, one in enumerate(found) if one.reference), None)
    criteria: list[Criterion] = []
    for place, one in enumerate(found):
        grader, told = _by_reference(one) if place == first else (one.grader, one.told)
        name = one.kind if kinds.count(one.kind) == 1 else f"{one.kind}-{place + 1}"
        needed = threshold is None and not isinstance(grader, Judge)
        criteria.append(criterion(name, told, grader, weight=one.weight, required=needed))
    strict = any(kind in SENSITIVE for kind in kinds)
    steps = (Normalisation.LOWERCASE,) if INSENSITIVE & {*kinds} and not strict else ()
    return Check(", ".join(dict.fromkeys(kinds)), tuple(criteria), steps, threshold)


def _by_reference(one: Asserted) -> tuple[Grader, str]:
    match one.grader:
        case OneOf():
            return Exact(kind="exact"), "The answer is the reference."
        case Contains():
            return Contains(kind="contains"), "The answer contains the reference."
    return one.grader, one.told


def _caseless(one: Asserted) -> Asserted:
    """The same where letter case does not count, by a pattern. Raises `Refused` where none says it."""
    match one.grader:
        case Contains(values=values, at_least=least) if len(values) == 1 or least == 1:
            return one._replace(grader=Regex(kind="regex", pattern="|".join(map(_letters, values))))
    raise Refused("it ignores case and others of its test do not, and no pattern says so")


def _letters(text: str) -> str:
    return "".join(
        f"[{one.lower()}{one.upper()}]" if one.lower() != one.upper() and len(one.lower() + one.upper()) == 2
        else re.escape(one)
        for one in text
    )  # fmt: skip
