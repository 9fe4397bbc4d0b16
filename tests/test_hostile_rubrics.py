"""Patterns and schemas of a rubric that would hang a grading, or fetch something."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.edges.yaml_files import parse
from runner.errors import RecordError
from runner.records.patterns import program
from runner.records.rubric import Rubric
from runner.rules.evaluation.json_schema import conforms
from runner.rules.text.matching import found


def rubric(kind: str, field: str, text: str) -> bytes:
    said = {"id": "r", "title": "R", "status": "draft"}
    grader = {"kind": kind, field: text}
    return json.dumps({**said, "criteria": [{"id": "c", "description": "d", "grader": grader}]}).encode()


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?=a)b", "(?<!a)b", "(?i)a", "(", "a{3000}", "((a{60}){60}){60}", "x" * 1001]
)
def test_a_pattern_that_takes_backtracking_is_refused_by_field(pattern: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse(rubric("regex", "pattern", pattern), Rubric, path="rubrics/r.yaml")
    assert caught.value.field == "criteria[0].grader.pattern"
    assert caught.value.hint


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(a?){40}a{40}b", "(.*a){12}b", "a*a*a*a*a*b"])
def test_what_explodes_elsewhere_takes_its_time_and_no_more(pattern: str) -> None:
    began = time.process_time()
    assert not found(program(pattern), "a" * 400 + "!")
    assert time.process_time() - began < 5


PIECES = st.sampled_from(["a", "b", ".", r"\d", r"\W", "[a-c]", "[^b1]", "^", "$", r"\b", r"\B", " ", "1"])
PATTERNS = st.recursive(
    PIECES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})")
        | st.tuples(inner, st.sampled_from(["?", "{1,2}", "{2}", "+?"])).map(lambda two: f"(?:{two[0]}){two[1]}")
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PATTERNS, st.text("ab1 \n.é", max_size=8))
def test_what_is_found_is_what_re_finds(pattern: str, text: str) -> None:
    assert found(program(pattern), text) == (re.search(pattern, text) is not None)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/s"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"allOf": [{"$dynamicRef": "other.json"}]},
        {"$id": "http://127.0.0.1:9/", "$ref": "#/x"},
        {"pattern": "(a)\\1"},
        {"patternProperties": {"(a+)+$": {}}},
    ],
)
def test_a_schema_that_leaves_itself_is_refused_by_field(schema: object) -> None:
    with pytest.raises(RecordError) as caught:
        parse(rubric("json-schema", "json_schema", json.dumps(schema)), Rubric, path="rubrics/r.yaml")
    assert caught.value.field == "criteria[0].grader.json_schema"
    assert caught.value.hint


def test_grading_fetches_nothing_and_ends() -> None:
    with pytest.raises(RecordError, match="not in it"):
        conforms("{}", '{"$ref": "http://127.0.0.1:9/s"}')
    with pytest.raises(RecordError, match="not in it"):
        conforms("{}", '{"$ref": "#/$defs/none"}')
    assert not conforms("1", '{"$ref": "#"}')
    assert not conforms(json.dumps("a" * 200 + "!"), '{"pattern": "^(a+)+$"}')
    assert conforms('{"a": 1}', '{"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}')
