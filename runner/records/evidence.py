"""The evidence bundle: the small files an approver reads and a verifier recomputes."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.records.base import Amount, Count, Record, Sha256, Share, Text


class EvidenceFile(StrEnum):
    """The files under `promotions/<seq>/evidence/`."""

    SCORECARD = "scorecard.json"
    GRADES = "grades.jsonl"
    LINEAGE = "lineage.json"
    SWEEP = "sweep.json"
    SWEEP_PLOT = "sweep.svg"
    VALIDATION = "validation.json"
    DIAGNOSIS = "diagnosis.json"
    PROVENANCE = "provenance.json"
    FUNNEL = "funnel.json"
    FIELDS = "fields.json"
    JUDGES = "judges.json"
    RISKS = "risks.json"
    ROLLBACK = "rollback.json"
    TRAINING = "training.json"
    OPERATIONS = "operations.json"
    RUNS = "runs.json"
    REPORT = "report.html"
    ATTESTATION = "attestation.dsse.json"
    DRILL = "drill.json"
    TRAFFIC = "traffic.json"
    TRAFFIC_GRADES = "traffic-grades.jsonl"
    DEPRECATION = "deprecation.json"
    TRIGGER = "trigger.json"
    TRIAGE = "triage.json"
    STAGES = "stages.json"
    HANDOFF = "handoff.md"
    MODEL_CARD = "model-card.md"
    DATASET_CARD = "dataset-card.md"
    CROISSANT = "croissant.json"
    BOM = "bom.cdx.json"


GENERATED = (
    EvidenceFile.HANDOFF,
    EvidenceFile.MODEL_CARD,
    EvidenceFile.DATASET_CARD,
    EvidenceFile.CROISSANT,
    EvidenceFile.BOM,
)
"""What is made of the other evidence, and comes together or not at all: rules/handoff/, rules/cards/."""


class Operations(Record):
    """Operational figures of the candidate, measured where it was assessed. No digest of a phase covers them."""

    machine: str
    latency_p50_ms: Amount
    latency_p95_ms: Amount
    """One request at a time."""
    tokens_per_second: Amount
    """Batched."""
    peak_memory_mib: Amount
    seconds_per_decision: Amount
    cost_per_decision: Amount
    currency: str
    training_seconds: Amount


class RollbackContract(Record):
    """What happens when this adapter must go: to which sequence, with which bytes, on whose word."""

    to_sequence: Annotated[int, Field(ge=0)]
    to_adapter: Sha256 | None
    when: Text
    who: Text


class DrillSeconds(Record):
    """What each part of a rollback drill took. Measured, so nothing but the limit judges it."""

    propose: Amount
    approve: Amount
    merge: Amount
    """The gate's judgement among it."""
    total: Amount


class RollbackDrill(Record):
    """The evidence's `drill.json`: a rollback of this very promotion, rehearsed in a scratch repository."""

    from_adapter: Sha256
    to_sequence: Annotated[int, Field(ge=0)]
    to_adapter: Sha256 | None
    files: Count
    """How many files of the earlier adapter were fetched and hashed; none of the bare base."""
    bytes: Count
    signed_by: Annotated[int, Field(ge=1)]
    """How many people the policy asks for, each played by a scratch key."""
    problems: tuple[Text, ...] = ()
    """Why the scratch gate refused it; empty where the rollback went through."""
    measured: DrillSeconds


class Deprecation(Record):
    """The evidence's `deprecation.json`: why an adapter may not serve again."""

    reason: Text


class RollbackTrigger(Record):
    """A rollback's `trigger.json`: the evaluation under which the serving adapter fell. CI proposed on its word."""

    adapter: Sha256
    file: Text
    """The name of the results file."""
    sha256: Sha256
    below: tuple[Text, ...] = Field(min_length=1)


class CandidateSummary(Record):
    """The status block's figures, before and after."""

    composite_before: Share
    composite_after: Share
    composite_threshold: Share
    heldout_before: Share
    heldout_after: Share
    heldout_threshold: Share
    regressions: int
    regressions_of: int
    p_value: Share
