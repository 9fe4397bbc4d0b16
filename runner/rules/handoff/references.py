"""What people name in a hand-off, and whether it is there: `` `capability:refunds` `` and its kin, in backticks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from runner.rules.text.fences import open_fences


class Named(StrEnum):
    """What may be named."""

    CAPABILITY = "capability"
    SCENARIO = "scenario"
    RUBRIC = "rubric"
    BATCH = "batch"
    TRIGGER = "trigger"
    PROMOTION = "promotion"


WHERE = {
    Named.CAPABILITY: "cluster.yaml's capabilities",
    Named.SCENARIO: "the cluster's scenarios",
    Named.RUBRIC: "rubrics/",
    Named.BATCH: "a promotion's evidence or a triage list",
    Named.TRIGGER: "cluster.yaml's triggers",
    Named.PROMOTION: "the cluster's promotions",
}
_REFERENCE = re.compile(rf"`({'|'.join(Named)}):([^`\n]+)`")


class Reference(NamedTuple):
    line: int
    kind: Named
    name: str


def references(text: str) -> Iterator[Reference]:
    """Everything that a text names, in its order; what stands in a fenced block is an example."""
    lines = text.splitlines()
    for number, (line, fence) in enumerate(zip(lines, open_fences(lines), strict=True), 1):
        if not fence:
            yield from (Reference(number, Named(kind), name.strip()) for kind, name in _REFERENCE.findall(line))


def gone(found: Reference, known: Collection[str]) -> tuple[str, str]:
    """The problem and the hint of a reference to what is not among `known`; both empty where it is."""
    if found.name in known:
        return "", ""
    near = get_close_matches(found.name, sorted(known), n=3)
    instead = f"name another, perhaps {' or '.join(near)}, or" if near else "take the sentence out, or"
    return f"`{found.kind}:{found.name}` is not among {WHERE[found.kind]}", f"{instead} put it back"


def dangling(text: str, known: Mapping[Named, Collection[str]]) -> Iterator[tuple[Reference, str, str]]:
    """References of the kinds in `known` to what is gone, each with its problem and hint."""
    for one in references(text):
        if one.kind in known:
            problem, hint = gone(one, known[one.kind])
            if problem:
                yield one, problem, hint
