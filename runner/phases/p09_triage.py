"""Phase 9, triage: people accept, reject or edit each candidate, or the cluster's policy lets all pass."""

from __future__ import annotations

from collections.abc import Sequence

from runner.ports import Output, Ports
from runner.records.dataset import Candidate
from runner.records.intake import Intake
from runner.records.triage import Choice, TriageFile, TriageResult
from runner.records.verdict import Outcome, Verdict
from runner.rules.decisions import decided, inconsistencies, unanswered
from runner.workspace import Inputs

POLICY = "cluster.yaml asks for no people at triage (`triage.required: none`)"


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `triage` and `accepted`; nothing while it waits. Refuses a file that is not about these candidates."""
    valid = inputs.artifacts.rows("valid", Candidate)
    space = inputs.workspace
    if space.cluster.triage.required == "none":
        result = TriageResult(reviewer="", accepted=len(valid), edited=0, rejected=0)
        verdict = Verdict(by_policy=POLICY)
        return Output({"triage": result, "accepted": valid}, verdict, {"compute_s": 0.0})
    intake = inputs.artifacts.record("intake", Intake)
    file = space.triage.get(intake.iteration)
    path = f"clusters/{space.cluster.id}/triage/{intake.iteration}.yaml"
    waiting = unanswered(valid, file, path=path)
    if valid and (file is None or waiting):
        return Output({}, Verdict(outcome=Outcome.WAIT, reasons=waiting), {"compute_s": 0.0})
    if file is None:
        return _result((), TriageFile(cluster=space.cluster.id, iteration=intake.iteration, decisions=()))
    wrong = inconsistencies(valid, file, cluster=space.cluster.id, iteration=intake.iteration)
    if wrong:
        nothing = TriageResult(reviewer=file.reviewer, accepted=0, edited=0, rejected=0)
        refused = Verdict(outcome=Outcome.REFUSE, reasons=wrong)
        return Output({"triage": nothing, "accepted": ()}, refused, {"compute_s": 0.0})
    return _result(valid, file)


def _result(valid: Sequence[Candidate], file: TriageFile) -> Output:
    decisions = {decision.candidate: decision for decision in file.decisions}
    accepted = [
        one.model_copy(update={"example": example}) for one in valid if (example := decided(decisions[one.example.id]))
    ]
    counts = [decisions[one.example.id].decision for one in valid]
    result = TriageResult(
        reviewer=file.reviewer,
        accepted=counts.count(Choice.ACCEPT),
        edited=counts.count(Choice.EDIT),
        rejected=counts.count(Choice.REJECT),
    )
    return Output({"triage": result, "accepted": accepted}, measured={"compute_s": 0.0})
