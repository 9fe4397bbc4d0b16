"""Types of fields: each is declared once."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

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
