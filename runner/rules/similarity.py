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
from collections.abc import Iterable, Sequence

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
        self._frequency = Counter(shingle for one in universe for shingle in one)
        self._sets: dict[int, Shingles] = {}
        self._holders: dict[str, list[int]] = defaultdict(list)

    def add(self, key: int, text: Shingles) -> None:
        """Index `text` under `key`. A text without words is never found."""
        self._sets[key] = text
        for shingle in self._prefix(text):
            self._holders[shingle].append(key)

    def find(self, text: Shingles) -> list[tuple[int, float]]:
        """Every (key, similarity) at or above the threshold, most similar first, then by key."""
        keys = {key for shingle in self._prefix(text) for key in self._holders.get(shingle, ())}
        found = []
        for key in keys:
            other = self._sets[key]
            if min(len(text), len(other)) < self.threshold * max(len(text), len(other)) - 1e-9:
                continue
            similarity = jaccard(text, other)
            if similarity >= self.threshold - 1e-9:
                found.append((key, similarity))
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def _prefix(self, text: Shingles) -> Sequence[str]:
        length = len(text) - math.ceil(self.threshold * len(text) - 1e-9) + 1
        return sorted(text, key=lambda shingle: (self._frequency.get(shingle, 0), shingle))[:length] if text else ()
