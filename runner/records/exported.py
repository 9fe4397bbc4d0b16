"""What may leave a boundary: files made anew of a promotion's evidence, field by field, with no room for words.

Every field is a number, a digest, a time, a word of a closed list, or the id of the cluster or (where declared) of
a capability. So nothing that people or models wrote has a place here, whatever the evidence holds.
"""

from typing import Annotated, Literal

from pydantic import Field

from runner.records.base import Amount, Count, Currency, Record, Sha256, Share, Slug
from runner.records.evidence import CandidateSummary, EvidenceFile
from runner.records.fleet import Export
from runner.records.funnel import FunnelStep
from runner.records.policy import Timestamp
from runner.records.promotion import PromotionKind, Sequence, ServingStage
from runner.records.significance import Detectable, Detection, Interval, Tally, Tier
from runner.records.terms import OutcomeType, Perturbation, SetName

ModelName = Literal["base", "incumbent", "control", "candidate"]
Oid = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class ExportedPromotion(Record):
    """`promotion.json`: which signed promotion it is, and the digests of all that it was made of."""

    version: Literal[1] = 1
    cluster: Slug
    sequence: Sequence
    kind: PromotionKind
    stage: ServingStage
    exports: tuple[Export, ...]
    """What main declared that may leave."""
    record: Sha256
    """Of `record.yaml`, which names and binds the evidence."""
    adapter: Sha256 | None
    base: Sha256
    benchmark: Sha256
    benchmark_version: Count
    commit: Oid
    """The step of main that promoted it."""
    verified_at: Timestamp
    """When the gate gave its receipt."""
    approvals: Count
    """How many people signed. Who, the clone inside says."""
    evidence: dict[EvidenceFile, Sha256]
    """The originals, by name."""
    others: tuple[Sha256, ...] = ()
    """Originals of other names, by digest alone."""


class ExportedOperations(Record):
    """Operational figures, without the machine."""

    latency_p50_ms: Amount
    latency_p95_ms: Amount
    tokens_per_second: Amount
    peak_memory_mib: Amount
    seconds_per_decision: Amount
    cost_per_decision: Amount
    currency: Currency
    training_seconds: Amount


class ExportedSummary(Record):
    """`summary.json`."""

    version: Literal[1] = 1
    cluster: Slug
    sequence: Sequence
    figures: CandidateSummary
    sets: dict[SetName, Count]
    """How many scenarios the candidate was asked."""
    human_share: Share
    rows: dict[FunnelStep, Count]
    """Of synthetic data, how many came through each step."""
    risks: Count
    """How many remaining risks people signed for."""
    rollback_to: Count | None
    operations: ExportedOperations | None


class ExportedSet(Record):
    """One model on one set. Capabilities have numbers where their ids may not leave."""

    scenarios: Count
    passed: Count
    composite: Share
    interval: Interval | None
    pass_interval: Interval | None
    capabilities: dict[Slug, Share]
    capability_intervals: dict[Slug, Interval]
    outcomes: dict[OutcomeType, Tally]
    detection: Detection | None


class ExportedModel(Record):
    adapter: Sha256 | None
    sets: dict[SetName, ExportedSet]
    robustness: dict[Perturbation, Share]


class ExportedComparison(Record):
    """The candidate against another, paired."""

    scenarios: Count
    gained: Count
    lost: Count
    difference: float
    interval: Interval
    p_value: Share
    tier: Tier | None
    detectable: Detectable | None


class ExportedRegressions(Record):
    count: Count
    of: Count
    flipping: Count
    interval: Interval | None


class ExportedScorecard(Record):
    """`scorecard.json`."""

    version: Literal[1] = 1
    cluster: Slug
    sequence: Sequence
    benchmark_version: Count
    models: dict[ModelName, ExportedModel]
    comparisons: dict[ModelName, ExportedComparison]
    """On held-out."""
    capabilities: dict[Slug, ExportedComparison]
    """Candidate against incumbent, on core, held-out and representative together."""
    worse_capabilities: tuple[Slug, ...]
    perturbed: dict[Perturbation, ExportedComparison]
    regressions: ExportedRegressions
