"""Scenarios that say nearly the same, and rows of other sets and of training data that stand in a set that judges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.terms import SetName
from runner.records.workbench import DataLeak, Duplicates, Pair
from runner.rules.leakage import FrozenTexts
from runner.rules.near_duplicates import leaders
from runner.rules.similarity import normal_text
from runner.rules.workbench.item import Item

THRESHOLD, SIZE = 0.7, 2
"""Jaccard similarity of word pairs from which two scenarios are near-duplicates: three words of twenty changed."""
JUDGING = (SetName.HELDOUT, SetName.REPRESENTATIVE, SetName.RESERVE)
"""The sets that nothing may have seen. Core steers diagnosis, so rows near it are told of as pairs alone."""
SHOWN = 200
MOST_CHARACTERS = 6_000_000
"""Of the texts that judge, up to which an exact index of them is held in memory (some 150 bytes for each)."""

Suspects = Callable[[Sequence[str]], Collection[int]]
"""The positions of texts that may have a near-duplicate, at `THRESHOLD` and `SIZE`."""


class Row(NamedTuple):
    """A row of a data file: its id, and every text of it that a model would be trained on."""

    id: str
    texts: tuple[str, ...]


def duplicates(items: Sequence[Item], data: Mapping[str, Iterable[Row]], *, suspects: Suspects) -> Duplicates:
    """`data` are the rows of each file at hand, which are gone through once."""
    pairs = sorted(_pairs(items, suspects), key=lambda one: (one.same_answer, _same_set(one), one.one, one.other))
    judging = [one for one in items if one.set in JUDGING]
    exact = sum(len(one.text) for one in judging) <= MOST_CHARACTERS
    leaks, looked_at = _leaks(items, judging, data) if exact else ([], {})
    words = "every text is compared by the rules of leakage.py, exactly"
    too_large = (
        f"the sets that judge have more than {MOST_CHARACTERS:,} characters, so that data is not held against them"
    )
    return Duplicates(
        pairs=tuple(pairs[:SHOWN]),
        within=sum(_same_set(one) for one in pairs),
        across=sum(not _same_set(one) for one in pairs),
        two_answers=sum(not one.same_answer for one in pairs),
        leaks=tuple(leaks[:SHOWN]),
        leaks_found=len(leaks),
        looked_at=looked_at,
        method=f"pairs by MinHash, then the Jaccard similarity of word pairs from {THRESHOLD:g}; leaks: "
        + (words if exact else too_large),
    )


def _same_set(pair: Pair) -> bool:
    return pair.one.partition("/")[0] == pair.other.partition("/")[0]


def _pairs(items: Sequence[Item], suspects: Suspects) -> Iterator[Pair]:
    """Each scenario with the earlier one that stands for it."""
    texts = [one.text for one in items]
    found = suspects(texts)
    for position, leader in enumerate(leaders(texts, threshold=THRESHOLD, size=SIZE, suspects=found)):
        if leader != position:
            one, other = items[leader], items[position]
            same = normal_text(one.reference) == normal_text(other.reference)
            yield Pair(one=one.key, other=other.key, same_answer=same)


def _leaks(
    items: Sequence[Item], judging: Sequence[Item], data: Mapping[str, Iterable[Row]]
) -> tuple[list[DataLeak], dict[str, int]]:
    """Rows that stand in a set that judges, by source; the other sets are sources as the data files are."""
    keys = {one.id: one.key for one in judging}
    frozen = FrozenTexts.of((one.id, one.text) for one in judging)
    sources: dict[str, Iterable[Row]] = {
        str(name): [Row(one.id, (one.text,)) for one in items if one.set == name]
        for name in (SetName.CORE, SetName.DEV)
    }
    leaks: list[DataLeak] = []
    looked_at: dict[str, int] = {}
    for source, rows in {**sources, **data}.items():
        looked_at[source] = 0
        for row in rows:
            looked_at[source] += 1
            leak = frozen.leak(row.id, row.texts)
            if leak is not None:
                scenario = keys[leak.scenario]
                leaks.append(
                    DataLeak(source=source, row=row.id, scenario=scenario, how=leak.how, similarity=leak.similarity)
                )
    return sorted(leaks, key=lambda one: (-one.similarity, one.source, one.row)), looked_at
