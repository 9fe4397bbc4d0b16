"""Fidelity: how far a batch's texts lie from real ones, as Jensen-Shannon distances (base 2, square root; 0 to 1).

Two samples of one source lie apart too, the farther the smaller they are. So a distance is held against the limit and
against `spread`: what equally large samples of the real rows reach among themselves. Below either it is no shortfall.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from runner.records.validation import Divergence, Fidelity
from runner.rules.text.similarity import normal_text, words

Marks = npt.NDArray[np.bool_]
LENGTH_BIN = 4
"""Words to a bin of the length histogram."""
SAMPLES = 40
"""Samples of the real rows whose distances make `spread`: by chance alone one batch in 41 lies beyond it."""


def jensen_shannon(left: Mapping[str, int], right: Mapping[str, int]) -> float:
    """The Jensen-Shannon distance of two count tables (Lin 1991; Endres and Schindelin 2003). 1 where one is empty."""
    left_total, right_total = sum(left.values()), sum(right.values())
    if not left_total or not right_total:
        return 1.0
    terms: list[float] = []
    for key in sorted({*left, *right}):
        p, q = left.get(key, 0) / left_total, right.get(key, 0) / right_total
        middle = (p + q) / 2
        terms.extend(share * math.log2(share / middle) / 2 for share in (p, q) if share)
    return round(math.sqrt(min(1.0, max(0.0, math.fsum(terms)))), 9)


def fidelity(batch: Sequence[str], real: Sequence[str], *, parents: Iterable[str]) -> Fidelity:
    """Distances of `batch` to `real`, and the share of it that copies `parents` or an earlier row of its own."""
    known = {normal_text(text) for text in parents}
    copies = 0
    for text in map(normal_text, batch):
        copies += text in known
        known.add(text)
    return Fidelity(
        length_distance=jensen_shannon(_lengths(batch), _lengths(real)),
        vocabulary_distance=jensen_shannon(_grams(batch, 1), _grams(real, 1)),
        ngram_distance=jensen_shannon(_grams(batch, 2), _grams(real, 2)),
        exact_copies=round(copies / len(batch), 9) if batch else 0.0,
    )


def spread(real: Sequence[str], *, size: int, seed: int) -> Divergence:
    """The farthest that one of `SAMPLES` seeded samples of `size` real rows (half of them at most) lies from the rest.

    Raises `ValueError` for fewer than two rows.
    """
    size = min(size, len(real) // 2)
    if not size:
        raise ValueError("one row has no spread")
    generator = np.random.default_rng(seed)
    drawn = np.zeros((SAMPLES, len(real)), dtype=np.bool_)
    for sample in drawn:
        sample[generator.permutation(len(real))[:size]] = True
    counted = ([Counter(_lengths([text])) for text in real], *([_grams([text], n) for text in real] for n in (1, 2)))
    lengths, vocabulary, pairs = (_farthest(counts, drawn) for counts in counted)
    return Divergence(length_distance=lengths, vocabulary_distance=vocabulary, ngram_distance=pairs)


def _farthest(counts: Sequence[Counter[str]], drawn: Marks) -> float:
    """The largest Jensen-Shannon distance of the rows a line of `drawn` marks to those it does not.

    Memory grows with what the rows hold, not with rows times different keys: long texts have many.
    """
    columns = {key: at for at, key in enumerate(sorted({key for one in counts for key in one}))}
    if not columns:
        return 1.0
    cells = [(row, columns[key], count) for row, one in enumerate(counts) for key, count in one.items()]
    rows, places, held = np.array(cells).T
    inside = np.stack([np.bincount(places, weights=held * line[rows], minlength=len(columns)) for line in drawn])
    outside = np.bincount(places, weights=held) - inside
    shares = [side / np.maximum(side.sum(axis=1, keepdims=True), 1.0) for side in (inside, outside)]
    middle = (shares[0] + shares[1]) / 2
    parts = [share * np.log2(np.where(share > 0, share / np.where(middle > 0, middle, 1.0), 1.0)) for share in shares]
    divergence = np.clip((parts[0] + parts[1]).sum(axis=1) / 2, 0.0, 1.0)
    return round(float(np.sqrt(divergence).max()), 9)


def _lengths(texts: Iterable[str]) -> Counter[str]:
    return Counter(str(len(words(text)) // LENGTH_BIN) for text in texts)


def _grams(texts: Iterable[str], size: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        found = words(text)
        counts.update(" ".join(found[i : i + size]) for i in range(len(found) - size + 1))
    return counts
