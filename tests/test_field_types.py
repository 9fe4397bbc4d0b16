"""Types of fields: each is declared once, and a name has the same form in a field and in a path."""

from __future__ import annotations

import ast
import contextlib
import re
from collections import defaultdict
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from runner.records.base import SLUG, Slug
from runner.rules.repository.scenario_place import scenario_place

RECORDS = Path(__file__).parent.parent / "runner" / "records"


def declared() -> dict[str, list[str]]:
    """Where each `Name = Annotated[...]` stands, by its name and, apart, by what it says."""
    found = defaultdict(list)
    for path in sorted(RECORDS.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Annotated["):
                for said in (ast.unparse(node.targets[0]), ast.unparse(node.value)):
                    found[said].append(f"{path.name}:{node.lineno}")
    return found


def test_each_type_of_a_field_is_declared_once() -> None:
    assert {said: places for said, places in declared().items() if len(places) > 1} == {}
    assert {"Slug", "Count", "Positive", "Annotated[int, Field(ge=0)]"} <= declared().keys()


@pytest.mark.parametrize(
    ("name", "good"),
    [("a", True), ("a-1-b", True), ("", False), ("-a", False), ("a-", False), ("a--b", False), ("A", False),
     ("a_b", False), ("é", False), ("a\n", False)],
)  # fmt: skip
def test_a_slug_is_the_same_in_a_field_and_in_a_path(name: str, good: bool) -> None:
    slug = TypeAdapter(Slug)
    assert bool(re.fullmatch(SLUG, name)) is good
    assert bool(scenario_place(f"scenarios/{name}/core/x.yaml")) is good
    with contextlib.nullcontext() if good else pytest.raises(ValidationError):
        assert slug.validate_python(name) == name
    assert re.compile(SLUG).groups == 0


def test_a_cluster_s_folder_has_a_name_as_long_as_one_may_be() -> None:
    assert scenario_place(f"scenarios/{'a' * 64}/core/x.yaml")
    assert not scenario_place(f"scenarios/{'a' * 65}/core/x.yaml")
