"""Where the rows of a mixture are from, and caps on any one origin's share of what is shown.

A cap on a batch, a generator or a source holds within each capability's new rows, so it holds for all of them too.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.dataset import Batch, Candidate
from runner.records.mixture import SliceCaps
from runner.records.trace import UniqueSignal
from runner.records.training import TrainingRow, Use
from runner.records.verdict import Reason
from runner.rules.data.sources import submitter

EPSILON = 1e-9


class RowOrigin(NamedTuple):
    """What made a row of this iteration. Empty where that is unknown: no cap concerns it then."""

    batch: str = ""
    generator: str = ""
    source: str = ""


NOWHERE = RowOrigin()
NO_CAPS = SliceCaps()


def origins(
    accepted: Sequence[Candidate], batches: Iterable[Batch], signals: Iterable[UniqueSignal]
) -> dict[str, RowOrigin]:
    """Accepted rows by example id. A source is a row's where all of its parents, and theirs, are that one's."""
    generator = {batch.id: batch.provenance.generator.name for batch in batches}
    sender = {one.signal.id: submitter(one.signal.trace.source) for one in signals}
    parents = {one.example.id: one.parents for one in accepted}
    return {
        one.example.id: RowOrigin(one.batch, generator.get(one.batch, ""), _source(one.example.id, parents, sender))
        for one in accepted
    }


def _source(name: str, parents: Mapping[str, Sequence[str]], sender: Mapping[str, str]) -> str:
    found: set[str] = set()
    todo, seen = [name], {name}
    while todo:
        one = todo.pop()
        if one in sender:
            found.add(sender[one])
        elif one in parents:
            todo += [parent for parent in parents[one] if parent not in seen]
            seen.update(parents[one])
        else:
            found.add("")
    return found.pop() if len(found) == 1 else ""


class Room:
    """How often rows of each origin may still be shown among `quota` new rows of one capability."""

    def __init__(self, caps: SliceCaps, known: Mapping[str, RowOrigin], *, quota: int) -> None:
        self._known = known
        self._caps = (("batch", caps.batch), ("generator", caps.generator), ("source", caps.source))
        self._left: dict[tuple[str, str], int] = {}
        self._quota = quota

    def take(self, example: str) -> bool:
        """Whether the row may be shown once more; if so, that is counted."""
        keys = self._keys(example)
        if any(left == 0 for left in keys.values()):
            return False
        self._left.update({key: left - 1 for key, left in keys.items()})
        return True

    def _keys(self, example: str) -> dict[tuple[str, str], int]:
        origin = self._known.get(example, NOWHERE)._asdict()
        return {
            (kind, origin[kind]): self._left.get((kind, origin[kind]), math.floor(cap * self._quota + EPSILON))
            for kind, cap in self._caps
            if cap < 1 and origin[kind]
        }


def over_caps(rows: Iterable[TrainingRow], known: Mapping[str, RowOrigin], caps: SliceCaps) -> Iterator[Reason]:
    """Every slice whose share of the new rows is above its cap, repetition counted."""
    new = [row for row in rows if row.use is Use.NEW]
    total = Counter[str]()
    parts: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in new:
        capability = row.example.capability
        total[capability] += row.repeat
        for kind, name in known.get(row.example.id, NOWHERE)._asdict().items():
            if name:
                parts[capability, kind, name] += row.repeat
    every = total.total()
    for capability, count in sorted(total.items()):
        if count > caps.capability * every + EPSILON:
            yield _over(f"capability {capability}", "the new rows", count / every, caps.capability)
    for (capability, kind, name), count in sorted(parts.items()):
        cap = getattr(caps, kind)
        if count > cap * total[capability] + EPSILON:
            yield _over(f"{kind} {name}", f"{capability}'s new rows", count / total[capability], cap)


def _over(what: str, among: str, share: float, cap: float) -> Reason:
    problem = f"{what} makes {share:.1%} of {among}, {cap:.1%} at most may"
    return Reason(step="caps", problem=problem, hint="gather rows from elsewhere, or widen `mixture.caps`")
