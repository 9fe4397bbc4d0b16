"""Find a pattern's program in a text, all ways at once: time grows with text times program, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from runner.records.patterns import Instruction


def _word(one: str) -> bool:
    return one.isalnum() or one == "_"


_CLASSES: dict[str, Callable[[str], bool]] = {"DIGIT": str.isdecimal, "SPACE": str.isspace, "WORD": _word}


def found(program: tuple[Instruction, ...], text: str) -> bool:
    """Whether the pattern is found anywhere in `text`, as `re.search` would find it."""
    here: set[int] = set()
    for at in range(len(text) + 1):
        here = _closure(program, (*here, 0), text, at)
        if len(program) - 1 in here:
            return True
        if at < len(text):
            one = text[at]
            here = {step + 1 for step in here if program[step].kind == "character" and _takes(program[step].value, one)}
    return False


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
