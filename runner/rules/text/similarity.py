"""When two texts are the same, or nearly: normalised equality, and the Jaccard similarity of word shingles.

`ShingleIndex` finds every indexed text at or above a threshold exactly (no hashing, no misses) by prefix filtering
(Chaudhuri et al. 2006; Xiao et al. 2008): under one total order of shingles, rarest first, two sets with Jaccard
similarity t or more share a shingle among the first |x| - ceil(t |x|) + 1 of each.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

Shingles = frozenset[str]
ASCII = {code: chr(code).lower() if re.match(r"\w", chr(code)) else " " for code in range(128)} | {ord("'"): ""}
"""What `words` makes of each ASCII character."""


def normal_text(text: str) -> str:
    """NFKC, case-folded, punctuation as spaces, single spaces: what `exact` means for duplicates and leaks."""
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """The words of `text`, normalised; an apostrophe inside a word is dropped."""
    if text.isascii():  # the same, three times as fast
        return text.translate(ASCII).split()
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "").replace("'", "")
    return re.findall(r"\w+", plain)


def shingles(text: str, size: int) -> Shingles:
    """The word `size`-shingles of `text`; a shorter text is one shingle. Empty for a text without words."""
    found = words(text)
    if not found:
        return frozenset()
    if len(found) < size:
        return frozenset([" ".join(found)])
    return frozenset(map(" ".join, zip(*(found[start:] for start in range(size)), strict=False)))


def jaccard(left: Shingles, right: Shingles) -> float:
    """|A and B| / |A or B|; 0 where either is empty."""
    if not left or not right:
        return 0.0
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


class ShingleIndex:
    """Texts that can be asked which of them are at least `threshold` similar to another.

    `universe` are the shingles whose frequency orders the prefixes: any collection is right, the indexed one is fast.
    """

    def __init__(self, universe: Iterable[Shingles], *, threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError("a similarity threshold lies above 0 and at most at 1")
        self.threshold = threshold
        frequency = Counter(chain.from_iterable(universe))
        ordered = sorted(sorted(frequency), key=frequency.__getitem__)
        self._rank = {one: place for place, one in enumerate(ordered)}
        self._sets: dict[int, Shingles] = {}
        self._holders: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """By shingle of a prefix: the texts that have it there, and how many of theirs come after it."""

    def add(self, key: int, text: Shingles) -> None:
        """Index `text` under `key`. A text without words is never found."""
        self._sets[key] = text
        for shingle, after in self._prefix(text):
            self._holders[shingle].append((key, after))

    def find(self, text: Shingles) -> list[tuple[int, float]]:
        """Every (key, similarity) at or above the threshold, most similar first, then by key."""
        found = []
        for key in self._candidates(text):
            similarity = jaccard(text, self._sets[key])
            if similarity >= self.threshold - 1e-9:
                found.append((key, similarity))
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _candidates(self, text: Shingles) -> Iterator[int]:
        """The texts that share enough to be asked: of two, the first shared shingle and as many as may follow it in
        both must make up the overlap that the threshold needs (Xiao et al. 2008, positional filtering)."""
        seen: set[int] = set()
        share = self.threshold / (1 + self.threshold)
        for shingle, after in self._prefix(text):
            for key, theirs in self._holders.get(shingle, ()):
                if key not in seen:
                    seen.add(key)
                    if 1 + min(after, theirs) >= share * (len(text) + len(self._sets[key])) - 1e-9:
                        yield key

    def _prefix(self, text: Shingles) -> list[tuple[str, int]]:
        """The shingles of its prefix, each with how many come after it: those outside of the universe first, then the
        rarest."""
        size, rank = len(text), self._rank
        length = size - math.ceil(self.threshold * size - 1e-9) + 1 if text else 0
        strange = text.difference(rank)
        known = sorted(text - strange, key=rank.__getitem__)
        return [(one, size - place) for place, one in enumerate([*sorted(strange), *known][:length], start=1)]
