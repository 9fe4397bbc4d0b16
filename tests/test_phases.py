"""All thirteen phases in memory, end to end, and what each of them must refuse, wait for or never see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from runner.edges.simulated import MemoryArtifacts, Value, simulated_ports
from runner.errors import DataError, PhaseOrderError
from runner.phases import p01_intake, p05_diagnose, p09_triage, p10_sweep
from runner.pipeline import PHASES, perform, stage
from runner.ports import MachineFacts, Output, Ports, Tree
from runner.records.dataset import Candidate, Channel, Example
from runner.records.intake import Incumbent
from runner.records.rubric import Rubric
from runner.records.scenario import Origin, Scenario, SetName
from runner.records.training import Use
from runner.records.triage import Choice, Decision, TriageFile
from runner.records.verdict import Outcome
from runner.rules.data.mixture import mixture_digest
from runner.workspace import Inputs, Workspace
from tests.flywheel_fixture import CONFUSED, WEAK, Writer, digests, fixture, user


def run_all(
    space: Workspace, values: dict[str, Value], ports: Ports | None = None, *, upto: str = "bundle"
) -> dict[str, Output]:
    """Every stage to `upto`; `values` gains their artifacts."""
    outputs = {}
    for one in (row for phase in PHASES for row in phase.stages):
        outputs[one.name] = perform(one, space, MemoryArtifacts(values), ports or simulated_ports())
        values.update(outputs[one.name].artifacts)
        if one.name == upto:
            break
    return outputs


@pytest.fixture(scope="module")
def done() -> tuple[Workspace, dict[str, Any], dict[str, Output]]:
    space, values = fixture()
    return space, values, run_all(space, values)


def test_all_thirteen_phases_pass_and_the_weak_capabilities_improve(done: Any) -> None:
    _, values, outputs = done
    assert {name: out.verdict.outcome for name, out in outputs.items()} == dict.fromkeys(outputs, Outcome.PASS)
    models = values["scorecard"].models
    before, after = (models[name].sets[SetName.HELDOUT].capabilities for name in ("base", "candidate"))
    for name in WEAK:
        assert before[name] < 0.4, "the base must really fail"
        assert after[name] > 0.7, "the candidate must really improve"
    against = {one.against: one.p_value for one in values["scorecard"].comparisons}
    assert set(against) == {"base", "incumbent", "control"}
    assert max(against.values()) < 0.01


def test_the_same_again_gives_the_same_artifacts() -> None:
    first_space, first = fixture()
    run_all(first_space, first)
    second_space, second = fixture()
    run_all(second_space, second)
    left, right = MemoryArtifacts(first), MemoryArtifacts(second)
    assert {name: left.digest(name) for name in first} == {name: right.digest(name) for name in second}


def test_no_artifact_holds_what_was_measured(done: Any) -> None:
    space, _, outputs = done
    _, values = fixture()
    slow = simulated_ports(facts=MachineFacts(host="another", cpus=64, memory_gib=99.0, gpu=True))
    again = run_all(space, values, slow)
    assert again["assess"].measured["operations"]["machine"] == "another"
    assert again["assess"].artifacts["scorecard"] == outputs["assess"].artifacts["scorecard"]
    assert all("compute_s" in out.measured for out in again.values())
    assert again["sweep"].measured["compute_s"] > 5
    assert set(again["sweep"].measured["training_s"]) == {arm.name for arm in values["sweep"].arms}


def test_the_lineage_says_why_a_failure_is_aimed_at(done: Any) -> None:
    _, values, _ = done
    nodes = json.loads(values["bundle"].files["lineage.json"])["nodes"]
    labels = {node["id"]: node["label"] for node in nodes if node["kind"] == "failure"}
    (first, *_) = values["diagnosis"].targets
    target = next(one for one in values["diagnosis"].failures if one.id == first)
    assert target.priority == max(one.priority for one in values["diagnosis"].failures)
    assert f"priority {target.priority:g} = {target.severity} severity x {target.frequency} failures" in labels[first]


def test_the_iteration_id_follows_from_pins_and_incumbent_alone(done: Any) -> None:
    space, values, _ = done
    intake = values["intake"]
    assert intake.iteration.startswith("desk-")
    assert len(intake.iteration) == len("desk-") + 10
    triage = TriageFile(cluster="desk", iteration="desk-0", reviewer="ada", decisions=())
    later = p01_intake.pin(
        replace(space, triage={"desk-0": triage}, digests={**space.digests, "triage/desk-0": "0" * 64})
    )
    assert (later.iteration, later.earlier_triage) == (intake.iteration, ("desk-0",))
    moved = p01_intake.pin(replace(space, digests={**space.digests, "params": "0" * 64}))
    assert moved.iteration != intake.iteration


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ({"min_cpus": 4}, "CPUs"),
        ({"min_memory_gib": 64}, "GiB"),
        ({"gpu": "required"}, "no GPU"),
        ({"machines": ["elsewhere"]}, "not one of elsewhere"),
    ],
)
def test_intake_refuses_a_machine_outside_the_boundary(hardware: dict[str, Any], said: str) -> None:
    space, values = fixture(hardware=hardware)
    verdict = run_all(space, values, upto="intake")["intake"].verdict
    assert verdict.outcome is Outcome.REFUSE
    assert [reason.step for reason in verdict.reasons] == ["hardware"]
    assert said in verdict.reasons[0].problem


def test_intake_refuses_a_gpu_where_none_may_be() -> None:
    space, values = fixture(hardware={"gpu": "forbidden"})
    ports = simulated_ports(facts=MachineFacts("gpu", 8, 64.0, gpu=True))
    assert run_all(space, values, ports, upto="intake")["intake"].verdict.outcome is Outcome.REFUSE


def test_intake_refuses_an_open_problem_statement() -> None:
    space, values = fixture()
    blank = space.problem.model_copy(update={"gap": "  "})
    low = space.problem.model_copy(update={"threshold": 0.99})
    for problem, said in ((blank, "gap"), (low, "0.99"), (None, "says nothing")):
        changed = replace(space, problem=problem)  # a workspace built without the loader's checks
        verdict = run_all(changed, dict(values), upto="intake")["intake"].verdict
        assert (verdict.outcome, verdict.reasons[0].step) == (Outcome.REFUSE, "problem")
        assert said in verdict.reasons[0].problem


def test_intake_refuses_a_frozen_set_that_is_not_the_locked_one() -> None:
    space, values = fixture()
    fewer = {**space.scenarios, SetName.HELDOUT: space.scenarios[SetName.HELDOUT][1:]}
    verdict = run_all(replace(space, scenarios=fewer), dict(values), upto="intake")["intake"].verdict
    assert verdict.outcome is Outcome.REFUSE
    assert "heldout" in verdict.reasons[0].problem
    unlocked = run_all(replace(space, lock=None), dict(values), upto="intake")["intake"].verdict
    assert "no benchmark.lock" in unlocked.reasons[0].problem


def test_a_promoted_adapter_is_the_incumbent(done: Any) -> None:
    space, values, _ = done
    adapter = values["adapter"]
    now = replace(space, incumbent=Incumbent(sequence=1, adapter=adapter.digest))
    _, fresh = fixture()
    run_all(now, fresh, simulated_ports(promoted={1: adapter}), upto="diagnose")
    assert json.loads(fresh["incumbent"].files["incumbent.json"])["sequence"] == 1
    models: Any = fresh["baseline"].models
    assert models["incumbent"].sets[SetName.HELDOUT].composite > models["base"].sets[SetName.HELDOUT].composite
    with pytest.raises(DataError, match="never promoted"):
        run_all(now, fixture()[1], simulated_ports(), upto="intake")


def test_base_rows_in_a_frozen_set_train_nothing() -> None:
    space, values = fixture()
    stolen = space.scenarios[SetName.HELDOUT][0]
    row = Example(id="base-stolen", capability=stolen.capability, input=stolen.input, answer=stolen.reference)
    values["base-data"] = (*values["base-data"], row)
    outputs = run_all(space, values, upto="validate")
    assert [leak.candidate for leak in values["leaks"]] == ["base-stolen"]
    assert outputs["base"].artifacts["base-training"].leaked == 1
    assert stolen.input[-1].content.encode() not in values["base"].files["model.safetensors"]
    leaks = values["validation"].human_leaks
    assert [(leak.candidate, leak.scenario) for leak in leaks] == [("base-stolen", stolen.id)]
    assert any("train nothing" in reason.problem for reason in outputs["validate"].verdict.reasons)


class Blind(Mapping[SetName, tuple[Scenario, ...]]):
    """Scenario sets of which only some may be looked at."""

    def __init__(self, sets: Mapping[SetName, tuple[Scenario, ...]], allowed: tuple[SetName, ...]) -> None:
        self.sets, self.allowed = sets, allowed

    def __getitem__(self, name: SetName) -> tuple[Scenario, ...]:
        assert name in self.allowed, f"looked at {name}"
        return self.sets[name]

    def __iter__(self) -> Iterator[SetName]:
        raise AssertionError("looked at every set")

    def __len__(self) -> int:
        return len(self.allowed)


@pytest.mark.parametrize(
    ("phase", "allowed"),
    [
        ("ingest", SetName.CORE),
        ("diagnose", SetName.CORE),
        ("rubrics", SetName.CORE),
        ("expand", SetName.CORE),
        ("base", SetName.DEV),
        ("sweep", SetName.DEV),
        ("train", SetName.DEV),
    ],
)
def test_what_aims_and_chooses_sees_one_set(done: Any, phase: str, allowed: SetName) -> None:
    space, values, outputs = done
    blind = replace(space, scenarios=Blind(space.scenarios, (allowed,)))
    found = stage(phase).run(Inputs(blind, MemoryArtifacts(values)), simulated_ports())
    assert found.artifacts == outputs[phase].artifacts
    assert stage(phase).sets == (allowed,)


def test_diagnosis_cannot_read_heldout_answers(done: Any) -> None:
    space, values, _ = done
    core = {row.grade.scenario for row in values["core-answers"]}
    assert core == {scenario.id for scenario in space.scenarios[SetName.CORE]}
    only = {name: value for name, value in values.items() if name not in ("dev-answers", "baseline-answers", "answers")}
    found = p05_diagnose.run(Inputs(space, MemoryArtifacts(only)), simulated_ports())
    assert found.artifacts["diagnosis"] == values["diagnosis"]


def test_diagnosis_names_the_confusion_of_production(done: Any) -> None:
    _, values, _ = done
    diagnosis = values["diagnosis"]
    by_id = {one.id: one for one in diagnosis.failures}
    confused = {(one.capability, one.confused_with) for one in diagnosis.failures}
    assert confused >= set(CONFUSED.items())
    assert {by_id[name].capability for name in diagnosis.targets} == set(WEAK)
    unassigned = [one for one in diagnosis.failures if one.capability == "unassigned"]
    assert [one.frequency for one in unassigned] == [1]
    assert unassigned[0].id in diagnosis.left_out


def test_every_batch_says_how_it_was_made(done: Any) -> None:
    _, values, _ = done
    batches = {batch.id: batch for batch in values["batches"]}
    assert {batch.provenance.channel for batch in batches.values()} == {
        Channel.LOG,
        Channel.LLM,
        Channel.PERTURBATION,
    }
    rows = values["candidates"]
    assert len({row.example.id for row in rows}) == len(rows)
    for batch in batches.values():
        own = [row for row in rows if row.batch == batch.id]
        assert len(own) == batch.provenance.count > 0
        assert {name for row in own for name in row.parents} <= set(batch.provenance.parents)
        human = batch.provenance.channel is Channel.LOG
        assert {row.example.origin for row in own} == {Origin.HUMAN if human else Origin.SYNTHETIC}
        if batch.provenance.channel is Channel.LLM:
            assert batch.provenance.generator.name == "base-with-target-adapter"


def test_without_human_rows_the_base_alone_generates() -> None:
    space, values = fixture()
    values["gold"] = ()
    values["traces"] = ()
    run_all(space, values, upto="expand")
    llm: list[Any] = [one for one in values["batches"] if one.provenance.channel is Channel.LLM]
    assert all(one.provenance.generator.name == "base" for one in llm)
    assert not [one for one in values["batches"] if one.provenance.channel is Channel.LOG]


def test_leaked_candidates_are_dropped_and_a_leaky_batch_fails() -> None:
    space, values = fixture()
    run_all(space, values, upto="expand")
    candidates: list[Any] = list(values["candidates"])
    heldout = space.scenarios[SetName.HELDOUT]
    log = next(i for i, one in enumerate(candidates) if one.example.origin is Origin.HUMAN)
    llm = [i for i, one in enumerate(candidates) if one.batch.endswith("-llm")][:2]
    for position, scenario in zip((log, *llm), heldout, strict=False):
        text = scenario.input[-1].content.upper() + "!"
        example = candidates[position].example.model_copy(update={"input": user(text)})
        candidates[position] = candidates[position].model_copy(update={"example": example})
    values["candidates"] = candidates
    output = perform(stage("validate"), space, MemoryArtifacts(values), simulated_ports())
    report: Any = output.artifacts["validation"]
    assert candidates[llm[0]].batch in report.failed
    assert candidates[log].batch in report.passed
    kept = {row.example.id for row in output.artifacts["valid"]}
    assert candidates[log].example.id not in kept
    assert not kept & {one.example.id for one in candidates if one.batch == candidates[llm[0]].batch}
    assert output.verdict.outcome is Outcome.PASS
    assert any("frozen set" in reason.problem for reason in output.verdict.reasons)


def test_a_small_synthetic_batch_is_insufficient_and_a_small_human_one_is_not() -> None:
    space, values = fixture(validation={"min_rows": 19, "max_membership_auc": 1.0})
    space = replace(
        space,
        params=space.params.model_copy(update={"expand": space.params.expand.model_copy(update={"per_target": 10})}),
    )
    run_all(space, values, upto="validate")
    report: Any = values["validation"]
    reasons = {one.batch: [reason.step for reason in one.verdict.reasons] for one in report.batches}
    assert all(("size" in steps) is not name.endswith("-log") for name, steps in reasons.items())


def decisions(values: Mapping[str, Any], choice: Choice = Choice.ACCEPT) -> tuple[Decision, ...]:
    return tuple(
        Decision(
            candidate=one.example.id,
            capability=one.example.capability,
            origin=one.example.origin,
            input=one.example.input,
            answer=one.example.answer,
            decision=choice,
        )
        for one in values["valid"]
    )


def triaged(space: Workspace, values: dict[str, Any], made: tuple[Decision, ...], **changes: str) -> Output:
    file = {"cluster": "desk", "iteration": values["intake"].iteration, "reviewer": "ada", **changes}
    record = TriageFile.model_validate({**file, "decisions": made})
    now = replace(space, triage={values["intake"].iteration: record})
    return p09_triage.run(Inputs(now, MemoryArtifacts(values)), simulated_ports())


def test_triage_waits_for_people_and_applies_what_they_say() -> None:
    space, values = fixture(triage={"required": "all"})
    outputs = run_all(space, values, upto="triage")
    waits = outputs["triage"]
    assert (waits.verdict.outcome, dict(waits.artifacts)) == (Outcome.WAIT, {})
    assert f"clusters/desk/triage/{values['intake'].iteration}.yaml" in waits.verdict.reasons[0].hint
    made = list(decisions(values))
    assert (
        triaged(space, values, (*made[:-1], made[-1].model_copy(update={"decision": Choice.UNDECIDED}))).verdict.outcome
        is Outcome.WAIT
    )
    synthetic = next(i for i, one in enumerate(made) if one.origin is Origin.SYNTHETIC)
    human = next(i for i, one in enumerate(made) if one.origin is Origin.HUMAN)
    for position in (synthetic, human):
        edit = {"decision": Choice.EDIT, "edited_input": f"mended text {position}"}
        made[position] = made[position].model_copy(update=edit)
    made[-1] = made[-1].model_copy(update={"decision": Choice.REJECT})
    output = triaged(space, values, tuple(made))
    result: Any = output.artifacts["triage"]
    assert (result.reviewer, result.edited, result.rejected) == ("ada", 2, 1)
    accepted = {one.example.id: one.example for one in output.artifacts["accepted"]}
    assert accepted[made[synthetic].candidate].origin is Origin.CORRECTED
    assert accepted[made[human].candidate].origin is Origin.HUMAN
    assert accepted[made[human].candidate].input[-1].content == f"mended text {human}"
    assert made[-1].candidate not in accepted


def test_triage_refuses_a_file_about_something_else() -> None:
    space, values = fixture(triage={"required": "all"})
    run_all(space, values, upto="triage")
    made = decisions(values)
    other = made[0].model_copy(update={"answer": "another answer"})
    cases = {
        "about": triaged(space, values, made, iteration="desk-else"),
        "does not read": triaged(space, values, (other, *made[1:])),
        "decided twice": triaged(space, values, (*made, made[0])),
        "no candidate": triaged(space, values, (*made, made[0].model_copy(update={"candidate": "cand-none"}))),
        "`reviewer`": triaged(space, values, made, reviewer=""),
    }
    for said, output in cases.items():
        assert output.verdict.outcome is Outcome.REFUSE, said
        assert any(said in reason.problem for reason in output.verdict.reasons), said
        assert output.artifacts["accepted"] == ()


def test_earlier_human_rows_stay_in_the_pool(done: Any) -> None:
    space, values, _ = done
    text = Writer(seed=99).text("sizing")
    kept = Decision(
        candidate="cand-earlier", capability="sizing", origin=Origin.HUMAN, input=user(text), answer="sizing",
        decision=Choice.ACCEPT,
    )  # fmt: skip
    triage = {"desk-0": TriageFile(cluster="desk", iteration="desk-0", reviewer="ada", decisions=(kept,))}
    intake = values["intake"].model_copy(update={"earlier_triage": ("desk-0",)})
    later = {**values, "intake": intake}
    output = p10_sweep.run(Inputs(replace(space, triage=triage), MemoryArtifacts(later)), simulated_ports())
    new = {row.example.id for row in output.artifacts["mixture"] if row.use is Use.NEW}
    assert "cand-earlier" in new


def test_the_sweep_has_a_control_and_arms_that_differ_in_content_alone(done: Any) -> None:
    space, values, _ = done
    sweep = values["sweep"]
    assert [arm.name for arm in sweep.arms] == [
        "control",
        "synthetic-00",
        "synthetic-25",
        "synthetic-50",
        "synthetic-75",
    ]
    assert {arm.human_rows + arm.synthetic_rows for arm in sweep.arms} == {space.params.train.new_rows}
    assert len({arm.replay_rows for arm in sweep.arms}) == 1
    assert [round(arm.synthetic_share, 2) for arm in sweep.arms] == [0, 0, 0.25, 0.5, 0.75]
    control, real = sweep.arms[:2]
    assert real.dev.composite > control.dev.composite
    assert [point.arm for point in values["curve"].points] == [arm.name for arm in sweep.arms]
    assert values["training"].from_sweep
    assert mixture_digest(values["mixture"]) == values["training"].record.mixture


def test_the_sweep_refuses_where_the_human_floor_cannot_hold() -> None:
    space, values = fixture(human_floor=1.0)
    params = space.params.model_copy(update={"sweep": space.params.sweep.model_copy(update={"synthetic": (0.5, 0.75)})})
    outputs = run_all(replace(space, params=params), values, upto="sweep")
    verdict = outputs["sweep"].verdict
    assert (verdict.outcome, verdict.reasons[0].step) == (Outcome.REFUSE, "human floor")


def test_the_sweep_refuses_where_nothing_was_gathered() -> None:
    space, values = fixture()
    values["gold"] = values["traces"] = ()
    space = replace(
        space, params=space.params.model_copy(update={"expand": space.params.expand.model_copy(update={"attempts": 1})})
    )
    run_all(space, values, upto="expand")
    values.update({"candidates": (), "batches": ()})
    for name in ("validate", "triage", "sweep"):
        output = perform(stage(name), space, MemoryArtifacts(values), simulated_ports())
        values.update(output.artifacts)
    assert (output.verdict.outcome, output.verdict.reasons[0].step) == (Outcome.REFUSE, "pool")


def test_another_recipe_is_trained_and_not_taken_from_the_sweep(done: Any) -> None:
    space, values, _ = done
    recipe = space.params.train.model_copy(update={"rank": 8})
    other = replace(space, params=space.params.model_copy(update={"train": recipe}))
    output = perform(stage("train"), other, MemoryArtifacts(values), simulated_ports())
    assert not output.artifacts["training"].from_sweep
    assert output.measured["training_s"] > 0


def test_assess_refuses_and_lists_every_limit() -> None:
    limits = {"thresholds": {"composite": 0.999, "heldout": 0.999}, "max_p_value": 1e-12, "max_latency_p95_ms": 0.1}
    space, values = fixture(gate=limits, evaluation={"early_stop": False})
    verdict = run_all(space, values, upto="assess")["assess"].verdict
    assert verdict.outcome is Outcome.REFUSE
    assert {reason.step for reason in verdict.reasons} == {"thresholds", "significance", "latency"}
    assert len(verdict.reasons) == 5


def test_uncovered_failures_become_drafts_and_no_targets() -> None:
    space, values = fixture()
    only = Rubric.model_validate({**space.rubrics["queue"].model_dump(), "capabilities": ["login", "refund"]})
    space = replace(space, rubrics={"queue": only})
    outputs = run_all(replace(space, digests=digests(space)), values, upto="rubrics")
    diagnosis: Any = values["diagnosis"]
    drafts: Any = values["drafts"]
    capability = {one.id: one.capability for one in diagnosis.failures}
    assert {capability[name] for name in diagnosis.targets} == {"login"}
    assert {capability[name] for name in drafts.covers} >= {"broken"}
    rubric = Rubric.model_validate_json(drafts.files["rubrics/desk-broken.yaml"])
    assert (rubric.status, rubric.capabilities) == ("draft", ("broken",))
    proposed = [path for path in drafts.files if path.startswith("scenarios/desk/core/broken-")]
    assert len(proposed) == 5
    for path in proposed:
        scenario = Scenario.model_validate_json(drafts.files[path])
        assert (f"scenarios/desk/core/{scenario.id}.yaml", scenario.reference) == (path, "broken")
    assert outputs["rubrics"].verdict.passed
    assert outputs["rubrics"].verdict.reasons


def test_the_bundle_explains_the_adapter_without_prompts_or_answers(done: Any) -> None:
    space, values, _ = done
    files = values["bundle"].files
    assert set(files) == {
        "scorecard.json", "grades.jsonl", "lineage.json", "sweep.json", "validation.json", "diagnosis.json",
        "provenance.json", "funnel.json", "risks.json", "training.json", "triage.json", "stages.json",
    }  # fmt: skip
    everything = b"".join(files.values()).decode()
    for found in space.scenarios.values():
        assert not any(scenario.input[-1].content in everything for scenario in found)
    assert not any(one.example.input[-1].content in everything for one in values["accepted"])
    nodes = {node["id"]: node for node in json.loads(files["lineage.json"])["nodes"]}
    assert {one.example.id for one in values["accepted"]} <= set(nodes)
    kinds, todo = set(), [values["adapter"].digest]
    while todo:
        node = nodes[todo.pop()]
        kinds.add(node["kind"])
        todo += node["parents"]
    assert kinds == {"adapter", "mixture", "example", "batch", "failure", "signal"}
    titles = {risk["title"] for risk in json.loads(files["risks.json"])["risks"]}
    assert {"One training seed", "Where the texts come from", "Failures not aimed at"} <= titles


def test_a_phase_reads_only_what_its_row_declares(done: Any) -> None:
    space, values, _ = done
    narrowed = stage("bundle")._replace(reads=("scorecard",))
    with pytest.raises(PhaseOrderError, match="does not declare"):
        perform(narrowed, space, MemoryArtifacts(values), simulated_ports())


def test_a_candidate_needs_its_parents() -> None:
    example = Example(id="x", capability="login", input=user("hi"), answer="login", origin=Origin.SYNTHETIC)
    with pytest.raises(ValueError, match="names its parents"):
        Candidate(example=example, batch="b")


def test_a_tree_is_told_apart_by_its_files() -> None:
    assert Tree({"a": b"1"}).digest != Tree({"b": b"1"}).digest
