"""What the figures of an assessment are worth: intervals, tiers, what a comparison could see, what repeats say."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.records.base import Count, PositiveShare, Record, Share, Sparse, Text


class Interval(Record):
    """A two-sided interval at `level`."""

    low: float
    high: float
    level: Share = 0.95


class Tier(StrEnum):
    """The verdict on a comparison: rules/evaluation/tiers.py decides it, docs/statistics.md says what each means."""

    IMPROVED = "improved"
    NO_CHANGE = "no change"
    REGRESSED = "regressed"
    INSUFFICIENT_DATA = "insufficient data"
    UNRELIABLE_BASELINE = "unreliable baseline"


class Detectable(Record):
    """The smallest difference of shares passed that the exact McNemar test would have found with `power` at `alpha`, on
    as many scenarios, were the two to differ on as large a share of them as they did."""

    difference: Share | None
    """None where even a difference of 1 would have been missed."""
    discordance: Share
    """The share of scenarios on which the two differ."""
    alpha: Share
    power: Share
    effect: Share
    """The difference that the cluster asks to be found."""
    scenarios: Count | None
    """How many would do for `effect`; none where more than a million."""


class Tally(Sparse):
    """How many scenarios passed, of how many, and Wilson's interval of the share."""

    SPARSE = frozenset({"interval"})

    passed: Count
    scenarios: Count
    interval: Interval | None = None


class Detection(Record):
    """The two sides of a decision: flagging what should be (`tp`, `fn-guard`), leaving what should not (`tn`,
    `fp-guard`)."""

    sensitivity: Tally
    specificity: Tally
    balanced_accuracy: Share
    interval: Interval
    """Of the balanced accuracy."""


class Repeats(Sparse):
    """The incumbent asked again: how far it differs from itself."""

    SPARSE = frozenset({"interval"})

    runs: Annotated[int, Field(ge=1)]
    """Repeats, the first asking not counted."""
    scenarios: Count
    flipped: Count
    """Scenarios that pass in one of its runs and fail in another."""
    share: Share
    """Of the scenarios, those whose verdict a repeat turns: the mean over the repeats."""
    interval: Interval | None = None


class RealOnly(Sparse):
    """The candidate on held-out beside what problem.md records of real data alone."""

    SPARSE = frozenset({"interval"})

    metric: Text
    """`accuracy` (the share passed) or `composite`."""
    recorded: Share
    reached: Share
    interval: Interval | None = None
    """Of `reached`."""


class SignificancePolicy(Record):
    """`gate.significance:` in cluster.yaml: what a comparison must be able to see, and what else the gate refuses."""

    effect: PositiveShare = 0.1
    """The difference of shares passed that matters: a comparison that would miss it has insufficient data."""
    power: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """How often it must be found where it is there."""
    max_flip_share: Share = 0.05
    """The share of scenarios that the incumbent's own repeats may turn: over it a baseline is unreliable, and refused.
    No larger share may be lost uncounted as ones that it turns."""
    min_outcome_share: Share = 0.0
    """The least share passed among held-out scenarios of each outcome type; 0 asks nothing."""
    real_only: Literal["say", "refuse"] = "say"
    """Whether a candidate not above problem.md's real-only baseline on held-out is named among the risks or refused."""
