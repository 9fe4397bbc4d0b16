"""Which sets of many are linked by similarity: a set similarity self-join (Bayardo et al. 2007, Xiao et al. 2008) that
is asked for connected components only, and so compares no two sets that are linked already.

Two sets are compared where they share one of the rarest tokens of each (prefix filtering), where what follows it may
make up the overlap (positional filtering), and where their sketches do not differ by too much; then their true overlap
decides. A token that few sets are looked for by is joined in bulk. One that many have, as thousands of texts do that
say nearly the same, is joined component by component: what is linked to one member is compared with no other.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runner.rules.text.components import Components, Numbers

Truths = npt.NDArray[np.bool_]
SLACK = 1e-9
"""What a similarity may lack of its threshold for want of precision."""
COMMON = 1_000
"""Sets that are looked for by one token, above which it is joined by components."""
BLOCK = 1 << 18
"""Pairs that are held at once; at least `COMMON`."""
WORDS = 4
"""Of 64 bits, in a sketch."""
FEW = 16
"""Members of a component that are compared one by one, before all are looked through by their sketches."""


class Sets:
    """Sets of tokens as numbers, the rarest first; `owners` says whose each set is."""

    def __init__(self, sets: Iterable[Collection[str]]) -> None:
        known: dict[str, int] = {}
        found, sizes = array("q"), array("q")
        for one in sets:
            sizes.append(len(one))
            found.extend(known.setdefault(token, len(known)) for token in one)
        values = np.frombuffer(found, np.int64) if found else np.zeros(0, np.int64)
        self.sizes: Numbers = np.array(sizes, np.int64)
        self.starts: Numbers = np.concatenate([[0], np.cumsum(self.sizes)])
        frequency = np.bincount(values, minlength=len(known))
        rank = np.empty(len(known), np.int64)
        rank[np.argsort(frequency, kind="stable")] = np.arange(len(known))
        self.rows: Numbers = np.repeat(np.arange(len(sizes)), self.sizes)
        ordered = np.sort(self.rows * max(len(known), 1) + rank[values])
        self.values: Numbers = ordered - self.rows * max(len(known), 1)
        self.places: Numbers = np.arange(len(values)) - self.starts[self.rows]

    def of(self, position: int) -> list[int]:
        found: list[int] = self.values[self.starts[position] : self.starts[position + 1]].tolist()
        return found

    def equal(self) -> Iterator[tuple[int, int]]:
        """Each set that an earlier one is equal to, after that one; the empty ones are equal to none."""
        first: dict[bytes, int] = {}
        for position in np.flatnonzero(self.sizes).tolist():
            key = self.values[self.starts[position] : self.starts[position + 1]].tobytes()
            if (before := first.setdefault(key, position)) != position:
                yield before, position


class Asked(NamedTuple):
    """What makes two sets a pair: the asking one, and the held one that it finds."""

    threshold: float
    contained: bool = False
    """Whether it is the share of the held set that the asking one has; else their Jaccard similarity, of which the
    larger one asks."""
    least: int = 1
    """Tokens that a held set must have."""

    def asking(self, sizes: Numbers) -> Numbers:
        """How many of the rarest tokens each is looked for by where it asks."""
        return sizes if self.contained else _prefix(sizes, self.threshold)

    def held(self, sizes: Numbers) -> Numbers:
        """The same where it is held."""
        share = self.threshold if self.contained else 2 * self.threshold / (1 + self.threshold)
        return np.where(sizes >= self.least, _prefix(sizes, share), 0)

    def between(self, sizes: Numbers) -> tuple[Numbers, Numbers]:
        """The least and the largest size of what each may find."""
        if self.contained:
            return np.zeros_like(sizes), np.floor(sizes / self.threshold + SLACK).astype(np.int64)
        return np.ceil(sizes * self.threshold - SLACK).astype(np.int64), sizes

    def possible(self, sizes: Numbers, others: Numbers, after: Numbers, others_after: Numbers) -> Truths:
        """Whether enough is left, from the first token that they share: `after` so many follow it in each."""
        needed = self.threshold * (others if self.contained else (sizes + others) / (1 + self.threshold))
        enough: Truths = 1 + np.minimum(after, others_after) >= needed - SLACK
        return enough

    def apart(self, sizes: Numbers, others: Numbers) -> Numbers:
        """The most tokens that stand in one of the two alone; where contained, in the held one alone."""
        share = 1 - self.threshold
        most = share * others if self.contained else share / (1 + self.threshold) * (sizes + others)
        whole: Numbers = np.floor(most + SLACK).astype(np.int64)
        return whole

    def holds(self, size: int, other: int, shared: int) -> bool:
        if self.contained:
            return shared >= self.threshold * other - SLACK
        return shared / (size + other - shared) >= self.threshold - SLACK


def _prefix(sizes: Numbers, share: float) -> Numbers:
    return np.where(sizes > 0, sizes - np.ceil(share * sizes - SLACK).astype(np.int64) + 1, 0)


def link(sets: Sets, asked: Asked, components: Components, *, tell: Callable[[float], None]) -> None:
    """Unite the positions of `components` whose sets are pairs, or are linked by pairs. `tell` hears how much is done,
    0 to 1."""
    _Join(sets, asked, components).run(tell)


class _Join:
    def __init__(self, sets: Sets, asked: Asked, components: Components) -> None:
        self.sets, self.asked, self.components = sets, asked, components
        first = np.ones(len(sets.sizes), bool)
        for before, position in sets.equal():
            if not asked.contained or sets.sizes[position] >= asked.least:
                components.unite(before, position)
                first[position] = False
        held = first[sets.rows] & (sets.places < asked.held(sets.sizes)[sets.rows])
        asking = first[sets.rows] & (sets.places < asked.asking(sets.sizes)[sets.rows])
        self.held = _Entries(sets, held)
        self.asking = _Entries(sets, asking)
        self.sketches = _sketches(sets, parity=not asked.contained)

    def run(self, tell: Callable[[float], None]) -> None:
        if not len(self.held.rows):
            return
        width = int(self.sets.sizes.max()) + 2
        keys = self.held.tokens * width + self.sets.sizes[self.held.rows]
        order = np.argsort(keys, kind="stable")
        keys, self.held = keys[order], self.held.taken(order)
        common = np.bincount(self.held.tokens) > COMMON
        asking = self.asking.taken(self.asking.tokens < len(common))
        many = common[asking.tokens]
        self._in_bulk(asking.taken(~many), keys, width, tell)
        asking = asking.taken(many)
        asking = asking.taken(np.argsort(asking.tokens, kind="stable"))
        for token in np.flatnonzero(common).tolist():
            held = self.held.taken(slice(*np.searchsorted(keys, [token * width, (token + 1) * width])))
            self._by_components(asking.taken(slice(*np.searchsorted(asking.tokens, [token, token + 1]))), held)

    def _in_bulk(self, asking: _Entries, keys: Numbers, width: int, tell: Callable[[float], None]) -> None:
        least, most = self.asked.between(self.sets.sizes[asking.rows])
        starts = np.searchsorted(keys, asking.tokens * width + np.minimum(least, width - 1))
        ends = np.searchsorted(keys, asking.tokens * width + np.minimum(most, width - 1), side="right")
        counts = np.maximum(ends - starts, 0)
        sums = np.concatenate([[0], np.cumsum(counts)])
        at = 0
        while at < len(counts):
            tell(at / len(counts))
            end = max(at + 1, int(np.searchsorted(sums, sums[at] + BLOCK, side="right")) - 1)
            block = slice(at, end)
            ones = np.repeat(np.arange(at, end), counts[block])
            others = np.arange(sums[end] - sums[at]) - (sums[ones] - sums[at]) + starts[ones]
            self._link(*self._candidates(asking, ones, others))
            at = end

    def _candidates(self, asking: _Entries, ones: Numbers, others: Numbers) -> tuple[Numbers, Numbers]:
        """Of pairs of an asking entry and a held one the sets that may be alike and are not linked."""
        labels, sizes = self.components.labels, self.sets.sizes
        new = labels[asking.rows[ones]] != labels[self.held.rows[others]]
        ones, others = ones[new], others[new]
        rows, found = asking.rows[ones], self.held.rows[others]
        kept = self.asked.possible(sizes[rows], sizes[found], asking.after[ones], self.held.after[others])
        rows, found = rows[kept], found[kept]
        kept = self._near(rows, found)
        return rows[kept], found[kept]

    def _near(self, rows: Numbers, found: Numbers) -> Truths:
        """Whether the sketches allow it: each bit that differs stands for a token, or several."""
        ones, others = self.sketches[rows], self.sketches[found]
        bits = others & ~ones if self.asked.contained else ones ^ others
        differ = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
        near: Truths = differ <= self.asked.apart(self.sets.sizes[rows], self.sets.sizes[found])
        return near

    def _link(self, rows: Numbers, found: Numbers) -> None:
        """Compare, of each set with each component, one pair at a time."""
        labels = self.components.labels
        while len(rows):
            _, chosen = np.unique(rows * len(labels) + labels[found], return_index=True)
            for row, other in zip(rows[chosen].tolist(), found[chosen].tolist(), strict=True):
                if labels[row] != labels[other] and self.alike(row, other):
                    self.components.unite(row, other)
            left = labels[rows] != labels[found]
            left[chosen] = False
            rows, found = rows[left], found[left]

    def alike(self, row: int, other: int) -> bool:
        one, held = self.sets.of(row), self.sets.of(other)
        return self.asked.holds(len(one), len(held), len(set(one).intersection(held)))

    def _by_components(self, asking: _Entries, held: _Entries) -> None:
        """All pairs that one token makes; `asking` and `held` are its entries."""
        sizes, labels = self.sets.sizes, self.components.labels
        own = labels[held.rows]
        if (own == own[0]).all():
            asking = asking.taken(labels[asking.rows] != own[0])
        members: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        afters = np.zeros_like(held.after) if self.asked.contained else held.after
        for row, size, after in zip(held.rows.tolist(), sizes[held.rows].tolist(), afters.tolist(), strict=True):
            members[size, after][int(labels[row])].append(row)
        kinds = np.array([*members], np.int64)
        groups = [*members.values()]
        near: dict[tuple[int, int], list[int]] = {}
        for row, size, after in zip(
            asking.rows.tolist(), sizes[asking.rows].tolist(), asking.after.tolist(), strict=True
        ):
            if (size, after) not in near:
                near[size, after] = self._kinds(size, after, kinds)
            for kind in near[size, after]:
                self._ask(row, groups[kind])

    def _kinds(self, size: int, after: int, kinds: Numbers) -> list[int]:
        """Which of `kinds`, (size, after), a set of this size may find, of which `after` tokens follow the shared."""
        sizes, afters = np.full(len(kinds), size), np.full(len(kinds), after)
        least, most = self.asked.between(sizes)
        fits = (kinds[:, 0] >= least) & (kinds[:, 0] <= most)
        if not self.asked.contained:
            fits &= self.asked.possible(sizes, kinds[:, 0], afters, kinds[:, 1])
        found: list[int] = np.flatnonzero(fits).tolist()
        return found

    def _ask(self, row: int, by_label: dict[int, list[int]]) -> None:
        labels = self.components.labels
        for label in [*by_label]:
            now = int(labels[label])
            if now != label:
                shorter, longer = sorted((by_label.pop(label), by_label.get(now, [])), key=len)
                longer += shorter
                by_label[now] = longer
        for label, members in by_label.items():
            if label != labels[row] and labels[label] != labels[row]:
                other = self._first_alike(row, members)
                if other is not None:
                    self.components.unite(row, other)

    def _first_alike(self, row: int, members: list[int]) -> int | None:
        for other in members[:FEW]:
            if self.alike(row, other):
                return other
        rest = np.array(members[FEW:], np.int64)
        near = rest[self._near(np.full(len(rest), row), rest)].tolist()
        return next((other for other in near if self.alike(row, other)), None)


class _Entries:
    """Tokens of sets: whose each is, which, and how many follow it there."""

    def __init__(self, sets: Sets, kept: Truths) -> None:
        self.rows, self.tokens = sets.rows[kept], sets.values[kept]
        self.after = sets.sizes[self.rows] - sets.places[kept] - 1

    def taken(self, which: npt.NDArray[np.generic] | slice) -> _Entries:
        made = object.__new__(_Entries)
        made.rows, made.tokens, made.after = self.rows[which], self.tokens[which], self.after[which]
        return made


def _sketches(sets: Sets, *, parity: bool) -> npt.NDArray[np.uint64]:
    """`WORDS` words of each set: a bit says whether any token falls to it or, with `parity`, an odd number."""
    found = np.zeros((len(sets.sizes), WORDS), np.uint64)
    filled = np.flatnonzero(sets.sizes)
    if len(filled):
        hashes = sets.values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        bits = np.uint64(1) << (hashes >> np.uint64(58))
        word = (hashes >> np.uint64(50)) % np.uint64(WORDS)
        together = np.bitwise_xor if parity else np.bitwise_or
        for number in range(WORDS):
            mine = np.where(word == number, bits, np.uint64(0))
            found[filled, number] = together.reduceat(mine, sets.starts[filled])
    return found
