"""A rubric's pattern as a program that is matched in time linear in the text (`rules.text.matching`; Thompson, 1968).

`re` backtracks: some patterns take longer than anybody waits, on answers that a model may give. So patterns are those
that need no backtracking: characters, classes, groups, alternatives, repeats and anchors. References to groups, looking
ahead or behind, and flags are refused.
"""

import importlib
import re
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

LONGEST, LARGEST = 1_000, 2_000
"""Characters of a pattern, and steps of its program."""
_PLAIN = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN"})
_ANCHORS = frozenset(
    {"AT_BEGINNING", "AT_BEGINNING_STRING", "AT_END", "AT_END_STRING", "AT_BOUNDARY", "AT_NON_BOUNDARY"}
)
_PARSER: Any = importlib.import_module("re._parser")


class Instruction(NamedTuple):
    """`character` tests one (`value`: the parser's node) and goes on; `anchor` tests the place; `split` goes to `value`
    and on; `jump` to `value`; `match` ends."""

    kind: str
    value: Any = None


def unusable(problem: str, hint: str) -> PydanticCustomError:
    """The error of a field, with what to do."""
    return PydanticCustomError("unusable", "{problem}", {"problem": problem, "hint": hint})


def program(pattern: str) -> tuple[Instruction, ...]:
    """The pattern's program. Raises `ValueError` for what does not compile, or is none of these."""
    if len(pattern) > LONGEST:
        raise unusable(f"is longer than {LONGEST} characters", "split it into several criteria")
    try:
        tree = _PARSER.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise unusable(f"{pattern[:60]!r} does not compile: {error}", "write a pattern of Python's re") from error
    if tree.state.flags & ~re.UNICODE:
        raise unusable("sets a flag", "list `lowercase` under normalisation instead of (?i)")
    made: list[Instruction] = []
    _sequence(tree, made)
    return (*made, Instruction("match"))


def check_pattern(pattern: str) -> str:
    """The pattern, if it has a program."""
    program(pattern)
    return pattern


def _sequence(nodes: Any, made: list[Instruction]) -> None:
    for code, value in nodes:
        _node(str(code), value, made)
        if len(made) > LARGEST:
            raise unusable("repeats too much", f"its repeats, written out, may take {LARGEST:,} steps")


def _node(code: str, value: Any, made: list[Instruction]) -> None:
    if code in _PLAIN:
        made.append(Instruction("character", (code, value)))
    elif code == "AT" and str(value) in _ANCHORS:
        made.append(Instruction("anchor", str(value)))
    elif code == "SUBPATTERN" and not value[1] and not value[2]:
        _sequence(value[3], made)
    elif code == "BRANCH":
        _branch(value[1], made)
    elif code in ("MAX_REPEAT", "MIN_REPEAT"):
        _repeat(value[0], value[1], value[2], made)
    else:
        hint = "use characters, classes, groups, alternatives, repeats and the anchors ^ $ \\b only"
        raise unusable(f"uses {code.lower().replace('_', ' ')}, which takes backtracking", hint)


def _branch(branches: Any, made: list[Instruction]) -> None:
    ends = []
    for branch in branches[:-1]:
        split = len(made)
        made.append(Instruction("split"))
        _sequence(branch, made)
        ends.append(len(made))
        made.append(Instruction("jump"))
        made[split] = Instruction("split", len(made))
    _sequence(branches[-1], made)
    for end in ends:
        made[end] = Instruction("jump", len(made))


def _repeat(least: int, most: int, body: Any, made: list[Instruction]) -> None:
    """At least so often, and then optionally on: each written out, and what has no end as a loop."""
    if least > LARGEST or (most != _PARSER.MAXREPEAT and most > LARGEST):
        raise unusable("repeats too much", f"at most {LARGEST:,} times, or without an end")
    for _ in range(least):
        _sequence(body, made)
    if most == _PARSER.MAXREPEAT:
        start = len(made)
        made.append(Instruction("split"))
        _sequence(body, made)
        made.append(Instruction("jump", start))
        made[start] = Instruction("split", len(made))
        return
    for _ in range(most - least):
        split = len(made)
        made.append(Instruction("split"))
        _sequence(body, made)
        made[split] = Instruction("split", len(made))
