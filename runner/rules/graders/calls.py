"""Tool calls: those that are expected, with their arguments, in their order, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from runner.records.expected_calls import ArgumentMatch, ToolCalls
from runner.rules.evaluation.json_schema import conforms, plain
from runner.rules.evaluation.tool_calls import Call, read_calls
from runner.rules.graders.case import MET, MISSED, Case, Credit
from runner.rules.text.shown import quoted, shorten

Fits = Callable[[Call, Call], bool]
"""Whether a given call is an expected one."""


def expected(reference: str, grader: ToolCalls) -> tuple[Call, ...]:
    """The calls that an answer must make. Raises `ValueError` for a reference that begins as a call and is none."""
    return tuple(Call(name, {}) for name in grader.called) or read_calls(reference)


def tool_calls(case: Case, grader: ToolCalls) -> Credit:
    """The F1 of expected and given calls; calls beside the expected ones do not count where they are allowed.

    Raises `ValueError` for a reference that begins as a call and is none, which `check` has told of.
    """
    wanted = expected(case.reference, grader)
    try:
        given = read_calls(case.answer)
    except ValueError as error:
        return Credit(MISSED, str(error))
    forbidden = sorted({call.name for call in given} & {*grader.not_called})
    if forbidden:
        return Credit(MISSED, f"{', '.join(map(quoted, forbidden))} must not be called")
    fits = _fitting(case, grader)
    pairs = _in_order(wanted, given, fits) if grader.in_order else _paired(wanted, given, fits)
    missing = [call for number, call in enumerate(wanted) if number not in pairs]
    used = set(pairs.values())
    added = [call for number, call in enumerate(given) if number not in used]
    counted = len(pairs) if grader.others else len(given)
    both = len(wanted) + counted
    share = 2 * len(pairs) / both if both else MET
    if share == MET:
        return Credit(MET)
    return Credit(share, shorten("; ".join(_faults(missing, added, case, grader)), longest=300))


def _fitting(case: Case, grader: ToolCalls) -> Fits:
    schemas = {tool.name: tool.parameters for tool in case.tools}
    match grader.arguments:
        case ArgumentMatch.EXACT:
            return lambda right, one: right.name == one.name and not differing(right, one, case.same, extra=True)
        case ArgumentMatch.SUBSET:
            return lambda right, one: right.name == one.name and not differing(right, one, case.same, extra=False)
        case ArgumentMatch.SCHEMA:
            return lambda right, one: right.name == one.name and _accepted(one, schemas)
        case ArgumentMatch.ANY:
            return lambda right, one: right.name == one.name


def _accepted(call: Call, schemas: dict[str, str]) -> bool:
    schema = schemas.get(call.name, "")
    return not schema or conforms(json.dumps(call.arguments), schema)


def differing(right: Call, one: Call, same: Callable[[str], str], *, extra: bool) -> list[str]:
    """Which arguments differ, in words; with `extra`, those that were not expected too."""
    found = []
    for name in sorted({*right.arguments, *(one.arguments if extra else ())}):
        wanted, given = (_text(call.arguments, name, same) for call in (right, one))
        if wanted != given:
            found.append(f"{quoted(name)} is {given} where {wanted} is right")
    return found


def _text(arguments: dict[str, Any], name: str, same: Callable[[str], str]) -> str:
    if name not in arguments:
        return "missing"
    return json.dumps(plain(arguments[name], same), sort_keys=True)


def _paired(wanted: Sequence[Call], given: Sequence[Call], fits: Fits) -> dict[int, int]:
    """As many expected calls as possible, each with a given one of its own (Kuhn's augmenting paths)."""
    fitting = [[at for at, one in enumerate(given) if fits(right, one)] for right in wanted]
    owner: dict[int, int] = {}

    def place(number: int, tried: set[int]) -> bool:
        for at in fitting[number]:
            if at not in tried:
                tried.add(at)
                if at not in owner or place(owner[at], tried):
                    owner[at] = number
                    return True
        return False

    for number in range(len(wanted)):
        place(number, set())
    return {number: at for at, number in owner.items()}


def _in_order(wanted: Sequence[Call], given: Sequence[Call], fits: Fits) -> dict[int, int]:
    """As many expected calls as possible that were given in their order: a longest common subsequence."""
    longest = [[0] * (len(given) + 1) for _ in range(len(wanted) + 1)]
    for number in range(len(wanted) - 1, -1, -1):
        for at in range(len(given) - 1, -1, -1):
            skipped = max(longest[number + 1][at], longest[number][at + 1])
            taken = longest[number + 1][at + 1] + 1 if fits(wanted[number], given[at]) else 0
            longest[number][at] = max(skipped, taken)
    pairs: dict[int, int] = {}
    number = at = 0
    while number < len(wanted) and at < len(given):
        if fits(wanted[number], given[at]) and longest[number][at] == longest[number + 1][at + 1] + 1:
            pairs[number] = at
            number, at = number + 1, at + 1
        elif longest[number + 1][at] >= longest[number][at + 1]:
            number += 1
        else:
            at += 1
    return pairs


def _faults(missing: Sequence[Call], added: Sequence[Call], case: Case, grader: ToolCalls) -> list[str]:
    """Each missing call, with the given one of its name that is not it, and each call that was not asked for."""
    rest, found = list(added), []
    for right in missing:
        one = next((call for call in rest if call.name == right.name), None)
        if one is None:
            found.append(f"{right.words} is not called" if right.arguments else f"{right.name} is not called")
            continue
        rest.remove(one)
        found.append(f"{one.name}: {_difference(right, one, case, grader)}")
    if not grader.others:
        found += [f"{quoted(one.words)} was not asked for" for one in rest]
    return found


def _difference(right: Call, one: Call, case: Case, grader: ToolCalls) -> str:
    if grader.arguments is ArgumentMatch.SCHEMA and not _accepted(
        one, {tool.name: tool.parameters for tool in case.tools}
    ):
        return f"its schema does not accept {quoted(one.words)}"
    wrong = differing(right, one, case.same, extra=grader.arguments is ArgumentMatch.EXACT)
    compared = grader.arguments in (ArgumentMatch.EXACT, ArgumentMatch.SUBSET)
    return ", ".join(wrong) if compared and wrong else "it comes at the wrong place"
