"""What phase 8 says of a batch: four measures, each with its figures, and one verdict."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runner.records.base import Record, Share, Slug, Text
from runner.records.verdict import Verdict


class Fidelity(Record):
    """Distance of the batch to real data of the same capabilities (Jensen-Shannon, base 2, 0 to 1)."""

    length_distance: Share
    vocabulary_distance: Share
    ngram_distance: Share
    exact_copies: Share


class Utility(Record):
    """Train on synthetic, test on real, against train on real, test on real."""

    synthetic_accuracy: Share
    real_accuracy: Share
    ratio: Annotated[float, Field(ge=0)]


class Privacy(Record):
    """Whether the batch gives away which records it was made from."""

    median_distance_gold: Share
    median_distance_reference: Share
    membership_auc: Share


class Leak(Record):
    """A candidate that stands, nearly or wholly, in a frozen set."""

    candidate: Text
    scenario: Slug
    similarity: Share


class BatchValidation(Record):
    batch: Slug
    rows: int
    fidelity: Fidelity | None
    utility: Utility | None
    privacy: Privacy | None
    leaks: tuple[Leak, ...]
    verdict: Verdict


class ValidationReport(Record):
    batches: tuple[BatchValidation, ...]
    passed: tuple[Slug, ...]
    failed: tuple[Slug, ...]
    human_leaks: tuple[Leak, ...] = ()
    """Gold rows that stand in a frozen set; they train nothing."""
