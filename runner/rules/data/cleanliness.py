"""Suspicious cleanliness: whether a batch is tidier and more predictable than what people write.

Six traits of untidiness, each a figure of a group of texts, lower is tidier:

- `spelling`: words that are likely slips (see `Slips`), a word
- `casing`: texts that begin with a small letter, say `i` for I, or are all capitals
- `punctuation`: texts without an end mark, or with repeated marks or a blank before one
- `contractions`: contractions, with or without their apostrophe, a word
- `variety`: distinct words among the first words of the group (type-token ratio at equal length)
- `surprisal`: bits a word under a bigram model of the real rows; each real row under a model of the others

A trait counts where as few of the real and the batch's texts, drawn at random, are as tidy in at most `RARE` of the
draws (a permutation test). The score is the share of the traits that count.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np

from runner.records.validation import Cleanliness, Trait
from runner.rules.text.similarity import words

DRAWS = 399
REAL_DRAWS = 20
"""Of those, over which the real rows' own variety is averaged."""
RARE = 0.025
"""Were the six traits independent, three of them would count by chance alone in one batch in some 3,400."""
SHORTEST = 4
"""Letters of a word that may be called a slip."""
FREQUENT = 3
"""Times that a word must stand in the real rows for others to be slips of it."""
WEIGHT = 0.7
"""Of the bigram in the model; the rest is the unigram's."""
CONTRACTION = re.compile(
    r"\b(?:[^\W\d_]+['\u2019](?:t|re|ve|ll|d|m)|(?:do|does|did|ca|could|wo|would|is|was|are|have|has)nt|im|ive)\b",
    re.IGNORECASE,
)


class Slips:
    """Likely misspellings, known by the real rows alone, in any language: a word that stands nowhere else in them and
    is one slip (a letter dropped, doubled, replaced, or two swapped) from one that does often, with the same last
    letter, since what differs at its end is mostly another form (after Whitelaw et al. 2009)."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.counts = Counter(word for text in texts for word in words(text))
        self._near: dict[str, set[str]] = defaultdict(set)
        for word, count in self.counts.items():
            if count >= FREQUENT and len(word) >= SHORTEST:
                for shorter in (word, *_shorter(word)):
                    self._near[shorter].add(word)

    def rate(self, text: str, *, own: bool) -> float:
        """Likely slips a word of `text`; `own` where it is one of the real rows itself."""
        found = words(text)
        here = Counter(found)
        slips = sum(self._slip(word, here[word] if own else 0) for word in found)
        return slips / len(found) if found else 0.0

    def _slip(self, word: str, own: int) -> bool:
        if len(word) < SHORTEST or not word.isalpha() or self.counts[word] > own:
            return False
        near = {other for shorter in (word, *_shorter(word)) for other in self._near.get(shorter, ())}
        return any(other != word and other[-1] == word[-1] and abs(len(other) - len(word)) <= 1 for other in near)


class Bigrams:
    """An interpolated bigram model of some texts, add-one smoothed, from which one of them can be left out."""

    def __init__(self, texts: Sequence[str], *, vocabulary: int) -> None:
        self._size = vocabulary + 1
        self._single: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._first: Counter[str] = Counter()
        for text in texts:
            single, pairs = _counted(text)
            self._add(single, pairs)
        self._total = sum(self._single.values())

    def _add(self, single: Counter[str], pairs: Counter[tuple[str, str]]) -> None:
        self._single.update(single)
        self._pairs.update(pairs)
        for (left, _), count in pairs.items():
            self._first[left] += count

    def surprisal(self, text: str, *, own: bool) -> float:
        """Mean bits a word; `own` where `text` is one of the model's, which is then left out. 0 without words."""
        single, pairs = _counted(text)
        if not pairs:
            return 0.0
        first: Counter[str] = Counter()
        for (left, _), count in pairs.items():
            first[left] += count
        less = 1 if own else 0
        total = self._total - less * sum(single.values())
        bits = 0.0
        for (left, word), count in pairs.items():
            alone = (self._single[word] - less * single[word] + 1) / (total + self._size)
            after = self._first[left] - less * first[left]
            seen = (self._pairs[left, word] - less * count) / after if after else 0.0
            weight = WEIGHT if after else 0.0
            bits -= count * math.log2(weight * seen + (1 - weight) * alone)
        return bits / sum(pairs.values())


def cleanliness(batch: Sequence[str], real: Sequence[str], *, slips: Slips, seed: int) -> Cleanliness | None:
    """The traits of `batch` against those of `real`, with seeded draws. None where either is empty."""
    if not batch or not real:
        return None
    vocabulary = len({word for text in (*batch, *real) for word in words(text)})
    model = Bigrams(real, vocabulary=vocabulary)
    of_text: dict[str, Callable[[str, bool], float]] = {
        "spelling": lambda text, own: slips.rate(text, own=own),
        "casing": lambda text, own: float(_cased(text)),
        "punctuation": lambda text, own: float(_unpunctuated(text)),
        "contractions": lambda text, own: _contractions(text),
        "surprisal": lambda text, own: model.surprisal(text, own=own),
    }
    table = np.array(
        [
            [trait(text, own) for trait in of_text.values()]
            for own, side in ((False, batch), (True, real))
            for text in side
        ]
    )
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(table)).tolist() for _ in range(DRAWS)]
    means = np.array([table[order[: len(batch)]].mean(axis=0) for order in orders])
    here, there = table[: len(batch)].mean(axis=0), table[len(batch) :].mean(axis=0)
    traits = {
        name: _trait(float(here[at]), float(there[at]), [float(value) for value in means[:, at]])
        for at, name in enumerate(of_text)
    }
    traits["variety"] = _variety([*batch, *real], orders, size=len(batch))
    counted = sum(one.tail <= RARE and one.batch < one.real for one in traits.values())
    return Cleanliness(score=round(counted / len(traits), 9), traits=dict(sorted(traits.items())))


def _trait(batch: float, real: float, drawn: Sequence[float]) -> Trait:
    tail = (1 + sum(value <= batch + 1e-12 for value in drawn)) / (1 + len(drawn))
    return Trait(batch=round(batch, 9), real=round(real, 9), tail=round(tail, 9))


def _variety(texts: Sequence[str], orders: Sequence[Sequence[int]], *, size: int) -> Trait:
    """Type-token ratio of the first words of each group, as many as four fifths of the smaller group has."""
    split = [words(text) for text in texts]
    groups = split[:size], split[size:]
    length = int(0.8 * min(map(len, groups)) * min(sum(map(len, group)) / len(group) for group in groups))

    def ratio(group: Iterable[int]) -> float:
        found = [word for at in group for word in split[at]][: max(1, length)]
        return len(set(found)) / len(found) if found else 0.0

    real = fmean(ratio(at for at in order if at >= size) for order in orders[:REAL_DRAWS])
    return _trait(ratio(range(size)), real, [ratio(order[:size]) for order in orders])


def _counted(text: str) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    found = words(text)
    return Counter(found), Counter(pairwise(["", *found]))


def _shorter(word: str) -> set[str]:
    """`word` without one of its letters."""
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _cased(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return False
    lone = re.search(r"\bi\b", text) is not None
    return letters[0].islower() or lone or (len(letters) > 3 and all(not letter.islower() for letter in letters))


def _unpunctuated(text: str) -> bool:
    plain = text.strip().rstrip("\"')")
    return not plain.endswith((".", "?", "!", "\u2026")) or re.search(r"[?!.,]{2,}|\s[?!.,;]", plain) is not None


def _contractions(text: str) -> float:
    found = words(text)
    return len(CONTRACTION.findall(text)) / len(found) if found else 0.0
