"""Answers that list things: as a set, or in an order."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable

from runner.records.graders import Order, Set
from runner.rules.evaluation.json_schema import plain
from runner.rules.graders.case import MET, MISSED, Case, Credit
from runner.rules.strict_json import strict_json
from runner.rules.text.shown import quoted

NO_LIST = "is no JSON array"
MOST_SHOWN = 6


def items(text: str, separator: str, same: Callable[[str], str]) -> list[str] | None:
    """The items of a list, each compared as `same` makes it; empty ones are none. None where it is no JSON array."""
    if separator:
        return [item for part in text.split(separator) if (item := same(part.strip()))]
    try:
        value = strict_json(text.encode())
    except ValueError:
        return None
    if not isinstance(value, list):
        return None
    return [
        same(item.strip()) if isinstance(item, str) else json.dumps(plain(item, same), sort_keys=True) for item in value
    ]


def as_set(case: Case, grader: Set) -> Credit:
    found = items(case.answer, grader.separator, case.same)
    if found is None:
        return Credit(MISSED, NO_LIST)
    given, wanted = set(found), set(items(case.reference, grader.separator, case.same) or ())
    if given == wanted:
        return Credit(MET)
    share = 2 * len(given & wanted) / (len(given) + len(wanted)) if grader.credit == "f1" else MISSED
    return Credit(share, _differences(wanted - given, given - wanted))


def in_order(case: Case, grader: Order) -> Credit:
    """With `kendall`, the share of pairs that both lists have in the same order, of all pairs of what either lists: of
    two orders of the same things that is (tau + 1) / 2 (Kendall, A New Measure of Rank Correlation, 1938)."""
    found = items(case.answer, grader.separator, case.same)
    if found is None:
        return Credit(MISSED, NO_LIST)
    wanted = items(case.reference, grader.separator, case.same) or []
    if found == wanted:
        return Credit(MET)
    why = _out_of_order(found, wanted)
    return Credit(_concordance(found, wanted) if grader.credit == "kendall" else MISSED, why)


def _concordance(found: list[str], wanted: list[str]) -> float:
    given, right = _told_apart(found), _told_apart(wanted)
    place = {item: number for number, item in enumerate(right)}
    everything = len({*given, *right})
    if everything < 2:
        return MISSED
    before: list[int] = []
    agreeing = 0
    for item in given:
        if item in place:
            agreeing += bisect_left(before, place[item])
            insort(before, place[item])
    return agreeing / (everything * (everything - 1) / 2)


def _told_apart(found: Iterable[str]) -> list[tuple[str, int]]:
    """Each item with how often it stood before, so that repeats are items of their own."""
    seen: Counter[str] = Counter()
    told = []
    for item in found:
        told.append((item, seen[item]))
        seen[item] += 1
    return told


def _out_of_order(found: list[str], wanted: list[str]) -> str:
    missing, added = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if missing or added:
        return _differences(missing, added)
    at = next(number for number, pair in enumerate(zip(found, wanted, strict=True)) if pair[0] != pair[1])
    return f"item {at + 1} is {quoted(found[at])} where {quoted(wanted[at])} is right"


def _differences(missing: Iterable[str], added: Iterable[str]) -> str:
    said = []
    for names, words in ((sorted(missing), "missed"), (sorted(added), "not asked for")):
        if names:
            more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
            said.append(f"{', '.join(quoted(name, longest=40) for name in names[:MOST_SHOWN])}{more} {words}")
    return "; ".join(said)
