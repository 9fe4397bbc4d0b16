"""Rows of a promptfoo file of tests (CSV, JSON Lines) as tests: columns are variables, `__expected` are assertions in
their compact form, `type:value` or a text that the answer equals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.errors import RecordError
from runner.rules.adopt.assertions import JUDGED, MAPPED, NOT_MAPPED
from runner.rules.adopt.items import Tally, text_of

_COMPACT = re.compile(r"(?P<kind>[a-z][a-z0-9:-]*?)(?:\((?P<threshold>[\d.]+)\))?:(?P<value>.*)\Z", re.DOTALL)
_EXPECTED = re.compile(r"__expected\d*\Z")
ALIASES = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
METADATA = "__metadata:"
_KNOWN = frozenset({"__prefix", "__suffix", "__description", "__threshold"})
_LISTS = ("contains-all", "contains-any", "icontains-all", "icontains-any", "not-contains-any", "not-icontains-any")


def test_of_row(row: Mapping[str, Any], tally: Tally, place: str) -> Mapping[str, Any]:
    """The test that a row says. A row that has `vars` or `assert` is one already. Raises `RecordError`."""
    if "vars" in row or "assert" in row:
        return row
    said = {name: text_of(value) for name, value in row.items() if name.startswith("__") and text_of(value).strip()}
    test: dict[str, Any] = {
        "vars": {name: value for name, value in row.items() if not name.startswith("__")},
        "assert": [_assertion(value) for name, value in said.items() if _EXPECTED.match(name)],
        "metadata": {name[len(METADATA) :]: value for name, value in said.items() if name.startswith(METADATA)},
        "options": {name[2:]: said[name] for name in ("__prefix", "__suffix") if name in said},
        "description": said.get("__description", ""),
    }
    if "__threshold" in said:
        test["threshold"] = _share(said["__threshold"], place)
    for name in said:
        if not (_EXPECTED.match(name) or name.startswith(METADATA) or name in _KNOWN):
            tally.left(f"the column {name}", "it is not taken over", place)
    return test


def _share(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RecordError(f"the threshold {text[:40]!r} is no number", path=place) from None


def _assertion(text: str) -> dict[str, Any]:
    found = _COMPACT.match(text.strip())
    kind = ALIASES.get(found["kind"], found["kind"]) if found else ""
    known = kind in MAPPED or kind in JUDGED or kind.removeprefix("not-") in {*NOT_MAPPED, *MAPPED}
    if found is None or not known:
        if text.strip() == "is-json":
            return {"type": "is-json"}
        return {"type": "equals", "value": text}
    value: Any = found["value"].strip()
    if kind in _LISTS:
        value = [one.strip() for one in value.split(",")]
    return {"type": kind, "value": value or None}
