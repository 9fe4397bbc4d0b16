"""Answers that are JSON objects: their fields, how far two of them agree, and whether a changed text still says them.

A field is a path and one scalar at it; the elements of a list share one path, and their order says nothing. So two
answers are compared as bags of fields, as entity scores compare bags of (type, text): what stands in both is right, and
F1 over many answers is micro-averaged (`FieldCounts` adds up). On spans it is what CoNLL's evaluation and seqeval give.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runner.rules.naming import slug
from runner.rules.text.shown import shown

Fields = Counter[tuple[str, str]]
"""How often each (path, scalar) stands in an answer."""


class FieldCounts(NamedTuple):
    """Fields of answers: in both, in the answer, in the reference. They add up over answers."""

    right: int = 0
    given: int = 0
    wanted: int = 0

    def plus(self, other: FieldCounts) -> FieldCounts:
        return FieldCounts(self.right + other.right, self.given + other.given, self.wanted + other.wanted)

    @property
    def precision(self) -> float:
        return self.right / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """2 P R / (P + R); 1 where nothing was wanted and nothing given."""
        both = self.given + self.wanted
        return 2 * self.right / both if both else 1.0


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` is; None for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def canonical_json(text: str) -> str:
    """A JSON object with its keys sorted and no spaces between its parts; any other text as it is."""
    value = read_object(text)
    if value is None:
        return text
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def fields(text: str, *, below: str = "", same: Callable[[str], str] = str) -> Fields | None:
    """The fields of a JSON object under the key `below` (all of them where empty), each string as `same` makes it.
    None for what is no object; none where the key is missing."""
    value = read_object(text)
    if value is None:
        return None
    try:
        return Counter(_leaves(value.get(below, {}) if below else value, below, same))
    except RecursionError:
        return None


def _leaves(value: Any, path: str, same: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name, same)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path, same)
    else:
        yield path, same(value) if isinstance(value, str) else json.dumps(value)


def counts(answer: str, reference: str, *, below: str = "", same: Callable[[str], str] = str) -> FieldCounts:
    """How `answer` fares. One that is no object gives nothing."""
    given, wanted = fields(answer, below=below, same=same), fields(reference, below=below, same=same) or Counter()
    if given is None:
        return FieldCounts(0, 0, wanted.total())
    return FieldCounts((given & wanted).total(), given.total(), wanted.total())


def faults(answer: str, reference: str, *, below: str = "", same: Callable[[str], str] = str) -> list[str]:
    """What is wrong with the answer's fields, path by path, in words that may be shown; nothing where they are the
    reference's."""
    given, wanted = fields(answer, below=below, same=same), fields(reference, below=below, same=same) or Counter()
    if given is None:
        return ["no JSON object"]
    missing, added = _by_path(wanted - given), _by_path(given - wanted)
    found = []
    for path in sorted({*missing, *added}):
        right, wrong, name = missing.get(path), added.get(path), shown(path)
        if right and wrong:
            found.append(f"{name} is {wrong} where {right} is right")
        else:
            found.append(f"{name} {right} is missed" if right else f"{name} {wrong} was not asked for")
    return found


def fault_paths(answer: str, reference: str) -> tuple[str, ...]:
    """The paths at which the two differ, sorted. One path that is empty for an answer that is no object."""
    given, wanted = fields(answer), fields(reference) or Counter()
    if given is None:
        return ("",)
    return tuple(sorted({path for path, _ in (*(wanted - given), *(given - wanted))}))


def _by_path(found: Fields) -> dict[str, str]:
    """The values at each path, in words."""
    values: dict[str, list[str]] = {}
    for path, value in sorted(found.elements()):
        values.setdefault(path, []).append(repr(value))
    return {path: ", ".join(each) for path, each in values.items()}


def named_in(answer: str, field: str) -> str:
    """What the top-level `field` of a JSON object says, as a slug; empty where there is no such text."""
    value = (read_object(answer) or {}).get(field)
    return slug(value) if isinstance(value, str) else ""


def still_says(text: str, before: str, answer: str) -> bool:
    """Whether every value of a structured answer that stood in the text `before` stands in `text` too.

    A value that was never in the text (an intent's name) cannot be lost. An answer that is no object has no values.
    """
    values = {value for _, value in fields(answer) or Counter()}
    return all(value in text for value in values if value in before)
