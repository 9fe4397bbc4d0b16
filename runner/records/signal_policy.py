"""`signals:` in cluster.yaml: which production signals may steer the set, and by how much."""

from typing import Literal

from runner.records.base import Count, PositiveShare, Record


class SignalPolicy(Record):
    max_source_share: PositiveShare = 0.34
    """Of the failed traces that count, the share that one submitter may send at most. Where too few send any for this
    share to be held, all of them may send as much."""
    free_rows: Count = 10
    """Failed traces that count of any submitter, whatever the share: a small log is no flood."""
    unnamed: Literal["each", "one"] = "each"
    """Whether traces that do not say who sent them count each for itself, or all as one submitter's."""
    flagged: Literal["hold", "use"] = "hold"
    """Whether text that speaks to a model, or hides characters, is held back or taken like any other."""
