"""docs/graders.md says what the code does: its tables are the code's, and each of its examples is graded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from runner.edges.yaml_files import load, parse
from runner.records.conversation import Message, Role
from runner.records.expected_calls import Tool
from runner.records.graders import Echo, Grader, Negation
from runner.records.rubric import Normalisation, Rubric
from runner.records.scenario import Scenario, SetName
from runner.rules.evaluation import json_schema, query_rows
from runner.rules.evaluation.expectations import of_rubric, of_scenario
from runner.rules.evaluation.grading import grade
from runner.rules.graders.table import GRADERS, LONGEST_ANSWER
from runner.rules.text import matching
from runner.rules.text.units import TABLE, TEMPERATURES, unit
from tests.flywheel_fixture import scenario

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "graders.md").read_text()
KINDS = [get_args(member.model_fields["kind"].annotation)[0] for member in get_args(get_args(Grader)[0])]
SECTIONS: dict[str, str] = dict(re.findall(r"^### ([\w-]+)\n(.*?)(?=^### |\Z)", PAGE, re.M | re.S))
EXAMPLES = [
    (kind, load(block.encode(), path="docs/graders.md").value)
    for kind, text in SECTIONS.items()
    for block in re.findall(r"```yaml\n(.*?)```", text, re.S)
]


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose first column is headed so."""
    table = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M)
    assert table
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def built(example: dict[str, Any]) -> tuple[Scenario, Rubric]:
    rubric = Rubric.model_validate(
        {
            "id": "queue",
            "title": "an example",
            "status": "approved",
            "normalisation": example.get("normalisation", []),
            "criteria": [{"id": "c", "description": "the criterion", "grader": example["grader"]}],
        }
    )
    update: dict[str, Any] = {
        "reference": example["reference"],
        "tools": tuple(Tool.model_validate(one) for one in example.get("tools", [])),
    }
    if "input" in example:
        update["input"] = (Message(role=Role.USER, content=example["input"]),)
    return scenario(SetName.CORE, "login", 1, "a question").model_copy(update=update), rubric


def test_the_table_has_every_grader_and_the_code_has_each_of_the_table() -> None:
    assert [row[0].strip("`") for row in rows("grader")] == list(SECTIONS) == [*GRADERS, "judge"]
    assert set(KINDS) == {*GRADERS, "judge"}
    assert {kind for kind, _ in EXAMPLES} == set(GRADERS)


def test_the_limits_are_those_of_the_code() -> None:
    assert f"more than {LONGEST_ANSWER:,} characters" in PAGE
    words = " ".join(PAGE.split())
    assert f"{query_rows.MOST_STEPS:,} steps of SQLite's machine and give {query_rows.MOST_ROWS:,} rows" in words
    assert f"of {query_rows.MOST_CHARACTERS:,} characters together" in words
    assert f"more than {matching.MOST_STEPS // json_schema.OF_A_REFERENCE:,} references" in words
    assert matching.MOST_STEPS == 2_000_000
    assert "more than two million steps" in PAGE
    for name, value in (("window", Negation().window), ("own_words", Echo().own_words), ("cap", Echo().cap)):
        assert f"`{name}` ({value})" in PAGE


def test_the_table_says_which_graders_are_met_in_part() -> None:
    partly = {kind for kind, example in EXAMPLES if "partly" in example}
    assert partly == {row[0].strip("`") for row in rows("grader") if row[2] != "no"} - {"judge"}


def test_the_normalisations_and_units_are_those_of_the_code() -> None:
    assert [row[0].strip("`") for row in rows("normalisation")] == list(Normalisation)
    firsts = {dimension: [names.split()[0] for names in found] for dimension, found in TABLE.items()}
    firsts["temperature"] = [names.split()[0] for names in TEMPERATURES]
    assert {row[0]: row[1].split(", ") for row in rows("dimension")} == firsts
    for dimension, names in firsts.items():
        assert all((found := unit(name)) is not None and found.dimension == dimension for name in names)


@pytest.mark.parametrize(("kind", "example"), EXAMPLES, ids=[kind for kind, _ in EXAMPLES])
def test_each_example_is_graded_as_it_says(kind: str, example: dict[str, Any]) -> None:
    asked, rubric = built(example)
    assert [*of_rubric(rubric), *of_scenario(asked, rubric)] == []
    assert grade(asked, rubric, asked.reference).passed or kind == "contains"
    for answer in example["right"]:
        found = grade(asked, rubric, answer)
        assert (found.score, found.passed, found.missed) == (1.0, True, ()), answer
    for answer in example["wrong"]:
        found = grade(asked, rubric, answer)
        assert (found.score, found.passed, found.missed) == (0.0, False, ("queue-c",)), (answer, found.explanation)
        assert "the criterion" in found.explanation
    for answer, share in example.get("partly", {}).items():
        found = grade(asked, rubric, answer)
        assert found.score == pytest.approx(share, abs=5e-4), answer
        assert not found.passed
        assert f"{found.score:.2f} of it" in found.explanation


def test_the_rubric_at_the_top_passes_and_misses_as_the_page_says() -> None:
    block = re.search(r"```yaml\n(id:.*?)```", PAGE, re.S)
    assert block
    rubric = parse(block[1].encode(), Rubric, path="rubrics/refund-terms.yaml")
    asked = scenario(SetName.CORE, "login", 1, "When do I get my money?")
    plain = grade(asked, rubric, "It takes 5 working days.")
    assert (plain.passed, plain.score, plain.missed) == (True, 0.8, ("refund-terms-is-friendly",))
    assert (
        "(compared as 'it takes 5 working days.' after unicode-nfkc, strip-invisible, lowercase)" in plain.explanation
    )
    asks = grade(asked, rubric, "Thank you. It takes 5 working days. Your card number, please?")
    assert (asks.passed, asks.missed) == (False, ("refund-terms-asks-for-no-card",))
    assert "says 'card number'" in asks.explanation
