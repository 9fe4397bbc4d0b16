"""Scenarios that say nearly the same, and rows of other sets and of training data that stand in a set that judges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from runner.records.terms import JUDGING, SetName
from runner.records.validation import LeakHow
from runner.records.workbench import DataLeak, Duplicates, Pair
from runner.rules.data.leakage import FrozenTexts
from runner.rules.text.near_duplicates import leaders
from runner.rules.text.similarity import normal_text
from runner.rules.workbench.item import Item

THRESHOLD, SIZE = 0.7, 2
"""Jaccard similarity of word pairs from which two scenarios are near-duplicates: three words of twenty changed."""
SHOWN = 200
AT_ONCE = 1_000_000
"""Characters of the texts that judge whose exact index is held in memory at a time: some 250 MB."""

Suspects = Callable[[Sequence[str]], Collection[int]]
"""The positions of texts that may have a near-duplicate, at `THRESHOLD` and `SIZE`."""


class Row(NamedTuple):
    """A row of a data file: its id, and every text of it that a model would be trained on."""

    id: str
    texts: tuple[str, ...]


Rows = Callable[[], Iterable[Row]]
"""The rows of a source, from the first each time it is called."""


def duplicates(items: Sequence[Item], data: Mapping[str, Rows], *, suspects: Suspects) -> Duplicates:
    """`data` are the rows of each file at hand."""
    pairs = sorted(_pairs(items, suspects), key=lambda one: (one.same_answer, _same_set(one), one.one, one.other))
    leaks, looked_at = _leaks(items, data)
    return Duplicates(
        pairs=tuple(pairs[:SHOWN]),
        within=sum(_same_set(one) for one in pairs),
        across=sum(not _same_set(one) for one in pairs),
        two_answers=sum(not one.same_answer for one in pairs),
        leaks=tuple(leaks[:SHOWN]),
        leaks_found=len(leaks),
        looked_at=looked_at,
        method=f"pairs: suspects by MinHash, then the Jaccard similarity of word pairs, from {THRESHOLD:g}; "
        "leaks: as intake looks for them, exactly",
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


def _leaks(items: Sequence[Item], data: Mapping[str, Rows]) -> tuple[list[DataLeak], dict[str, int]]:
    """Rows that stand in a set that judges, by source; the other sets are sources as the data files are."""
    others: dict[str, Rows] = {str(name): partial(_rows_of, items, name) for name in (SetName.CORE, SetName.DEV)}
    found: dict[tuple[str, str], DataLeak] = {}
    looked_at: dict[str, int] = {}
    for judging in _parts([one for one in items if one.set in JUDGING]):
        keys = {one.id: one.key for one in judging}
        frozen = FrozenTexts.of((one.id, one.text) for one in judging)
        for source, rows in {**others, **data}.items():
            looked_at[source] = 0
            for row in rows():
                looked_at[source] += 1
                leak = frozen.leak(row.id, row.texts)
                if leak is not None:
                    fresh = DataLeak(
                        source=source,
                        row=row.id,
                        scenario=keys[leak.scenario],
                        how=leak.how,
                        similarity=leak.similarity,
                    )
                    before = found.get((source, row.id), fresh)
                    found[source, row.id] = max(before, fresh, key=_closeness)
    return sorted(found.values(), key=lambda one: (-one.similarity, one.source, one.row)), looked_at


def _rows_of(items: Sequence[Item], name: SetName) -> Iterator[Row]:
    return (Row(one.id, (one.text,)) for one in items if one.set == name)


def _closeness(leak: DataLeak) -> tuple[bool, float, str]:
    return leak.how is LeakHow.EXACT, leak.similarity, leak.scenario


def _parts(judging: Sequence[Item]) -> Iterator[list[Item]]:
    """As many scenarios at a time as an index may hold."""
    part: list[Item] = []
    size = 0
    for one in judging:
        if part and size + len(one.text) > AT_ONCE:
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one.text)
    if part:
        yield part
