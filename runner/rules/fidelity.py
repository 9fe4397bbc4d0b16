"""Fidelity: how far a batch's texts lie from real ones, as Jensen-Shannon distances (base 2, square root; 0 to 1)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from runner.records.cluster import Validation
from runner.records.validation import Fidelity
from runner.records.verdict import Reason
from runner.rules.similarity import normal_text, words

LENGTH_BIN = 4
"""Words to a bin of the length histogram."""


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


def shortfalls(found: Fidelity, limits: Validation) -> tuple[Reason, ...]:
    """Each limit of the cluster that `found` breaks."""
    checks = (
        ("length distance", found.length_distance, limits.max_length_distance),
        ("vocabulary distance", found.vocabulary_distance, limits.max_vocabulary_distance),
        ("n-gram distance", found.ngram_distance, limits.max_ngram_distance),
        ("share of exact copies", found.exact_copies, limits.max_exact_copies),
    )
    return tuple(
        Reason(step="fidelity", problem=f"{name} {value:.3f} is above {limit:.3f}")
        for name, value, limit in checks
        if value > limit
    )


def _lengths(texts: Iterable[str]) -> Counter[str]:
    return Counter(str(len(words(text)) // LENGTH_BIN) for text in texts)


def _grams(texts: Iterable[str], size: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        found = words(text)
        counts.update(" ".join(found[i : i + size]) for i in range(len(found) - size + 1))
    return counts
