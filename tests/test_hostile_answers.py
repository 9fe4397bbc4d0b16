"""Whatever a model answers, each grader ends soon, gives a credit from 0 to 1, and says why in few plain characters."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.records.conversation import Message, Role
from runner.records.expected_calls import Tool
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario, SetName
from runner.rules.evaluation.grading import grade
from runner.rules.graders.table import GRADERS, LONGEST_ANSWER
from tests.flywheel_fixture import scenario

TABLES = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z');"
SCHEMA = json.dumps(
    {"type": "array", "uniqueItems": True, "items": {"type": ["integer", "object", "string"], "pattern": "^(a+)+$"}}
)
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "exact": ({}, "login"),
    "one-of": ({"values": ["login", "sign-in"]}, "login"),
    "contains": ({"values": ["a", "not a"], "negation": {"window": 1000}, "whole_words": True, "echo": {}}, "a"),
    "contains-none": ({"values": ["a"], "negation": {"window": 1000}}, "b"),
    "regex": ({"pattern": "(.*a){12}b|(a?){40}a{40}c|[^b-df-hj-np-tv-xz0-9]{500}$"}, "ab"),
    "numeric": ({"relative": 0.1, "take": "last", "unit": "km"}, "5 km"),
    "set": ({"separator": ","}, "a,b,c"),
    "order": ({"separator": ",", "credit": "kendall"}, "a,b,c"),
    "json-schema": ({"json_schema": SCHEMA}, "[1]"),
    "json-fields": ({}, '{"a": 1}'),
    "tool-calls": ({"arguments": "subset"}, '{"tool_calls": [{"name": "find", "arguments": {"n": 1}}]}'),
    "sql": ({"tables": TABLES}, "SELECT a FROM t"),
    "same-language": ({}, "(a|b)*"),
}
LONG = LONGEST_ANSWER
CALL = '<tool_call>{"name": "find", "arguments": {"n": 2}}</tool_call>'
HOSTILE = {
    "five megabytes": "a" * 5_000_000,
    "as long as may be": "a" * LONG,
    "words": "not a " * (LONG // 6),
    "a long word": "x" * (LONG - 1) + "!",
    "numbers": "1,111" * (LONG // 5),
    "thousands that are none": "1" + "'111" * (LONG // 4 - 1) + "1",
    "many numbers": "1e9 $ " * (LONG // 6),
    "a huge number": "9" * 100_000,
    "a list": "a,b," * (LONG // 4),
    "distinct items": ",".join(map(str, range(30_000))),
    "a JSON list": json.dumps([{"a": n} for n in range(15_000)]),
    "many fields": json.dumps({f"k{n}": n for n in range(12_000)}),
    "a long string": json.dumps(["a" * 190_000 + "!"]),
    "deep lists": "[" * 90_000 + "]" * 90_000,
    "deep objects": '{"a":' * 30_000 + "1" + "}" * 30_000,
    "not a number": '{"a": NaN, "b": Infinity, "c": 1e999}',
    "calls": CALL * 3_000,
    "sixty-four calls": CALL * 64,
    "open tags": "<tool_call>" * 18_000,
    "expressions": "(a|b)" * 200,
    "an explosion": "(" * 300 + "a" + "*)" * 300,
    "states": "(a|b)*a" + "(a|b)" * 180,
    "endless rows": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
    "a wide join": "SELECT count(*) FROM " + ", ".join(f"t t{n}" for n in range(30)),
    "slow functions": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(instr("
    "printf('%.1900c', 'a'), printf('%.950c', 'a') || 'b')) FROM n",
    "a slow comparison": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum("
    f"printf('%1950d', i) LIKE '%{' ' * 46}b%') FROM n",
    "large values": "SELECT replace(printf('%.2000c', 'a'), 'a', printf('%.2000c', 'b'))",
    "another file": "ATTACH '/tmp/x.db' AS x",
    "unseen characters": "\u202elog\u200bin\u2066\x00\x1b[2J\ud7ff\U000e0041",
    "unseen keys": json.dumps({"a\u202e\x1b[2J": 1, "\u2066": {"\x00": "x"}}),
    "combining marks": "Z" + "\u0301" * 100_000,
    "right to left": "\u05d0\u05d1\u05d2" * 50_000,
    "nothing": "",
    "spaces": " \n\t\u2003" * 100_000,
}


def rubric(kind: str, more: dict[str, Any], steps: tuple[str, ...] = ()) -> Rubric:
    grader = {"kind": kind, **more}
    criteria = [{"id": "c", "description": "the criterion", "grader": grader}]
    said = {"id": "r", "title": "R", "status": "approved", "normalisation": steps, "criteria": criteria}
    return Rubric.model_validate(said)


def asked(reference: str) -> Scenario:
    tool = Tool(name="find", description="finds", parameters='{"type": "object"}')
    update = {"reference": reference, "tools": (tool,), "input": (Message(role=Role.USER, content="what is a?"),)}
    return scenario(SetName.CORE, "login", 1, "x").model_copy(update=update)


def test_every_grader_is_tried() -> None:
    assert set(CASES) == set(GRADERS)


@pytest.mark.parametrize("kind", CASES)
def test_no_answer_takes_long(kind: str) -> None:
    more, reference = CASES[kind]
    found = rubric(kind, more, ("unicode-nfkc", "strip-invisible"))
    for name, answer in HOSTILE.items():
        began = time.process_time()
        grade_ = grade(asked(reference), found, answer)
        took = time.process_time() - began
        assert took < 5, f"{name}: {took:.1f} s"
        assert 0 <= grade_.score <= 1
        assert grade_.answer == answer
        assert len(grade_.explanation) < 1_000
        assert grade_.explanation.isprintable(), name


def test_an_answer_that_is_too_long_meets_nothing() -> None:
    found = grade(asked("login"), rubric("contains-none", {"values": ["password"]}), "a" * (LONG + 1))
    assert (found.score, found.passed) == (0.0, False)
    assert "longer than 200,000 characters" in found.explanation


def test_a_schema_s_patterns_have_their_steps_together() -> None:
    schema = json.dumps({"items": {"pattern": "(a?){300}b$"}})
    for answer, right in ((["a" * 50] * 3_000, False), (["aab"] * 5, True)):
        began = time.process_time()
        assert grade(asked("x"), rubric("json-schema", {"json_schema": schema}), json.dumps(answer)).passed is right
        assert time.process_time() - began < 5


def test_alternatives_that_refer_to_the_whole_do_not_double_at_every_level() -> None:
    kinds = [{"properties": {"kind": {"const": kind}, "of": {"$ref": "#"}}, "required": ["kind"]} for kind in "ab"]
    found = rubric("json-schema", {"json_schema": json.dumps({"anyOf": [{"type": "integer"}, *kinds]})})
    for depth, right in ((6, True), (40, False)):
        began = time.process_time()
        answer = '{"kind": "b", "of": ' * depth + "1" + "}" * depth
        assert grade(asked("x"), found, answer).passed is right
        assert time.process_time() - began < 5


def test_half_a_character_is_kept_as_the_sign_for_one_that_is_lost() -> None:
    found = grade(asked("login"), rubric("exact", {}), "log\ud800in \U0001f600")
    assert found.answer == "log\ufffdin \U0001f600"
    assert json.loads(found.model_dump_json())["answer"] == found.answer


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(a?){40}a{40}b", "(.*a){12}b", r"(\w+\s?)*;", "(x+x+)+y"])
def test_a_catastrophic_pattern_ends(pattern: str) -> None:
    began = time.process_time()
    found = grade(asked("login"), rubric("regex", {"pattern": pattern}), "a" * 200_000 + "!")
    assert not found.passed
    assert time.process_time() - began < 5


def test_a_search_is_given_up_after_as_many_steps_everywhere() -> None:
    pattern, drawn = "(a.{200}|b.{199})z", random.Random(1)
    answer = "".join(drawn.choice("abcdefgh") for _ in range(200_000))
    found = [grade(asked("login"), rubric("regex", {"pattern": pattern}), answer) for _ in range(2)]
    assert found[0] == found[1]
    assert "takes more than 2,000,000 steps and was given up" in found[0].explanation


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
ANSWERS = (
    st.text(max_size=60) | JSON.map(json.dumps) | st.sampled_from([*"a1,<{", CALL, "SELECT a FROM t", "5 km", "-5e3 m"])
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(CASES)), st.lists(ANSWERS, max_size=3).map(" ".join))
def test_any_answer_has_a_credit_the_same_each_time_and_words(kind: str, answer: str) -> None:
    more, reference = CASES[kind]
    found = grade(asked(reference), rubric(kind, more), answer)
    assert found == grade(asked(reference), rubric(kind, more), answer)
    assert 0 <= found.score <= 1
    assert found.passed == (found.score == 1) == (not found.missed)
    assert found.explanation.isprintable()


@pytest.mark.parametrize("kind", sorted({*CASES} - {"regex", "contains", "json-fields"}))
def test_the_reference_is_right(kind: str) -> None:
    more, reference = CASES[kind]
    assert grade(asked(reference), rubric(kind, more), reference).passed
