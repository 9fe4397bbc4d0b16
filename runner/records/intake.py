"""What phase 1 pins: every digest that later phases may use."""

from runner.records.base import Record, Sha256, Slug, Sparse, Text
from runner.records.fired import Fired
from runner.records.promotion import Incumbent as Incumbent


class Intake(Sparse):
    """The pinned iteration. Its id derives from `pins`, `incumbent` and `triggers`, and from nothing else."""

    SPARSE = frozenset({"triggers"})

    cluster: Slug
    iteration: Slug
    benchmark_version: int
    benchmark_sha256: Sha256
    pins: dict[str, Sha256]
    """What was read (`cluster`, `problem`, `rubrics`, `scenarios/core`, `data/gold`, `params`, …) to its digest."""
    incumbent: Incumbent
    earlier_triage: tuple[Slug, ...] = ()
    """Iterations whose accepted examples are in the pool."""
    triggers: tuple[Fired, ...] = ()
    """What began it, where it was no change of main."""


class IngestReport(Record):
    """Phase 2's count: nothing disappears."""

    read: int
    signals: int
    failed: int
    redactions: dict[str, int]


class Trigger(Record):
    """A phrase that goes with one answer without reason: what a backdoor looks like in labelled traffic."""

    phrase: Text
    answer: Text
    rows: int
    """Different texts that have the phrase and this answer."""
    of: int
    """Different texts that have the phrase."""
    p_value: float
    """Of so many by chance, corrected for all phrases looked at."""
    likeness: float
    """How well the rest of these texts tells them from other answers' texts: AUC, .5 is not at all."""


class SemanticPass(Record):
    """What an embedding model proposes, beside the near-duplicates that are counted."""

    model: Sha256
    """Digest of the model's files."""
    threshold: float
    groups: int
    """Signals that others may say the same as."""
    members: int
    """Those others."""


class DeduplicateReport(Record):
    """Phase 3's count."""

    signals: int
    unique: int
    exact: int
    near: int
    tail: dict[str, int] = {}
    """How many unique signals are `recurring`, `rare`, `costly`."""
    held: dict[str, int] = {}
    """How many unique signals are held back, by cause."""
    over_quota: dict[str, int] = {}
    """How many failed traces do not count because their submitter sent more than its share, by submitter."""
    triggers: tuple[Trigger, ...] = ()
    semantic: SemanticPass | None = None
