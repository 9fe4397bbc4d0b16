"""What the hand-off and the cards of a promotion are made from: its evidence, its record, and what people have written.

Everything here is signed, or stands at the commit that the promotion is proposed on. So the gate makes the same files
again and holds the evidence's against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runner.errors import RecordError
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.dataset import Batch
from runner.records.evidence import EvidenceFile, Operations, RollbackContract
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.funnel import FunnelReport
from runner.records.handoff import Handoff
from runner.records.lineage import Lineage
from runner.records.promotion import PromotionRecord
from runner.records.risks import Risks
from runner.records.scorecard import Scorecard
from runner.records.training import Sweep, Training
from runner.records.validation import ValidationReport
from runner.rules.canonical import sha256
from runner.rules.loop.lineage import kinds
from runner.rules.repository.evidence_files import batches, parsed, record

LATER = frozenset(
    {
        EvidenceFile.HANDOFF,
        EvidenceFile.MODEL_CARD,
        EvidenceFile.DATASET_CARD,
        EvidenceFile.CROISSANT,
        EvidenceFile.BOM,
        EvidenceFile.REPORT,
        EvidenceFile.DRILL,
        EvidenceFile.RUNS,
        EvidenceFile.ATTESTATION,
    }
)
"""Evidence that these files do not speak of: themselves, and what is made after them."""


class Background(NamedTuple):
    """What stands at the commit that the promotion is proposed on, and what the ledger says of its iteration."""

    cluster: Cluster
    problem: Problem
    stated: Handoff
    """People's; empty where there is no handoff.md."""
    lock: BenchmarkLock | None
    records: Mapping[int, PromotionRecord]
    """The promotions before this one, by sequence."""
    artifacts: Mapping[str, str]
    """What the iteration read and wrote, by name: the sha256 that the ledger has of it."""


class Made(NamedTuple):
    """One promotion: its record, its evidence as records (None where there is no such file), and the background."""

    record: PromotionRecord
    """Its own evidence left out: it would name the files that are made of it."""
    background: Background
    scorecard: Scorecard
    sweep: Sweep | None
    training: Training | None
    diagnosis: Diagnosis | None
    validation: ValidationReport | None
    batches: tuple[Batch, ...]
    funnel: FunnelReport | None
    lineage: Mapping[str, int]
    """How many nodes of each kind."""
    risks: Risks | None
    rollback: RollbackContract | None
    operations: Operations | None
    digests: Mapping[str, str]
    """sha256 of the evidence files that the others are made from, by name."""

    @property
    def target(self) -> str:
        return f"{self.record.cluster}/{self.record.sequence}"

    @property
    def failures(self) -> Mapping[str, FailureCluster]:
        return {one.id: one for one in self.diagnosis.failures} if self.diagnosis else {}


def made(promotion: PromotionRecord, evidence: Mapping[str, bytes], background: Background) -> Made:
    """Raises `RecordError` that names the evidence file which is missing or cannot be read."""
    files = {name: data for name, data in evidence.items() if name not in LATER}
    lineage = record(files, EvidenceFile.LINEAGE, Lineage)
    card = parsed(files.get(EvidenceFile.SCORECARD, b""), EvidenceFile.SCORECARD, Scorecard)
    if "candidate" not in card.models:
        raise RecordError("it has no figures of the candidate", path=EvidenceFile.SCORECARD)
    return Made(
        record=promotion.model_copy(update={"evidence": {}}),
        background=background,
        scorecard=card,
        sweep=record(files, EvidenceFile.SWEEP, Sweep),
        training=record(files, EvidenceFile.TRAINING, Training),
        diagnosis=record(files, EvidenceFile.DIAGNOSIS, Diagnosis),
        validation=record(files, EvidenceFile.VALIDATION, ValidationReport),
        batches=batches(files),
        funnel=record(files, EvidenceFile.FUNNEL, FunnelReport),
        lineage=kinds(lineage) if lineage else {},
        risks=record(files, EvidenceFile.RISKS, Risks),
        rollback=record(files, EvidenceFile.ROLLBACK, RollbackContract),
        operations=record(files, EvidenceFile.OPERATIONS, Operations),
        digests={name: sha256(data) for name, data in sorted(files.items())},
    )
