"""Many texts asked at once which of others, group by group, they stand in: what `leakage.FrozenTexts` answers for one
text and one group.

Both judge by the measures of `leakage`. What to look for is another matter: one text is looked for by the few shingles
that it must share, many by counting all that are shared, which numpy does.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from runner.records.validation import LeakHow
from runner.rules.data.leakage import CONTAINED, CONTAINED_WORDS, MEASURES, Match
from runner.rules.text.similarity import Shingles, jaccard, normal_text, shingles

Group = TypeVar("Group", bound=Hashable)
SLACK = 1e-9
"""What a similarity may lack of its threshold for want of precision."""


class Closest(Generic[Group]):
    """Texts in groups, each with its id."""

    def __init__(self, groups: Mapping[Group, Iterable[tuple[str, str]]]) -> None:
        self._groups = [(group, name, text) for group, pairs in groups.items() for name, text in sorted(pairs)]
        texts = [text for _, _, text in self._groups]
        self._exact: dict[str, dict[Group, str]] = {}
        for group, name, text in self._groups:
            self._exact.setdefault(normal_text(text), {}).setdefault(group, name)
        self._exact.pop("", None)
        self._measures = [(how, make, threshold, _Inverted(map(make, texts))) for how, make, threshold in MEASURES]
        self._parts = _Inverted(shingles(text, 3) for text in texts)

    def matches(self, texts: Iterable[str]) -> dict[tuple[Group, str], Match]:
        """By group and text: the one of the group that the text stands in and how; the most similar one."""
        return {(group, text): match for text in set(texts) for group, match in self._of(text).items()}

    def _of(self, text: str) -> Mapping[Group, Match]:
        found: dict[Group, Match] = {}
        for group, match in self._near(text):
            best = found.get(group)
            if best is None or (match.similarity, match.scenario) > (best.similarity, best.scenario):
                found[group] = match
        equal = self._exact.get(normal_text(text), {})
        return found | {group: Match(1.0, name, LeakHow.EXACT) for group, name in equal.items()}

    def _near(self, text: str) -> Iterator[tuple[Group, Match]]:
        """In the order of the measures: the closest one of each group, and all that stand inside the text."""
        for how, make, threshold, held in self._measures:
            best: dict[Group, tuple[float, int]] = {}
            for position, value in held.similar(make(text), threshold):
                group = self._groups[position][0]
                if group not in best or value > best[group][0]:
                    best[group] = (value, position)
            for group, (value, position) in best.items():
                yield group, Match(round(value, 9), self._groups[position][1], how)
        for position, share in self._parts.inside(shingles(text, 3)):
            if self._parts.size(position) > CONTAINED_WORDS - 3:
                yield self._groups[position][0], Match(round(share, 9), self._groups[position][1], LeakHow.CONTAINED)


class _Inverted:
    """Sets of shingles by what they hold, the rarest first: an inverted file."""

    def __init__(self, sets: Iterable[Shingles]) -> None:
        self._sets = list(sets)
        sizes = [len(found) for found in self._sets]
        known: defaultdict[str, int] = defaultdict()
        known.default_factory = known.__len__  # the next number for what was not there before
        every = map(known.__getitem__, chain.from_iterable(self._sets))
        numbers = np.fromiter(every, np.int64, sum(sizes))
        small = np.min_scalar_type(len(known))  # of 16 bits where it can be: a radix sort
        frequency = np.bincount(numbers, minlength=len(known))
        order = np.argsort(frequency, kind="stable")
        rank = np.empty(len(known), small)
        rank[order] = np.arange(len(known))
        self._rank = dict(zip(known, rank.tolist(), strict=True))
        owners = np.repeat(np.arange(len(self._sets)), sizes)
        self._owners = owners[np.argsort(rank[numbers], kind="stable")]
        ends = np.cumsum(frequency[order]).tolist()
        self._spans = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def size(self, position: int) -> int:
        return len(self._sets[position])

    def similar(self, asked: Shingles, threshold: float) -> Iterator[tuple[int, float]]:
        """Every (position, Jaccard similarity) at or above the threshold, by position.

        Of a set that is so similar at most |asked| - ceil(threshold |asked|) are missing, wherever one looks: so of
        twice as many and one, the rarest, it has more than half.
        """
        if not asked:
            return
        missing = len(asked) - math.ceil(threshold * len(asked) - SLACK)
        ranks = self._ranks(asked)
        looked = ranks[: max(0, 2 * missing + 1 - (len(asked) - len(ranks)))]
        for position in np.flatnonzero(self._counts(looked) >= min(missing + 1, len(asked) - missing)).tolist():
            similarity = jaccard(asked, self._sets[position])
            if similarity >= threshold - SLACK:
                yield position, similarity

    def inside(self, asked: Shingles) -> Iterator[tuple[int, float]]:
        """(position, share) of every set of which the share that `asked` has is at least `CONTAINED`."""
        counts = self._counts(self._ranks(asked))
        for position in np.flatnonzero(counts).tolist():
            shared, size = int(counts[position]), self.size(position)
            if shared >= CONTAINED * size - SLACK:
                yield position, shared / size

    def _ranks(self, asked: Shingles) -> list[int]:
        """Those of `asked` that some set has, the rarest first."""
        return sorted(map(self._rank.__getitem__, asked & self._rank.keys()))

    def _counts(self, ranks: Sequence[int]) -> npt.NDArray[np.int64]:
        """How many of these each set has."""
        if not ranks:
            return np.zeros(len(self._sets), dtype=np.int64)
        held = np.concatenate([self._owners[self._spans[rank]] for rank in ranks])
        return np.bincount(held, minlength=len(self._sets))
