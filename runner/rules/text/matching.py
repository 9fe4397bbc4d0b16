"""Find a pattern's program in a text, all ways at once: time grows with text times program, whatever they are."""

from __future__ import annotations

import sys
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


class Steps:
    """How many steps one or more searches may take together."""

    def __init__(self, most: int = MOST_STEPS) -> None:
        self.most = self.left = most

    def spend(self, steps: int) -> None:
        """Raises `OutOfSteps` where fewer are left."""
        if steps > self.left:
            raise OutOfSteps(f"takes more than {self.most:,} steps")
        self.left -= steps


_CLASSES: dict[str, Callable[[str], bool]] = {"DIGIT": str.isdecimal, "SPACE": str.isspace, "WORD": _word}


def found(program: tuple[Instruction, ...], text: str, *, steps: Steps | None = None) -> bool:
    """Whether the pattern is found anywhere in `text`, as `re.search` would find it.

    What was worked out once in a text is not worked out again in it: which steps are reached, and where a character
    leads from there. So a text takes a step a character, and a step for each step of the program in each new state.
    Raises `OutOfSteps` where that takes more than `steps` has left, which is the same on every machine, as time is not.
    """
    steps, search = steps or Steps(sys.maxsize), _Search(program, text)
    state, last = search.start(), len(text) - 1
    edges = any(one.kind == "anchor" and one.value.endswith("BOUNDARY") for one in program)
    for at in range(len(text) + 1):
        around = _surroundings(text, at) if edges or not 0 < at < last else None
        reached = state.reached.get(around) or search.reach(state, around, at)
        if search.spent + at > steps.left:
            raise OutOfSteps(f"takes more than {steps.most:,} steps")
        if reached.matches or at > last:
            break
        state = reached.after.get(text[at]) or search.move(reached, text[at])
    steps.left -= search.spent + at
    return reached.matches


class _Reached:
    """Every step that is reached at a place, and where each character leads from there."""

    __slots__ = ("after", "matches", "steps")

    def __init__(self, steps: frozenset[int], *, matches: bool) -> None:
        self.steps, self.matches = steps, matches
        self.after: dict[str, _State] = {}


class _State:
    """The steps after a character, and what is reached from them, by what anchors ask of the place."""

    __slots__ = ("reached", "steps")

    def __init__(self, steps: frozenset[int]) -> None:
        self.steps = steps
        self.reached: dict[tuple[bool, ...] | None, _Reached] = {}


class _Search:
    """One pattern in one text, and what has been worked out."""

    def __init__(self, program: tuple[Instruction, ...], text: str) -> None:
        self.spent = 0
        self._program, self._text = program, text
        self._weights = [
            len(one.value[1]) if one.kind == "character" and one.value[0] == "IN" else 1 for one in program
        ]
        self._states: dict[frozenset[int], _State] = {}
        self._reached: dict[frozenset[int], _Reached] = {}
        self._held = 0

    def start(self) -> _State:
        return self._state(frozenset({0}))

    def reach(self, state: _State, around: tuple[bool, ...] | None, at: int) -> _Reached:
        """What is reached from `state` without taking a character."""
        steps = frozenset(_closure(self._program, state.steps, self._text, at))
        self._count(len(steps), len(steps))
        reached = self._reached.get(steps)
        if reached is None:
            reached = self._reached[steps] = _Reached(steps, matches=len(self._program) - 1 in steps)
        state.reached[around] = reached
        return reached

    def move(self, reached: _Reached, one: str) -> _State:
        """Where the character leads; and the start, since a match may begin anywhere."""
        program = self._program
        taking = (
            step for step in reached.steps if program[step].kind == "character" and _takes(program[step].value, one)
        )
        state = self._state(frozenset({0, *(step + 1 for step in taking)}))
        self._count(sum(self._weights[step] for step in reached.steps), len(state.steps))
        reached.after[one] = state
        return state

    def _state(self, steps: frozenset[int]) -> _State:
        return self._states.setdefault(steps, _State(steps))

    def _count(self, spent: int, held: int) -> None:
        self.spent += spent
        self._held += held
        if self._held > _MOST_HELD:
            self._held = 0
            for state in self._states.values():
                state.reached.clear()
            for reached in self._reached.values():
                reached.after.clear()
            self._states.clear()
            self._reached.clear()


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
