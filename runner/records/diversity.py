"""How varied a batch is, how much of what is real it reaches, and what a cluster asks of that."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from runner.records.base import Count, PositiveShare, Record, Share
from runner.records.patterns import unusable


class DiversityLimits(Record):
    """The `diversity:` block of cluster.yaml. What is left out is measured and not judged."""

    near_duplicate: PositiveShare = 0.8
    """Jaccard similarity of word 2-shingles from which on a candidate is another text's near-duplicate."""
    min_distinct_1: Share | None = None
    min_distinct_2: Share | None = None
    min_distinct_3: Share | None = None
    max_self_bleu: Share | None = None
    min_members: Share | None = None
    """The share of the failure cluster's messages that the batch comes near to."""
    min_vocabulary: Share | None = None
    """The share of the words that several human rows have."""
    min_modes: Share | None = None
    """The share of the word pairs that several human rows have."""
    min_median_words: Count | None = None
    max_median_words: Count | None = None

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        least, most = self.min_median_words or 0, self.max_median_words
        if most is not None and most < least:
            raise unusable(
                f"asks for a median of at least {least} words and at most {most}", "make the most the larger"
            )
        return self


class WordSpread(Record):
    """Words to a text: the tenth, the middle and the ninetieth of a hundred texts in the order of their length."""

    p10: Count
    p50: Count
    p90: Count


class Texture(Record):
    """How varied some texts are among themselves. Figures of other numbers of texts do not compare."""

    texts: Annotated[int, Field(ge=1)]
    distinct_1: Share
    distinct_2: Share
    distinct_3: Share
    self_bleu: Share | None
    """None for a single text."""
    words: WordSpread


class Reach(Record):
    """How much of what is real the batch reaches; None where there is too little of it to say."""

    members: Share | None
    vocabulary: Share | None
    modes: Share | None


class Diversity(Record):
    """One batch's: its texture, that of as many real rows, and its reach. Samples are drawn by the cluster's seed."""

    batch: Texture
    real: Texture | None
    reach: Reach
