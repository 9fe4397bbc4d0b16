"""What phase 8 says of a batch: four measures, each with its figures, and one judgement (docs/validation.md).

Figures that came later than the first release are optional, so that its evidence can still be read.
"""

from enum import StrEnum

from runner.records.base import Amount, Record, Share, Slug, Text
from runner.records.diversity import Diversity
from runner.records.funnel import FunnelReport
from runner.records.verdict import Reason, Verdict


class Estimate(Record):
    """A figure and the 95 % interval that it is judged by: the end of it that speaks for the batch."""

    value: float
    low: float
    high: float


class Divergence(Record):
    """How far equally large samples of the real rows lie from the rest of them: the farthest of several."""

    length_distance: Share
    vocabulary_distance: Share
    ngram_distance: Share


class Trait(Record):
    """One sign of untidiness, in the batch and in real rows; `tail` is how rarely as few rows would show as little."""

    batch: float
    real: float
    tail: Share


class Cleanliness(Record):
    """Whether the batch is tidier than people write: `score` is the share of the traits that are."""

    score: Share
    traits: dict[Slug, Trait]


class Fidelity(Record):
    """Distance of the batch to real data of the same capabilities (Jensen-Shannon, base 2, 0 to 1)."""

    length_distance: Share
    vocabulary_distance: Share
    ngram_distance: Share
    exact_copies: Share
    real: Divergence | None = None
    """The same distances among real rows."""
    c2st_auc: Estimate | None = None
    """How well a classifier tells the batch from real rows it was not made from; 0.5 is not at all."""
    outliers: Estimate | None = None
    """Share of rows farther from every real row than real rows are from each other."""
    cleanliness: Cleanliness | None = None


class Utility(Record):
    """Train on synthetic, test on real, against train on real, test on real; equally many rows."""

    synthetic_accuracy: Share
    real_accuracy: Share
    ratio: Amount
    lift: Estimate | None = None
    """What the batch teaches above guessing, as a share of what real rows teach above it."""
    trained_on: int = 0
    """Rows of the capability that either classifier learnt from; 0 where it was not recorded."""
    tested_on: int = 0


class Privacy(Record):
    """Whether the batch gives away which records it was made from."""

    median_distance_gold: Share
    median_distance_reference: Share
    membership_auc: Share
    membership: Estimate | None = None
    """`membership_auc` with its interval."""
    low_distance_gold: Share | None = None
    """The 5th percentile, where the median is above."""
    low_distance_reference: Share | None = None
    closer_than_gold: Estimate | None = None
    """Share of rows that are closer to a gold row than nine in ten gold rows are to each other; a tenth is usual."""
    recall_5: Share | None = None
    """Share of the word 5-grams that one gold row alone has which stand in the batch; None where there are none."""
    recall_8: Share | None = None
    verbatim_rows: Estimate | None = None
    """Share of the batch's rows that hold such an 8-gram."""


class LeakHow(StrEnum):
    """What a text has of a frozen one: see `rules.data.leakage`."""

    EXACT = "exact"
    NEAR = "near"
    PARAPHRASE = "paraphrase"
    """The same content words, in another order or form."""
    CONTAINED = "contained"
    """The frozen text stands inside it."""


class Leak(Record):
    """A candidate that stands, nearly or wholly, in a frozen set."""

    candidate: Text
    scenario: Slug
    similarity: Share
    how: LeakHow = LeakHow.NEAR


class Judgement(StrEnum):
    """What is said of a batch. Only `pass` may train."""

    PASS = "pass"
    REFUSE = "refuse"
    INSUFFICIENT_DATA = "insufficient_data"


class BatchValidation(Record):
    """One batch. `verdict` is what gates ask: a batch of which too little is known is refused there too."""

    batch: Slug
    rows: int
    fidelity: Fidelity | None
    utility: Utility | None
    privacy: Privacy | None
    leaks: tuple[Leak, ...]
    verdict: Verdict
    lacking: tuple[Reason, ...] = ()
    """What could not be measured, and what it would take."""
    judgement: Judgement | None = None
    """None in evidence that is older than this word; then the verdict says it."""
    diversity: Diversity | None = None
    """None for a batch without rows."""

    @property
    def judged(self) -> Judgement:
        return self.judgement or (Judgement.PASS if self.verdict.passed else Judgement.REFUSE)


class ValidationReport(Record):
    batches: tuple[BatchValidation, ...]
    passed: tuple[Slug, ...]
    failed: tuple[Slug, ...]
    human_leaks: tuple[Leak, ...] = ()
    """Gold rows that stand in a frozen set; they train nothing."""
    funnel: FunnelReport | None = None
    """Every batch's rows from generated to validated; None where the batches are older than funnels."""
