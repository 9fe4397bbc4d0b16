"""Step 6.9: the hand-off and the cards are what the evidence makes of them, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile, zip_longest

from runner.errors import RecordError
from runner.records.evidence import GENERATED, EvidenceFile
from runner.records.promotion import PromotionRecord
from runner.rules.handoff.document import VERSION
from runner.rules.handoff.facts import Background
from runner.rules.handoff.generated import generated, version_of

LONGEST, BEFORE = 60, 20
"""Characters that are quoted of a line that differs, and how many of them are alike."""


def generated_problems(
    record: PromotionRecord, evidence: Mapping[str, bytes], made_from: Background | str, *, incoming: bool
) -> Iterator[str]:
    """What is wrong with the files of `GENERATED`, some of which are there. `made_from` may be why it cannot be read.

    Words change with the rules that make them. What comes in (`incoming`) must be of these very rules. What was merged
    under others was held to those by the gate that wrote its receipt, and is bound by its digests since.
    """
    there = [name for name in GENERATED if name in evidence]
    yield from (f"evidence/{name} is missing beside {there[0]}" for name in GENERATED if name not in evidence)
    version = version_of(evidence.get(EvidenceFile.HANDOFF, b""))
    if version != VERSION:
        if incoming or not version:
            said = f"by version {version} of their rules" if version else "by rules that name no version"
            yield f"the hand-off and the cards were made {said}, and the gate's are version {VERSION}"
        return
    if isinstance(made_from, str):
        yield f"what the hand-off and the cards are made from cannot be read: {made_from}"
        return
    try:
        made = generated(record, evidence, made_from)
    except (RecordError, ValueError) as error:
        yield f"the evidence makes no hand-off: {error}"
        return
    for name in there:
        if evidence[name] != made[name]:
            where = _first_difference(evidence[name], made[name])
            yield f"evidence/{name} is not what the evidence, and people's files on main, make of it: {where}"


def _first_difference(here: bytes, right: bytes) -> str:
    """The first line that differs between two files that do, and what it says in each, from shortly before where."""
    pairs = zip_longest(here.split(b"\n"), right.split(b"\n"))
    number, found = next((number, pair) for number, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
    one, other = (None if line is None else line.decode(errors="backslashreplace") for line in found)
    if other is None:
        return f"line {number}, which says {_from(one or '', 0)}, must not be there"
    if one is None:
        return f"line {number} is missing, and must say {_from(other, 0)}"
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return f"line {number} says {_from(one, alike)} and must say {_from(other, alike)}"


def _from(line: str, alike: int) -> str:
    """A part of the line from shortly before its character `alike`, in quotes, with what nobody sees as codes."""
    begin = max(0, alike - BEFORE)
    end = begin + LONGEST
    return repr("…" * bool(begin) + line[begin:end] + "…" * (len(line) > end))
