"""Privacy: whether a batch gives away which records it was made from.

Records are members (gold rows the batch was made from) and the held-back reference, which is of the same kind and was
shown to no generator. Membership inference scores a record by its closeness to the batch: where that tells the two
apart, the batch remembers its members (after Platzer and Reutterer 2021; Yeom et al. 2018). Whether rows repeat what
was said once is asked of word n-grams (after Carlini et al. 2021).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from runner.records.validation import Estimate, Privacy
from runner.rules.evaluation.statistics import auc, auc_interval, wilson
from runner.rules.text.similarity import Shingles, shingles, words

Distances = npt.NDArray[np.float64]
NEIGHBOURS = 20
"""Members below which the tenth of them that lie closest together is too few."""
CLOSE = 0.1
LOW = 0.05
"""The quantile of distances that a few memorised records show in, and a median does not."""


def privacy(
    batch: Sequence[str], *, gold: Sequence[str], reference: Sequence[str], others: Sequence[str] = (), least: int = 5
) -> Privacy | None:
    """How close `batch` is to `gold`, against the held-back `reference`. `others` are further real rows, which may
    share a phrase with gold. Distances are one less the Jaccard similarity of words. None where there are fewer than
    `least` records of either kind, or no rows."""
    if min(len(gold), len(reference)) < max(1, least) or not batch:
        return None
    rows, members, held = ([shingles(text, 1) for text in found] for found in (batch, gold, reference))
    to_gold = distances(members, rows)
    near_gold, near_held = to_gold.min(axis=1), distances(held, rows).min(axis=1)
    inside, outside = [-float(value) for value in near_gold], [-float(value) for value in near_held]
    low, high = auc_interval(inside, outside)
    value = round(auc(inside, outside), 9)
    rare = {size: rare_grams(gold, others=(*reference, *others), size=size) for size in (5, 8)}
    return Privacy(
        median_distance_gold=_quantile(near_gold, 0.5),
        median_distance_reference=_quantile(near_held, 0.5),
        membership_auc=value,
        membership=Estimate(value=value, low=low, high=high),
        low_distance_gold=_quantile(near_gold, LOW),
        low_distance_reference=_quantile(near_held, LOW),
        closer_than_gold=_closer(to_gold, members),
        recall_5=_recall(batch, rare[5], size=5),
        recall_8=_recall(batch, rare[8], size=8),
        verbatim_rows=share(sum(bool(word_grams(text, 8) & rare[8]) for text in batch), len(batch)),
    )


def distances(left: Sequence[Shingles], right: Sequence[Shingles]) -> Distances:
    """One less the Jaccard similarity of each of `left` (rows) to each of `right` (columns); 1 where one is empty."""
    columns = {word: at for at, word in enumerate(sorted({word for one in (*left, *right) for word in one}))}
    marks = [np.zeros((len(side), len(columns)), dtype=np.float32) for side in (left, right)]
    for side, mark in zip((left, right), marks, strict=True):
        for row, one in enumerate(side):
            mark[row, [columns[word] for word in one]] = 1
    shared = (marks[0] @ marks[1].T).astype(np.float64)
    either = marks[0].sum(axis=1)[:, None] + marks[1].sum(axis=1)[None, :] - shared
    return np.where(either > 0, 1 - shared / np.maximum(either, 1), 1.0)


def word_grams(text: str, size: int) -> frozenset[str]:
    """The word n-grams of `text`; none where it is shorter."""
    found = words(text)
    return frozenset(" ".join(found[at : at + size]) for at in range(len(found) - size + 1))


def rare_grams(gold: Sequence[str], *, others: Sequence[str], size: int) -> frozenset[str]:
    """The word n-grams that stand in one gold row and in none of the `others`."""
    counts = Counter(gram for text in gold for gram in word_grams(text, size))
    common = {gram for text in others for gram in word_grams(text, size)}
    return frozenset(gram for gram, count in counts.items() if count == 1 and gram not in common)


def share(count: int, of: int) -> Estimate:
    """A share with Wilson's interval."""
    low, high = wilson(count, of)
    return Estimate(value=round(count / of, 9) if of else 0.0, low=low, high=high)


def _closer(to_gold: Distances, members: Sequence[Shingles]) -> Estimate | None:
    """Share of rows (columns of `to_gold`) that are closer to a member than nine in ten members are to each other.
    Real rows reach a tenth. None for fewer than `NEIGHBOURS` members."""
    if len(members) < NEIGHBOURS:
        return None
    own = distances(members, members)
    np.fill_diagonal(own, np.inf)
    closer = to_gold.min(axis=0) < np.quantile(own.min(axis=1), CLOSE) - 1e-9
    return share(int(closer.sum()), to_gold.shape[1])


def _recall(batch: Sequence[str], rare: frozenset[str], *, size: int) -> float | None:
    said = {gram for text in batch for gram in word_grams(text, size)}
    return round(len(rare & said) / len(rare), 9) if rare else None


def _quantile(values: Distances, at: float) -> float:
    return round(float(np.quantile(values, at)), 9)
