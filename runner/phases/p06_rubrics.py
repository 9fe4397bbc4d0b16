"""Phase 6, rubrics: drafts for failures that no approved rubric covers, for people to merge.

Merging them moves main and so starts the next iteration; this one goes on with the targets that are covered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.ports import Output, Ports
from runner.records.base import Record
from runner.records.failure import Diagnosis, FailureCluster, RubricDrafts
from runner.records.graders import Exact
from runner.records.rubric import Criterion, Rubric, RubricStatus
from runner.records.scenario import Origin, OutcomeType, Scenario, SetName
from runner.records.trace import UniqueSignal
from runner.records.verdict import Reason, Verdict
from runner.rules.evaluation.grading import common_normalisation
from runner.rules.loop.diagnosis import answerbook
from runner.rules.naming import slug
from runner.workspace import Inputs

SCENARIOS = 5
"""Scenarios proposed for a failure cluster at most, the most frequent signals first."""


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `drafts`: path to YAML text, empty where everything is covered. The verdict names what was left out."""
    diagnosis = inputs.artifacts.record("diagnosis", Diagnosis)
    signals = {one.signal.id: one for one in inputs.artifacts.rows("unique", UniqueSignal)}
    uncovered = [one for one in diagnosis.failures if one.id in diagnosis.uncovered]
    files: dict[str, str] = {}
    for failure in uncovered:
        for path, record in _drafts(inputs, failure, signals).items():
            files[path] = ports.dump_yaml(record.model_dump(mode="json", exclude_defaults=True)).decode()
    reasons = tuple(
        Reason(step="coverage", problem=f"{one.id} is left out: {one.pattern}", hint="merge its rubric, once approved")
        for one in uncovered
    )
    drafts = RubricDrafts(covers=tuple(one.id for one in uncovered), files=dict(sorted(files.items())))
    return Output({"drafts": drafts}, Verdict(reasons=reasons), {"compute_s": 0.0})


def _drafts(inputs: Inputs, failure: FailureCluster, signals: Mapping[str, UniqueSignal]) -> dict[str, Record]:
    """The rubric, unless one of that name is there already as a draft, and scenarios from what people answered."""
    space = inputs.workspace
    name = slug(f"{space.cluster.id}-{failure.capability}")
    found: dict[str, Record] = {}
    if name not in space.rubrics:
        found[f"rubrics/{name}.yaml"] = Rubric(
            id=name,
            title=f"{failure.capability.replace('-', ' ')}: the right answer",
            status=RubricStatus.DRAFT,
            capabilities=(failure.capability,),
            normalisation=common_normalisation(space.scenarios[SetName.CORE], space.rubrics),
            criteria=(Criterion(id="answer", description="the answer is the reference", grader=Exact(kind="exact")),),
        )
    ranked = sorted((signals[one] for one in failure.signals), key=lambda one: (-one.count, one.signal.id))
    answered = [one for one in ranked if one.signal.trace.feedback.correct_answer][:SCENARIOS]
    for one in answered:
        scenario = _scenario(inputs, failure, one, rubric=name)
        found[f"scenarios/{space.cluster.id}/core/{scenario.id}.yaml"] = scenario
    return found


def _scenario(inputs: Inputs, failure: FailureCluster, one: UniqueSignal, *, rubric: str) -> Scenario:
    book = answerbook(inputs.workspace.cluster, inputs.workspace.scenarios[SetName.CORE], inputs.workspace.rubrics)
    trace = one.signal.trace
    reference = book.canonical(trace.feedback.correct_answer)
    fails: Sequence[str] = (f"the answer is {trace.response.strip()}",) if trace.response.strip() else ("no answer",)
    return Scenario(
        id=f"{failure.capability[:40].strip('-')}-{one.signal.fingerprint[:8]}",
        capability=failure.capability,
        outcome_type=OutcomeType.TP,
        lens=failure.lenses[0] if failure.lenses else "production",
        severity=failure.severity,
        origin=Origin.HUMAN,
        objective=f"A production message that was answered wrongly, seen {one.count} times.",
        input=trace.input,
        reference=reference,
        rubric=rubric,
        pass_criteria=(f"the answer is {reference}",),
        fail_criteria=tuple(fails),
    )
