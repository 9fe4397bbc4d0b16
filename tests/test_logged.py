"""An evaluation in memory: what its summary says of judges, and what its log says of perturbed prompts."""

from __future__ import annotations

from runner.edges.simulated import MemoryArtifacts
from runner.edges.simulated_judges import SimulatedJudges
from runner.edges.simulated_models import base_files
from runner.phases.logged import evaluated
from runner.ports import Model, Tree
from runner.records.evaluation import EvaluatedModel, ModelKind, StageName
from runner.rules.evaluation.evaluation_view import block
from runner.rules.evaluation.evaluations import WITHHELD
from runner.workspace import Inputs
from tests.test_judges_phases import asked, judged, no_money

BASE = Model({"kind": "tiny"}, Tree(base_files({"refund": [("refund money", 1.0)], "login": [("password", 1.0)]})))


def test_a_judge_s_figures_stand_in_the_summary_and_no_word_of_held_out_in_the_log() -> None:
    space, _ = judged()
    logged = evaluated(
        Inputs(space, MemoryArtifacts({})),
        asked(SimulatedJudges(no_money)),
        model=BASE,
        who=EvaluatedModel(kind=ModelKind.BASE, name="base"),
        stages=[StageName.CORE, StageName.HELDOUT, StageName.ROBUSTNESS],
        measured={},
    )
    (judge,) = logged.run.judges
    assert judge.judge == "tone"
    assert {str(use.set) for use in judge.uses} == {"core", "heldout"}
    assert sum(use.verdicts for use in judge.uses) == len(logged.samples) == logged.run.counts.asked
    said = dict(block(logged.run, space.cluster.gate.thresholds))
    assert said["judge tone"] == "0.0% of its votes turned with the order, kappa with people: queue-calm 1.00"
    heldout = [one for one in logged.samples if one.set == "heldout"]
    assert {one.grade.judged["calm"].explanation for one in heldout} == {WITHHELD}
    assert {one.grade.answer for one in heldout} == {""}
    asked_as = {(one.perturbation, one.grade.scenario): one.input[-1].content for one in logged.samples if one.input}
    turned = [name for kind, name in asked_as if kind == "typos" and asked_as[kind, name] != asked_as["none", name]]
    assert len(turned) > 20, "the log has the prompt as it was asked"
