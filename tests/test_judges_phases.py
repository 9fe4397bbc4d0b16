"""Judges in all thirteen phases, in memory: what they decide, what is kept of it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runner.edges.report import render
from runner.edges.simulated import MemoryArtifacts, Value, simulated_ports
from runner.edges.simulated_judges import SimulatedJudges
from runner.errors import ModelError, RecordErrors
from runner.phases import p01_intake
from runner.phases.calibration import calibrate
from runner.pipeline import perform, stage
from runner.ports import Output, Ports
from runner.records.evidence import EvidenceFile
from runner.records.judging import JudgeFile, JudgeLabels, JudgesReport
from runner.records.risks import Risks
from runner.records.rubric import Rubric
from runner.records.scenario import SetName
from runner.records.verdict import Outcome
from runner.rules.canonical import digest
from runner.rules.judges.identity import judge_digest, judges_digest
from runner.rules.judges.report import judge_risks, judges_report
from runner.rules.repository.benchmark import locked
from runner.workspace import Inputs, Workspace
from tests.flywheel_fixture import RUBRIC, cluster, fixture
from tests.judged_fixture import judge
from tests.test_phases import run_all

SLUG = "queue-calm"
CALM = {
    "id": "calm",
    "description": "it promises no money",
    "grader": {"kind": "judge", "judge": "tone", "question": "Does it promise no money?"},
}


def no_money(question: str, answer: str) -> bool:
    return "refund" not in answer


def people() -> JudgeLabels:
    """What ash says of forty answers: those that name the refund promise money."""
    found = [
        {
            "scenario": "core-login-00",
            "criterion": "calm",
            "answer": f"{'refund' if n % 2 else 'login'} {n}",
            "met": not n % 2,
            "by": "ash",
        }
        for n in range(40)
    ]
    return JudgeLabels.model_validate({"judge": "tone", "cluster": "desk", "labels": found})


def asked(judges: SimulatedJudges) -> Ports:
    return replace(simulated_ports(), judges=judges)


def judged(
    *,
    required: bool = False,
    judges: SimulatedJudges | None = None,
    labelled: bool = True,
    by: JudgeFile | None = None,
    **changes: Any,
) -> tuple[Workspace, dict[str, Value]]:
    """The small cluster with one more criterion, its judge, and the calibration of it that `judges` give."""
    space, values = fixture(**changes)
    criteria = [*RUBRIC.model_dump(mode="json")["criteria"], {**CALM, "required": required}]
    rubric = Rubric.model_validate({**RUBRIC.model_dump(mode="json"), "criteria": criteria})
    tone = by or judge()
    lock = locked(space.scenarios, version=1, sets=tuple(space.lock.sets), judges={"tone": judge_digest(tone)})
    space = replace(space, rubrics={"queue": rubric}, judges={"tone": tone}, lock=lock)
    if labelled:
        found = calibrate(space, tone, people(), asked(judges or SimulatedJudges(no_money)))
        space = replace(space, calibrations={"tone": found})
    pins = {"rubrics": digest([["queue", digest(rubric)]]), "judges": judges_digest(space.judges, space.calibrations)}
    return replace(space, digests={**space.digests, **pins}), values


Run = tuple[Workspace, dict[str, Any], dict[str, Output]]


@pytest.fixture(scope="module")
def done() -> Run:
    space, values = judged()
    return space, values, run_all(space, values, asked(SimulatedJudges(no_money)))


def test_a_calibrated_judge_grades_in_every_phase_and_the_evidence_says_how(done: Run) -> None:
    space, values, outputs = done
    assert {name: out.verdict.outcome for name, out in outputs.items()} == dict.fromkeys(outputs, Outcome.PASS)
    row = next(one for one in values["baseline-answers"] if one.grade.answer == "refund" and not one.grade.passed)
    verdict = row.grade.judged["calm"]
    assert (verdict.credit, verdict.votes, verdict.shown, row.grade.score) == (0.0, ("unmet", "unmet"), False, 0.0)
    assert "queue-calm" in row.grade.missed
    report = JudgesReport.model_validate_json(values["bundle"].files[EvidenceFile.JUDGES])
    (found,) = report.judges
    assert (found.judge, found.sha256, found.shown) == ("tone", judge_digest(space.judges["tone"]), {})
    assert (found.agreement, found.flip_rate, found.abstentions) == (1.0, 0.0, 0.0)
    assert {(use.set, use.model) for use in found.uses} >= {
        (SetName.HELDOUT, model) for model in ("base", "incumbent", "control", "candidate")
    }
    assert all(use.verdicts == use.unanimous == use.swaps for use in found.uses)
    risks = Risks.model_validate_json(values["bundle"].files[EvidenceFile.RISKS]).risks
    assert ["decides queue-calm; kappa with people: queue-calm 1.00" in one.detail for one in risks].count(True) == 1
    page = render(values["bundle"].files, cluster=space.cluster).decode()
    assert "<h3>Judges</h3>" in page
    assert "1.000 (1.000 to 1.000)" in page
    assert values["intake"].pins["judges"] == space.digests["judges"]


def again(
    done: Run, space: Workspace, judges: SimulatedJudges, *stages: str
) -> tuple[dict[str, Any], dict[str, Output]]:
    """Those stages once more, on what the run before them made: with other judges, or another calibration."""
    values, outputs = dict(done[1]), {}
    for name in stages:
        outputs[name] = perform(stage(name), space, MemoryArtifacts(values), asked(judges))
        values.update(outputs[name].artifacts)
    return values, outputs


def test_the_same_again_gives_the_same(done: Run) -> None:
    values, outputs = again(done, done[0], SimulatedJudges(no_money), "baseline", "assess", "bundle")
    left, right = MemoryArtifacts(done[1]), MemoryArtifacts(values)
    made = [name for output in outputs.values() for name in output.artifacts]
    assert {name: left.digest(name) for name in made} == {name: right.digest(name) for name in made}


def test_a_cluster_without_judges_has_no_word_of_them() -> None:
    space, _ = fixture()
    assert judges_report((), space.rubrics, {}, {}) is None
    assert list(judge_risks(None)) == []
    assert "judges" not in space.lock.model_dump()


def test_a_judge_that_was_never_calibrated_is_for_show(done: Run) -> None:
    space = replace(done[0], calibrations={})
    values, outputs = again(
        done, space, SimulatedJudges(lambda question, answer: False), "baseline", "assess", "bundle"
    )
    assert outputs["assess"].verdict.passed
    for row in (*values["baseline-answers"], *values["answers"]):
        assert (row.grade.judged["calm"].credit, row.grade.judged["calm"].shown) == (0.0, True)
        assert row.grade.score == row.grade.passed == (row.grade.answer == row.grade.capability), (
            "it counts for nothing"
        )
    report = JudgesReport.model_validate_json(values["bundle"].files[EvidenceFile.JUDGES])
    assert report.judges[0].shown == {SLUG: "it was never calibrated on people's labels"}
    titles = [one.title for one in Risks.model_validate_json(values["bundle"].files[EvidenceFile.RISKS]).risks]
    assert "A judge that counts for nothing" in titles
    page = render(values["bundle"].files, cluster=space.cluster).decode()
    assert "no: it was never calibrated on people&#39;s labels" in page


def often(share: int) -> Callable[[str], bool]:
    """True for one answer in `share`, the same ones each time."""
    return lambda answer: int(digest(answer)[:8], 16) % share == 0


def test_a_judge_that_was_flaky_on_labels_is_for_show_and_its_flips_are_kept(done: Run) -> None:
    flaky = SimulatedJudges(no_money, takes_first=often(3))
    space, _ = judged(judges=flaky)
    agreement = space.calibrations["tone"].criteria[SLUG]
    assert agreement.flip_rate > 0.2
    values, outputs = again(done, space, flaky, "baseline", "assess", "bundle")
    assert outputs["assess"].verdict.passed
    (found,) = JudgesReport.model_validate_json(values["bundle"].files[EvidenceFile.JUDGES]).judges
    assert found.shown[SLUG]
    assert found.criteria[SLUG].flip_rate == agreement.flip_rate
    assert found.flip_rate > 0
    assert found.agreement < 1


def test_a_judge_that_turns_flaky_on_the_benchmark_ends_the_assessment_with_reasons(done: Run) -> None:
    unsteady = SimulatedJudges(no_money, takes_first=lambda answer: answer in ("sizing", "late-parcel"))
    _, outputs = again(done, done[0], unsteady, "assess")
    assert outputs["assess"].verdict.outcome is Outcome.REFUSE
    problems = [one.problem for one in outputs["assess"].verdict.reasons if one.step == "judges"]
    assert any("of the votes of tone on the candidate, more than 10.0%" in problem for problem in problems)


def test_a_judge_that_falls_silent_ends_it_too(done: Run) -> None:
    mute = SimulatedJudges(no_money, mute=lambda answer: answer == "login")
    values, outputs = again(done, done[0], mute, "assess")
    row = next(one for one in values["answers"] if one.grade.answer == "login")
    assert row.grade.judged["calm"].votes == ("none", "none")
    assert row.grade.judged["calm"].credit == 0.0
    problems = [one.problem for one in outputs["assess"].verdict.reasons if one.step == "judges"]
    assert any("of the answers of the candidate, more than 5.0%" in problem for problem in problems)


# what is refused


def intake(space: Workspace, values: dict[str, Value]) -> list[str]:
    output = p01_intake.run(Inputs(space, MemoryArtifacts(values)), simulated_ports())
    return [reason.problem for reason in output.verdict.reasons]


def test_intake_refuses_a_requirement_that_may_not_count() -> None:
    assert intake(*judged(required=True)) == []
    (problem,) = intake(*judged(required=True, labelled=False))
    assert problem.startswith("rubrics/queue.yaml: criteria[1].required: requires calm, which may not count")


def test_intake_refuses_a_judge_that_is_not_the_locked_one_or_not_there() -> None:
    space, values = judged()
    other = replace(space, judges={"tone": judge(prompt="Praise every answer.")})
    assert "the judge tone is not the one that was locked" in intake(other, values)
    none = replace(space, judges={})
    assert any("there is no judge tone" in problem for problem in intake(none, values))


def test_intake_refuses_a_judge_that_is_the_base_or_a_generator() -> None:
    space, values = judged()
    hub = {"kind": "hub", "id": "some-org/judge-7b-instruct", "revision": "b" * 40}
    (problem,) = intake(replace(space, cluster=cluster(base=hub)), values)
    assert "its model is the candidate or the candidate's base" in problem
    server = {"id": "writer", "url": "http://127.0.0.1:9/v1", "model": "Judge-7B-Instruct", "sends": ["gold"]}
    (problem,) = intake(replace(space, cluster=cluster(generation={"servers": [server]})), values)
    assert "its model is that of the server writer" in problem


def test_the_pre_trained_base_may_not_judge_itself_under_a_path() -> None:
    space, values = judged()
    run_all(space, values, asked(SimulatedJudges(no_money)), upto="base")
    local = {"kind": "path", "path": "models/another", "sha256": values["base"].digest}
    space, _ = judged(by=judge(model=local))
    assert intake(space, values) == [], "its digest is known only when it has been trained"
    with pytest.raises(RecordErrors, match="its model is the candidate or the candidate's base"):
        run_all(space, values, asked(SimulatedJudges(no_money)), upto="baseline")


def test_where_no_judge_can_be_asked_nothing_is_graded() -> None:
    space, values = judged()
    with pytest.raises(ModelError, match="no judge can be asked here: tone"):
        run_all(space, values, simulated_ports(), upto="baseline")
