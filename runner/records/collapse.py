"""What became of a small model that was trained, generation after generation, on what the one before it wrote."""

from enum import StrEnum

from pydantic import Field

from runner.records.base import Count, Positive, Record, Share, Text


class Size(Record):
    """How large a simulation is to be."""

    generations: Positive
    rows: Positive
    """Real rows at most."""
    steps: Positive
    """Training steps on the real rows."""
    seed: int | None = None
    """The cluster's where none is given."""


class Regime(StrEnum):
    """What a generation trains on."""

    REPLACE = "replace"
    """What the generation before it wrote, and nothing else."""
    ACCUMULATE = "accumulate"
    """The real rows, and everything that any generation has written."""


class ModelGeneration(Record):
    """One model. Generation 0 has seen the real rows alone, and is the same in both regimes."""

    number: Count
    rows: Positive
    """Distinct texts aside: how many rows it was trained on."""
    score: Share
    """Of the real dev rows, the share that it answers rightly: mean over their labels."""
    rare_score: Share | None
    """The same over the labels with few real rows; none where no label is rare."""
    written: Count
    """Texts that it wrote, one for each real row's label; what is blank is left out."""
    tails: Share
    """Rare n-grams of the real rows that stand in what it wrote."""
    distinct: Share
    """Distinct word 2-grams of what it wrote, as a share of all of them (distinct-2, Li et al. 2016)."""


class Line(Record):
    regime: Regime
    generations: tuple[ModelGeneration, ...] = Field(min_length=1)


class Collapse(Record):
    """`hallmark simulate collapse`: both regimes on the same rows, recipe and seed."""

    data: Text
    seed: int
    steps: Positive
    """Training steps of generation 0; the others have more where they have more rows, so as to see each as often."""
    real: Positive
    dev: Positive
    rare_ngrams: Count
    """N-grams of the real rows that stand in two to five of them."""
    rare_labels: tuple[Text, ...]
    lines: tuple[Line, ...] = Field(min_length=1)
    words: Text
