"""Find a pattern's program in a text, all ways at once: time grows with text times program, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runner.records.patterns import Instruction

MOST_STEPS = 2_000_000
"""Of a pattern in one answer: a second or two."""
_MOST_HELD = 1_000_000
"""Steps of sets that are kept; with more, all are forgotten and worked out again."""
_ANCHORS = ("AT_BEGINNING", "AT_END", "AT_END_STRING", "AT_BOUNDARY")


def _word(one: str) -> bool:
    return one.isalnum() or one == "_"


class OutOfSteps(Exception):
    """A search that was given up."""


_CLASSES: dict[str, Callable[[str], bool]] = {"DIGIT": str.isdecimal, "SPACE": str.isspace, "WORD": _word}


def found(program: tuple[Instruction, ...], text: str, *, limit: int | None = None) -> bool:
    """Whether the pattern is found anywhere in `text`, as `re.search` would find it.

    What was worked out once in a text is not worked out again in it: a set of steps, and where a character leads from
    there. So a text takes a step a character, and a step for each step of the program in each new set.
    Raises `OutOfSteps` where that takes more than `limit` of them, which is the same on every machine, as time is not.
    """
    search = _Search(program, text)
    here = frozenset({0})
    for at in range(len(text) + 1):
        steps = search.reached(here, at)
        if len(program) - 1 in steps:
            return True
        if limit is not None and search.spent > limit:
            raise OutOfSteps(f"takes more than {limit:,} steps")
        if at < len(text):
            here = search.after(steps, text[at])
    return False


class _Search:
    """One pattern in one text, and what has been worked out."""

    def __init__(self, program: tuple[Instruction, ...], text: str) -> None:
        self.spent = 0
        self._program, self._text = program, text
        self._anchored = any(one.kind == "anchor" for one in program)
        self._weights = [
            len(one.value[1]) if one.kind == "character" and one.value[0] == "IN" else 1 for one in program
        ]
        self._reached: dict[tuple[frozenset[int], tuple[bool, ...]], frozenset[int]] = {}
        self._moved: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._held = 0

    def reached(self, here: frozenset[int], at: int) -> frozenset[int]:
        """Every step that is reached from `here` without taking a character."""
        self.spent += 1
        known = (here, _surroundings(self._text, at) if self._anchored else ())
        steps = self._reached.get(known)
        if steps is None:
            steps = self._reached[known] = frozenset(_closure(self._program, here, self._text, at))
            self._count(len(steps), len(steps))
        return steps

    def after(self, steps: frozenset[int], one: str) -> frozenset[int]:
        """Where the character leads from `steps`; and the start, since a match may begin anywhere."""
        here = self._moved.get((steps, one))
        if here is None:
            program = self._program
            taking = (step for step in steps if program[step].kind == "character" and _takes(program[step].value, one))
            here = self._moved[steps, one] = frozenset({0, *(step + 1 for step in taking)})
            self._count(sum(self._weights[step] for step in steps), len(here))
        return here

    def _count(self, spent: int, held: int) -> None:
        self.spent += spent
        self._held += held
        if self._held > _MOST_HELD:
            self._held = 0
            self._reached.clear()
            self._moved.clear()


def _surroundings(text: str, at: int) -> tuple[bool, ...]:
    """All that an anchor asks of a place."""
    return tuple(_holds(anchor, text, at) for anchor in _ANCHORS)


def _closure(program: tuple[Instruction, ...], starts: Iterable[int], text: str, at: int) -> set[int]:
    """Every step that is reached from `starts` without taking a character."""
    seen: set[int] = set()
    waiting = list(starts)
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        kind, value = program[step]
        if kind == "jump":
            waiting.append(value)
        elif kind == "split":
            waiting += (value, step + 1)
        elif kind == "anchor" and _holds(value, text, at):
            waiting.append(step + 1)
    return seen


def _holds(anchor: str, text: str, at: int) -> bool:
    if anchor.startswith("AT_BEGINNING"):
        return at == 0
    if anchor.startswith("AT_END"):
        return at == len(text) or (anchor == "AT_END" and at == len(text) - 1 and text[at] == "\n")
    if not text:
        return False  # as re has it up to Python 3.13
    edge = (at > 0 and _word(text[at - 1])) != (at < len(text) and _word(text[at]))
    return edge == (anchor == "AT_BOUNDARY")


def _takes(node: tuple[str, Any], one: str) -> bool:
    """Whether a node of the parser takes this character."""
    code, value = node
    if code == "LITERAL":
        return ord(one) == int(value)
    if code == "NOT_LITERAL":
        return ord(one) != int(value)
    if code == "RANGE":
        return bool(value[0] <= ord(one) <= value[1])
    if code == "CATEGORY":
        name = str(value).removeprefix("CATEGORY_")
        return bool(_CLASSES[name.removeprefix("NOT_")](one)) != name.startswith("NOT_")
    if code == "ANY":
        return one != "\n"
    negated = str(value[0][0]) == "NEGATE"
    return any(_takes((str(kind), item), one) for kind, item in value[negated:]) != negated
