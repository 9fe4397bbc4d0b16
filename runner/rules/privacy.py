"""Privacy: whether a batch gives away which records it was made from.

Distance to the closest record, for members (gold) and for a held-back reference of the same kind; membership
inference scores a record by its closeness to the batch (after Platzer and Reutterer 2021).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from runner.records.validation import Privacy
from runner.rules.similarity import jaccard, shingles
from runner.rules.statistics import auc

LEAST = 5
"""Records of each kind below which nothing can be said."""


def privacy(batch: Sequence[str], *, gold: Sequence[str], reference: Sequence[str]) -> Privacy | None:
    """Median distance (one less the Jaccard similarity of words) of each kind to its closest row of `batch`, and the
    AUC of telling them apart by it. None where there are fewer than `LEAST` records of either kind, or no rows."""
    if min(len(gold), len(reference)) < LEAST or not batch:
        return None
    rows = [shingles(text, 1) for text in batch]
    near_gold = [_closest(text, rows) for text in gold]
    near_reference = [_closest(text, rows) for text in reference]
    return Privacy(
        median_distance_gold=round(statistics.median(near_gold), 9),
        median_distance_reference=round(statistics.median(near_reference), 9),
        membership_auc=round(auc([-value for value in near_gold], [-value for value in near_reference]), 9),
    )


def _closest(text: str, rows: Sequence[frozenset[str]]) -> float:
    own = shingles(text, 1)
    return 1 - max(jaccard(own, row) for row in rows)
