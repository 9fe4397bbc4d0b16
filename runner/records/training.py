"""Mixtures, arms of the sweep, and what a training run was."""

from enum import StrEnum

from runner.records.base import Positive, PositiveAmount, Record, Sha256, Share, Slug, Text
from runner.records.dataset import Example
from runner.records.mixture import PoolRecord, TailCoverage
from runner.records.score import Interval, SetScore
from runner.records.verdict import Reason, Verdict


class Use(StrEnum):
    """Why a row is in the mixture. Replay rows are earlier human data, kept against forgetting."""

    NEW = "new"
    REPLAY = "replay"


class TrainingRow(Record):
    example: Example
    use: Use
    repeat: Positive = 1


class TrainingRecord(Record):
    """What one training run was. Seconds are measured and stand in the ledger, not here."""

    mixture: Sha256
    base: Sha256
    recipe: Sha256
    seed: int
    threads: int
    examples: int
    tokens: int
    steps: int
    loss: tuple[float, ...]
    """Mean training loss per logging interval."""
    adapter: Sha256
    setting: Sha256 | None = None
    """Digest of what else the adapter depends on: the instruction, and the versions of the model libraries."""


class SeedRun(Record):
    """An arm made again with another seed, which draws other rows and other weights."""

    seed: int
    dev: SetScore
    training: TrainingRecord


class Gain(Record):
    """An arm's mean dev composite less that of another arm."""

    over: Slug
    difference: float
    interval: Interval
    """Simultaneous over the arms that are compared: its level is that of one of them (Bonferroni)."""


class Arm(Record):
    """One point of the sweep: `control`, or a share of synthetic rows among the new ones."""

    name: Slug
    synthetic_wanted: Share
    synthetic_share: Share
    """What was to be had; less than wanted where too few candidates passed."""
    human_rows: int
    synthetic_rows: int
    replay_rows: int
    dev: SetScore
    """Of the first seed, as is `training`: the run that phase 11 takes over."""
    training: TrainingRecord
    corrected_rows: int = 0
    """Of `human_rows` or `synthetic_rows`, as the cluster counts them: synthetic rows mended by a person."""
    more_seeds: tuple[SeedRun, ...] = ()
    mean: Share | None = None
    """Dev composite, mean over the seeds."""
    interval: Interval | None = None
    """Of `mean`, over seeds and dev scenarios."""
    gain: Gain | None = None
    """Over the arm with the least synthetic data."""
    tails: TailCoverage | None = None
    barred: tuple[Reason, ...] = ()
    """Why it may not be chosen: the human floor, a cap, or lost tails."""


class CurveShape(StrEnum):
    """What the intervals of the gains say."""

    PEAK = "peak"
    PLATEAU = "plateau"
    SYNTHETIC_DOES_NOT_HELP = "synthetic-does-not-help"
    INCONCLUSIVE = "inconclusive"


class Fragility(Record):
    """Whether another seed or another draw of dev would have chosen another arm."""

    choices: dict[Slug, Share]
    """Arm to the share of resamples in which the rule chooses it."""
    by_seed: dict[str, Slug]
    """What each seed alone would have chosen among the arms that it was run for."""
    words: Text


class Sweep(Record):
    """The ratio curve on dev, what it looks like, and the mixture chosen."""

    arms: tuple[Arm, ...]
    shape: CurveShape
    chosen: Slug
    human_share: Share
    explanation: Text
    verdict: Verdict
    """Refuses where rows were lost from the pool, and where no arm holds the floor, the caps and the tails."""
    fragility: Fragility | None = None
    pool: PoolRecord | None = None


class CurvePoint(Record):
    """One arm as a point to plot: dev composite, and the mean dev score of the targeted capabilities and the rest."""

    arm: Slug
    synthetic_share: Share
    composite: Share
    targeted: Share
    others: Share
    low: Share | None = None
    """The interval of `composite`, which is the mean over the seeds."""
    high: Share | None = None
    seeds: int = 1


class Curve(Record):
    """The sweep as `dvc plots` reads it."""

    points: tuple[CurvePoint, ...]


class StrengthPoint(Record):
    """The candidate on dev with its adapter scaled by `strength`."""

    strength: PositiveAmount
    dev: SetScore
    lost: int
    """Dev scenarios that the incumbent passed and this one fails."""


class Training(Record):
    """What phase 11 made: the run, and the strength chosen on dev."""

    record: TrainingRecord
    arm: Slug
    from_sweep: bool = False
    """The bytes are those of the sweep's arm: same mixture, base, recipe, seed and threads."""
    strengths: tuple[StrengthPoint, ...]
    strength: float
    adapter: Sha256
    """Digest of the adapter as chosen, after scaling."""


class BaseTraining(Record):
    """How the tiny base was made; its steps were chosen on dev."""

    weights: Sha256
    leaked: int = 0
    """Base rows that stand in a frozen set and were left out."""
    parameters: int
    steps: int
    dev_by_steps: dict[str, Share]
    loss: tuple[float, ...]
