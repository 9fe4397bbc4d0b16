"""Phase 13, bundle: the evidence an approver reads and a verifier recomputes, as files.

Deterministic: canonical JSON, nothing measured, no prompt and no answer. The plot, the report, the rollback contract,
`operations.json` and `runs.json` are made when the promotion is staged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.ports import Output, Ports, Tree
from runner.records.base import Record
from runner.records.dataset import Batch, Candidate
from runner.records.evaluation import CandidateStages
from runner.records.evidence import EvidenceFile
from runner.records.failure import Diagnosis
from runner.records.fields import FieldReport
from runner.records.intake import Intake
from runner.records.judging import JudgesReport
from runner.records.risks import Risks
from runner.records.score import GradedAnswer, Scorecard
from runner.records.trace import UniqueSignal
from runner.records.training import Sweep, Training, TrainingRow
from runner.records.triage import TriageResult
from runner.records.validation import ValidationReport
from runner.rules.canonical import canonical
from runner.rules.evaluation.assessment import ASSESSED, JUDGED
from runner.rules.judges.report import judge_risks, judges_report
from runner.rules.loop.bundle import field_scores, lineage, risks, scored_scenarios
from runner.rules.triage.settlement import spoken
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `bundle`: a file for each member of `EvidenceFile` that is neither measured, drawn nor signed."""
    artifacts, cluster = inputs.artifacts, inputs.workspace.cluster
    scorecard = artifacts.record("scorecard", Scorecard)
    diagnosis = artifacts.record("diagnosis", Diagnosis)
    validation = artifacts.record("validation", ValidationReport)
    sweep, training = artifacts.record("sweep", Sweep), artifacts.record("training", Training)
    batches, mixture = artifacts.rows("batches", Batch), artifacts.rows("mixture", TrainingRow)
    answered = [
        row for name in ("core-answers", "baseline-answers", "answers") for row in artifacts.rows(name, GradedAnswer)
    ]
    grades = scored_scenarios(answered, sets=JUDGED)
    triage = artifacts.record("triage", TriageResult)
    judges = _judges(inputs, answered)
    known = risks(
        scorecard,
        cluster,
        sweep=sweep,
        validation=validation,
        diagnosis=diagnosis,
        grades=grades,
        mixture=mixture,
    )
    files: dict[EvidenceFile, Record | Sequence[Record]] = {
        EvidenceFile.SCORECARD: scorecard,
        EvidenceFile.LINEAGE: lineage(
            diagnosis,
            signals=artifacts.rows("unique", UniqueSignal),
            batches=batches,
            accepted=artifacts.rows("accepted", Candidate),
            mixture=mixture,
            training=training,
            checked=_checked(inputs, triage),
            begun=artifacts.record("intake", Intake).triggers,
        ),
        EvidenceFile.SWEEP: sweep,
        EvidenceFile.VALIDATION: validation,
        EvidenceFile.DIAGNOSIS: diagnosis,
        EvidenceFile.PROVENANCE: batches,
        EvidenceFile.RISKS: Risks(risks=(*known.risks, *judge_risks(judges))),
        EvidenceFile.TRAINING: training,
        EvidenceFile.STAGES: artifacts.record("stages", CandidateStages),
        EvidenceFile.TRIAGE: triage.model_copy(update={"funnel": None}),
    }
    if triage.funnel is not None:
        files[EvidenceFile.FUNNEL] = triage.funnel
    fields = field_scores(row for row in answered if row.set in ASSESSED)
    if fields:
        files[EvidenceFile.FIELDS] = FieldReport(scores=fields)
    if judges is not None:
        files[EvidenceFile.JUDGES] = judges
    tree = {str(name): canonical(_plain(value)) + b"\n" for name, value in files.items()}
    tree[str(EvidenceFile.GRADES)] = b"".join(canonical(row) + b"\n" for row in grades)
    return Output({"bundle": Tree(dict(sorted(tree.items())))}, measured={"compute_s": 0.0})


def _judges(inputs: Inputs, answered: Sequence[GradedAnswer]) -> JudgesReport | None:
    """Who judged the sets that the candidate is assessed on; none where no model did."""
    space = inputs.workspace
    return judges_report(
        (row for row in answered if row.set in ASSESSED), space.rubrics, space.judges, space.calibrations
    )


def _checked(inputs: Inputs, triage: TriageResult) -> dict[str, tuple[str, ...]]:
    """Who decided each example at triage: of this iteration, and of those before it that are in the pool."""
    space = inputs.workspace
    earlier = inputs.artifacts.record("intake", Intake).earlier_triage
    files = [(space.triage[name], space.reviews.get(name, ())) for name in earlier if name in space.triage]
    before = {name: tuple(words) for file, reviews in files for name, words in spoken(file, reviews).items() if words}
    return {**before, **triage.checked}


def _plain(value: Record | Sequence[Record]) -> Any:
    """A record or a list of them as JSON values."""
    if isinstance(value, Record):
        return value.model_dump(mode="json")
    return [one.model_dump(mode="json") for one in value]
