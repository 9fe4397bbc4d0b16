"""Every grader, every step of normalisation, and what a pass takes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.judge import Judged
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario, SetName
from runner.rules.evaluation.grading import common_normalisation, grade, grade_all
from runner.rules.text.normalisation import normalise
from tests.flywheel_fixture import scenario


def asked(reference: str = "login") -> Scenario:
    return scenario(SetName.CORE, "login", 1, "I cannot get in").model_copy(update={"reference": reference})


def rubric(*criteria: dict[str, Any], steps: tuple[str, ...] = ("strip", "lowercase")) -> Rubric:
    value = [{"id": f"c{n}", "description": f"criterion {n}", **one} for n, one in enumerate(criteria)]
    return Rubric.model_validate(
        {"id": "queue", "title": "q", "status": "approved", "normalisation": steps, "criteria": value}
    )


@pytest.mark.parametrize(
    ("grader", "right", "wrong"),
    [
        ({"kind": "exact"}, " Login\n", "log in"),
        ({"kind": "one-of", "values": ["Sign-in", "login"]}, "sign-in", "signin"),
        ({"kind": "regex", "pattern": r"^log\w+$"}, "LOGIN", "to login"),
        ({"kind": "contains"}, "it is LOGIN.", "it is refund"),
        ({"kind": "contains", "values": ["queue", "login"]}, "login queue", "login"),
    ],
)
def test_each_grader_tells_right_from_wrong(grader: dict[str, Any], right: str, wrong: str) -> None:
    found = rubric({"grader": grader})
    assert grade(asked(), found, right).passed
    failed = grade(asked(), found, wrong)
    assert (failed.passed, failed.score, failed.missed) == (False, 0.0, ("queue-c0",))
    assert "criterion 0" in failed.explanation


def test_a_json_schema_judges_the_answer_as_it_stands() -> None:
    schema = '{"type": "object", "required": ["Queue"]}'
    found = rubric({"grader": {"kind": "json-schema", "json_schema": schema}})
    assert grade(asked(), found, '{"Queue": 1}').passed
    assert not grade(asked(), found, '{"queue": 1}').passed
    assert not grade(asked(), found, "Queue: 1").passed


def test_fields_are_met_in_part_and_the_explanation_names_them() -> None:
    schema = '{"type": "object", "required": ["slots"]}'
    found = rubric(
        {"grader": {"kind": "json-schema", "json_schema": schema}},
        {"grader": {"kind": "json-fields", "below": "slots"}, "weight": 3.0},
    )
    scenario = asked('{"intent": "weather", "slots": {"city": "Oslo", "when": "noon"}}')
    right = grade(scenario, found, '{"slots": {"when": "NOON ", "city": "oslo"}, "intent": "other"}')
    assert (right.passed, right.score) == (True, 1.0)
    half = grade(scenario, found, '{"slots": {"city": "Oslo", "state": "no"}}')
    assert (half.passed, half.score, half.missed) == (False, (1 + 3 * 0.5) / 4, ("queue-c1",))
    assert "slots.when 'noon' is missed" in half.explanation
    assert "slots.state 'no' was not asked for" in half.explanation
    none = grade(scenario, found, "Oslo")
    assert (none.score, none.missed) == (0.0, ("queue-c0", "queue-c1"))


def test_one_way_of_writing_json_makes_answers_comparable() -> None:
    found = rubric({"grader": {"kind": "exact"}}, steps=("canonical-json",))
    scenario = asked('{"a": 1, "b": "x"}')
    assert grade(scenario, found, '{"b":"x","a":1}').passed
    assert not grade(scenario, found, '{"b":"X","a":1}').passed


def test_a_regular_expression_is_right_where_it_accepts_the_same_texts() -> None:
    found = rubric({"grader": {"kind": "same-language"}}, steps=("strip",))
    assert grade(asked("(dog|cat){2,}"), found, "(cat|dog)(dog|cat)+").passed
    assert not grade(asked("(dog|cat){2,}"), found, "(cat|dog)+").passed
    assert not grade(asked("(dog|cat){2,}"), found, "(cat").passed
    assert grade(asked("(dog"), found, "(dog").passed


def test_a_pattern_that_does_not_compile_is_the_rubric_s_fault() -> None:
    with pytest.raises(RecordError, match="draft 2020-12"):
        grade(asked(), rubric({"grader": {"kind": "json-schema", "json_schema": '{"type": 3}'}}), "{}")
    with pytest.raises(ValidationError, match="does not compile"):
        rubric({"grader": {"kind": "regex", "pattern": "("}})


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        ((), " A  b! ", " A  b! "),
        (("strip",), " A  b! ", "A  b!"),
        (("lowercase", "collapse-spaces"), "A  \n b", "a b"),
        (("strip-punctuation",), "a-b, “c”!", "ab c"),
        (("unicode-nfkc",), "ﬁne²", "fine2"),
        (("strip-punctuation", "strip"), "! a !", "a"),
        (("strip", "strip-punctuation"), "! a !", " a "),
    ],
)
def test_normalisation_is_applied_in_order(steps: tuple[str, ...], text: str, expected: str) -> None:
    assert normalise(text, rubric({"grader": {"kind": "exact"}}, steps=steps).normalisation) == expected


def test_score_is_weighted_and_passing_takes_every_required_criterion() -> None:
    found = rubric(
        {"grader": {"kind": "contains"}, "weight": 3},
        {"grader": {"kind": "regex", "pattern": "please"}, "required": False},
    )
    half = grade(asked(), found, "login")
    assert (half.score, half.passed, half.missed) == (0.75, True, ("queue-c1",))
    other = grade(asked(), found, "please")
    assert (other.score, other.passed) == (0.25, False)


def test_a_rubric_that_requires_nothing_passes_only_a_whole_answer() -> None:
    found = rubric(
        {"grader": {"kind": "contains"}, "required": False},
        {"grader": {"kind": "regex", "pattern": "please"}, "required": False},
    )
    assert not grade(asked(), found, "login").passed
    assert grade(asked(), found, "login please").passed


def test_a_judge_decides_its_criterion_and_no_other() -> None:
    found = rubric(
        {"grader": {"kind": "contains"}},
        {"grader": {"kind": "judge", "judge": "tone", "question": "Is it polite?"}},
    )
    with pytest.raises(RecordError, match="c1 of rubric queue needs a judge"):
        grade(asked(), found, "login")
    polite = Judged(credit=1.0, explanation="it says please")
    assert grade(asked(), found, "login please", judged={"c1": polite}).passed
    rude = Judged(credit=0.0, explanation="it shouts")
    failed = grade(asked(), found, "LOGIN!", judged={"c1": rude})
    assert (failed.passed, failed.score, failed.missed) == (False, 0.5, ("queue-c1",))
    assert "criterion 1 (it shouts)" in failed.explanation
    assert [
        one.passed
        for one in grade_all([asked()] * 2, {"queue": found}, ["login"] * 2, judged=[{"c1": polite}, {"c1": rude}])
    ] == [True, False]


def test_a_verdict_for_show_counts_for_nothing_and_is_kept() -> None:
    found = rubric(
        {"grader": {"kind": "contains"}},
        {"grader": {"kind": "judge", "judge": "tone", "question": "Is it polite?"}, "weight": 3.0},
    )
    rude = {"c1": Judged(credit=0.0, explanation="it shouts", shown=True)}
    kept = grade(asked(), found, "LOGIN!", judged=rude)
    assert (kept.passed, kept.score, kept.missed, kept.judged) == (True, 1.0, (), rude)
    assert kept.explanation.endswith("; not counted: c1 (it shouts)")
    assert "judged" not in grade(asked(), rubric({"grader": {"kind": "exact"}}), "login").model_dump()
    alone = rubric({"grader": {"kind": "judge", "judge": "tone", "question": "Is it polite?"}})
    with pytest.raises(RecordError, match="no criterion of rubric queue counts"):
        grade(asked(), alone, "login", judged={"c0": rude["c1"]})


def test_an_empty_answer_is_said_to_be_none() -> None:
    assert "gave no answer" in grade(asked(), rubric({"grader": {"kind": "exact"}}), "").explanation


def test_an_unknown_rubric_is_an_error() -> None:
    with pytest.raises(RecordError, match="which there is not"):
        grade_all([asked()], {}, ["login"])


def test_production_is_compared_as_core_s_approved_rubric_compares() -> None:
    found = rubric({"grader": {"kind": "exact"}}, steps=("strip-punctuation",))
    assert common_normalisation([asked()], {"queue": found}) == ("strip-punctuation",)
    draft = found.model_copy(update={"status": "draft"})
    assert "lowercase" in common_normalisation([asked()], {"queue": draft})
