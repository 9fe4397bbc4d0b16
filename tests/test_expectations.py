"""`hallmark check` refuses rubrics whose parameters, and scenarios whose references, nothing can be graded by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner import survey_files
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import dump, line_of, parse
from runner.phases.common import Task
from runner.records.scenario import Scenario, SetName
from tests.reviewed_fixture import put, scenario, write

CORE, RUBRIC = "scenarios/desk/core/core-refunds-1.yaml", "rubrics/asks.yaml"
CALLS = '{"tool_calls": [{"name": "find", "arguments": {"n": 1}}]}'
FIND = {"name": "find", "description": "finds"}
TABLES = "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write(tmp_path)


def told(
    top: Path, grader: dict[str, Any], reference: str, *paths: str, **more: Any
) -> list[tuple[str, int, str, str]]:
    criteria = [{"id": "c", "description": "d", "grader": grader}]
    put(top, RUBRIC, dump({"id": "asks", "title": "A", "status": "approved", "criteria": criteria}))
    put(top, CORE, dump({**scenario("core-refunds-1"), "reference": reference, "rubric": "asks", **more}))
    found = survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of, paths=paths).problems
    assert all(one.hint for one in found)
    return [(one.path, one.line or 0, one.field, one.problem) for one in found]


@pytest.mark.parametrize(
    ("grader", "reference", "more", "problem"),
    [
        ({"kind": "numeric"}, "a lot", {}, "the grader numeric cannot read it: 'a lot' is not one number"),
        ({"kind": "numeric"}, "5 apples", {}, "the grader numeric cannot read it: 'apples' is no unit"),
        ({"kind": "set"}, "a, b", {}, "the grader set compares lists, and this is no JSON array"),
        ({"kind": "order", "separator": ","}, " , ", {}, "it lists nothing"),
        ({"kind": "json-fields"}, "[1]", {}, "the grader json-fields compares objects, and this is none"),
        ({"kind": "sql", "tables": TABLES}, "SELECT b FROM t", {}, "the query fails: 'no such column: b'"),
        ({"kind": "sql", "tables": TABLES}, "SELECT a FROM t WHERE a > 1", {}, "the query gives no rows"),
        ({"kind": "tool-calls"}, '{"tool_calls": 1}', {}, "tool_calls is not a list that stands alone"),
    ],
)
def test_a_reference_that_its_grader_cannot_use_is_told_by_line(top, grader, reference, more, problem) -> None:
    (path, line, field, said), *rest = told(top, grader, reference, **more)
    assert (path, line, field, rest) == (CORE, 11, "reference", [])
    assert said.startswith(problem)
    assert told(top, grader, reference, CORE, **more) == [(path, line, field, said)], "and where one file is checked"


@pytest.mark.parametrize(
    ("grader", "more", "field", "problem"),
    [
        ({"kind": "tool-calls"}, {}, "", "the grader tool-calls expects 'find', which is none of the scenario's tools"),
        (
            {"kind": "tool-calls", "not_called": ["drop"]},
            {"tools": [FIND]},
            "tools",
            "the grader tool-calls expects 'drop'",
        ),
        ({"kind": "tool-calls", "arguments": "schema"}, {"tools": [FIND]}, "tools", "the arguments of 'find' are held"),
        (
            {"kind": "tool-calls"},
            {"tools": [{**FIND, "parameters": '{"type": 3}'}]},
            "tools",
            "the parameters of 'find': it is not a JSON schema",
        ),
    ],
)
def test_a_tool_that_the_scenario_does_not_have_is_told(top, grader, more, field, problem) -> None:
    ((path, _, where, said),) = told(top, grader, CALLS, **more)
    assert (path, where) == (CORE, field)
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("grader", "reference", "more"),
    [
        ({"kind": "numeric", "unit": "km"}, "1,200", {}),
        ({"kind": "set", "separator": ","}, "a, b", {}),
        ({"kind": "sql", "tables": TABLES}, "SELECT a FROM t", {}),
        ({"kind": "tool-calls"}, CALLS, {"tools": [FIND]}),
        ({"kind": "tool-calls"}, "Nothing to look up.", {}),
        (
            {"kind": "tool-calls"},
            CALLS,
            {
                "input": [
                    {"role": "user", "content": "find 2"},
                    {"role": "assistant", "content": "", "tool_calls": [{"name": "find", "arguments": '{"n": 2}'}]},
                    {"role": "tool", "content": "none", "tool_call_id": "find"},
                    {"role": "user", "content": "and 1?"},
                ]
            },
        ),
    ],
)
def test_what_can_be_graded_is_not_told_of(top, grader, reference, more) -> None:
    assert told(top, grader, reference, **more) == []


@pytest.mark.parametrize(
    ("grader", "field", "problem"),
    [
        ({"kind": "numeric", "unit": "parsec"}, "unit", "the unit 'parsec' is unknown"),
        ({"kind": "sql", "tables": "CREATE t"}, "tables", "the statement fails"),
        ({"kind": "sql", "tables": "ATTACH 'x' AS y"}, "tables", "the statement fails: 'not authorized'"),
        ({"kind": "contains", "values": ["a"], "at_least": 3}, "", "asks for 3 of 1 values"),
        (
            {"kind": "json-schema", "json_schema": '{"type": 3}'},
            "json_schema",
            "it is not a JSON schema of draft 2020-12",
        ),
        ({"kind": "numeric", "absolute": -1}, "absolute", "-1 is out of range"),
    ],
)
def test_wrong_parameters_are_told_in_the_rubric(top, grader, field, problem) -> None:
    found = [one for one in told(top, grader, "5") if one[0] == RUBRIC]
    ((_, line, where, said),) = found
    assert where == f"criteria[0].grader{'.' if field else ''}{field}"
    assert line >= 7
    assert said.startswith(problem)


def test_a_model_is_asked_with_the_scenario_s_tools(top) -> None:
    asked = Scenario.model_validate({**scenario("core-refunds-1"), "tools": [FIND]})
    first, second = Task(SetName.CORE, asked).prompt("Answer shortly.", seed=1)
    assert first.content.startswith("Answer shortly.\n\n# Tools")
    assert '"name": "find"' in first.content
    assert second == asked.input[0]
