"""Which texts are near-duplicates: how to look for them by MinHash, and which of those found truly are.

MinHash only suggests (`Banding`: how long a signature is, and what it will miss); `leaders` compares what it suggests
by the true Jaccard similarity of the shingles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from runner.rules.text.shingle_hashes import shingle_hashes
from runner.rules.text.similarity import Shingles, jaccard, shingles

SIZE = 3
"""Words in a shingle."""
COMMON = 65_535
"""From here on one shingle is as common as another: the order need only be the same for all."""
REMEMBERED = 8192
"""Texts whose shingles are kept at hand: a log's duplicates come close together."""


class Banding(NamedTuple):
    """A MinHash signature cut into bands of rows (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4)."""

    bands: int
    rows: int

    @property
    def permutations(self) -> int:
        return self.bands * self.rows

    def chance(self, similarity: float) -> float:
        """The probability that two texts of that Jaccard similarity agree in a whole band: that the pair is found."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


def banding(threshold: float, *, recall: float, permutations: int) -> Banding:
    """Of at most so many permutations the longest bands, so the fewest false candidates, with which a pair that is
    just `threshold` similar is still found with the probability `recall`. Single rows where none does."""
    choices = (Banding(permutations // rows, rows) for rows in range(permutations, 0, -1))
    return next((one for one in choices if one.chance(threshold) >= recall), Banding(permutations, 1))


def leaders(
    texts: Sequence[str], *, threshold: float, size: int = SIZE, suspects: Collection[int] | None = None
) -> list[int]:
    """For each text the position of the one that stands for it, itself where it stands for itself.

    A text joins the most similar earlier leader at or above `threshold` (the earliest, where equal); so every member
    is truly near the text that stands for it, and a chain of small changes does not run together. Only the texts at
    the positions `suspects` are compared, all where it is None; the others are taken to have no near-duplicate.
    """
    if not 0 < threshold <= 1:
        raise ValueError("a similarity threshold lies above 0 and at most at 1")
    chosen = list(range(len(texts)))
    compared = sorted(suspects) if suspects is not None else chosen[:]
    if len(compared) < 2:
        return chosen
    holders: dict[int, list[int]] = defaultdict(list)

    @lru_cache(maxsize=REMEMBERED)
    def shingled(position: int) -> Shingles:
        return shingles(texts[position], size)

    prefixes = _prefixes([texts[position] for position in compared], threshold=threshold, size=size)
    for position, prefix in zip(compared, prefixes, strict=True):
        candidates = {other for shingle in prefix if shingle in holders for other in holders[shingle]}
        near = [(-jaccard(shingled(position), shingled(other)), other) for other in candidates]
        best, leader = min(near, default=(0.0, position))
        if -best >= threshold - 1e-9:
            chosen[position] = leader
            continue
        for shingle in prefix:
            holders[shingle].append(position)
    return chosen


def _prefixes(texts: Sequence[str], *, threshold: float, size: int) -> list[list[int]]:
    """Of each text the shingles, as numbers, one of which a text at least `threshold` similar must have too.

    They are the rarest |x| - ceil(threshold |x|) + 1 of its shingles under one order of all (see `similarity`), less
    those that stand nowhere else.
    """
    values, starts = shingle_hashes(texts, size)
    distinct, numbers = np.unique(values, return_inverse=True)
    width = max(len(distinct), 1)
    rows = np.repeat(np.arange(len(texts)), (starts[1:] - starts[:-1]).astype(np.int64))
    frequency = np.minimum(np.bincount(numbers, minlength=width), COMMON).astype(np.uint16)
    order = np.argsort(frequency, kind="stable")  # of 16 bits: a radix sort
    rank = np.empty_like(order)
    rank[order] = np.arange(width)
    ordered = np.sort(rows * width + rank[numbers])
    rows, ranks = np.divmod(ordered[np.diff(ordered, prepend=-1) > 0], width)
    lengths = np.bincount(rows, minlength=len(texts))
    place = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    needed = lengths - np.ceil(threshold * lengths - 1e-9) + 1
    kept = (place < needed[rows]) & (frequency[order[ranks]] > 1)
    ends = np.cumsum(np.bincount(rows[kept], minlength=len(texts))).tolist()
    shared = ranks[kept].tolist()
    return [shared[start:end] for start, end in zip([0, *ends], ends, strict=False)]
