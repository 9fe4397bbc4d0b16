"""Stages with early stop: what ends an evaluation and what does not, what is asked twice, and what counts as a look."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runner.edges.report import render
from runner.edges.simulated import MemoryArtifacts, Value, simulated_ports
from runner.edges.yaml_files import load
from runner.errors import ModelError
from runner.phases.common import Stopwatch, base_model
from runner.phases.evaluation import evaluate
from runner.pipeline import perform, stage
from runner.ports import Answers, Model, Output
from runner.records.evaluation import CandidateStages, StageName, StageOutcome
from runner.records.evaluation_policy import EvaluationPolicy, GeneralTask
from runner.records.gated import GateLimits, Thresholds
from runner.records.scenario import Scenario, SetName
from runner.records.score import Scorecard, ScoredScenario
from runner.records.terms import Perturbation
from runner.rules.evaluation.assessment import perturbed
from runner.rules.evaluation.evaluation_stages import STAGES, ceiling, smoke_sample, smoke_stop
from runner.rules.repository.benchmark import locked
from runner.workspace import Inputs, Workspace
from tests.flywheel_fixture import Writer, digests, fixture, scenario, user
from tests.test_phases import run_all

RAN = (StageName.SMOKE, StageName.CORE, StageName.REPRESENTATIVE, StageName.HELDOUT, StageName.ROBUSTNESS)


class Mark:
    """A grade, as far as figures are made of it."""

    def __init__(self, scenario: str, capability: str, score: float) -> None:
        self.scenario, self.capability, self.score, self.passed = scenario, capability, score, score >= 1


# the rule of the sample


def test_a_sample_is_of_each_capability_and_the_same_again() -> None:
    core = {f"{name}-{at}": name for name, size in (("a", 12), ("b", 3), ("c", 40)) for at in range(size)}
    chosen = smoke_sample(core, per_capability=5, seed=7)
    assert Counter(core[one] for one in chosen) == {"a": 5, "b": 3, "c": 5}
    assert chosen == smoke_sample(dict(reversed(core.items())), per_capability=5, seed=7)
    assert len({smoke_sample(core, per_capability=5, seed=seed) for seed in range(20)}) == 20


def test_a_sample_gives_up_on_a_model_that_would_pass_no_more_often_than_its_risk() -> None:
    """Cores that are just at the threshold, of many shapes; the risk is set high so that the bound has to work."""
    drawn, risk, wrong, runs = random.Random(5), 0.1, 0, 4000
    for run in range(runs):
        names = [f"c{n}" for n in range(drawn.randint(1, 6))]
        weights = {name: drawn.choice((1.0, 2.0, 5.0)) for name in names}
        core = [
            Mark(f"{name}-{n}", name, float(drawn.random() < 0.6))
            for name in names
            for n in range(drawn.randint(2, 30))
        ]
        sizes = Counter(one.capability for one in core)
        total = sum(weights[name] for name in names)
        whole = sum(
            weights[name] / total * sum(one.score for one in core if one.capability == name) / sizes[name]
            for name in names
        )
        chosen = smoke_sample({one.scenario: one.capability for one in core}, per_capability=3, seed=run)
        found = ceiling([one for one in core if one.scenario in chosen], sizes, weights, risk=risk)
        assert found.certain >= whole - 1e-9, "the best case is never too low"
        wrong += bool(smoke_stop(found, Thresholds(composite=whole, heldout=0.5), risk=risk)) and found.certain >= whole
    assert 0 < wrong <= risk * runs


def test_a_sample_stops_what_is_hopeless_and_says_by_how_much() -> None:
    grades = [Mark(f"{name}-{n}", name, 0.0) for name in "abcdef" for n in range(10)]
    sizes = dict.fromkeys("abcdef", 100)
    found = ceiling(grades, sizes, dict.fromkeys("abcdef", 1.0), risk=0.001)
    assert (found.seen, found.certain) == (0.0, 0.9)
    assert found.likely == pytest.approx((6.9078 * 0.91 / (2 * 60)) ** 0.5, abs=1e-4)
    assert "0.0000 on a sample of core: but for a chance of 0.001" in smoke_stop(
        found, Thresholds(composite=0.5, heldout=0), risk=0.001
    )
    assert smoke_stop(found, Thresholds(composite=0.2, heldout=0), risk=0.001) == ""
    assert "at best, core would come to" in smoke_stop(found, Thresholds(composite=0.95, heldout=0), risk=0.001)
    whole = ceiling(grades, dict.fromkeys("abcdef", 10), dict.fromkeys("abcdef", 1.0), risk=0.001)
    assert whole.likely == whole.certain == 0.0, "a core that was asked whole leaves nothing to chance"


# one model through the stages


@pytest.fixture(scope="module")
def trained() -> tuple[Workspace, dict[str, Value]]:
    """Everything up to the adapter."""
    space, values = fixture()
    run_all(space, values, upto="train")
    return space, values


class Counting:
    """The simulated models, and how many prompts each call had."""

    def __init__(self, models: Any) -> None:
        self._models, self.calls = models, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)

    def answer(self, model: Model, prompts: Sequence[Any], **how: Any) -> Answers:
        self.calls.append(len(prompts))
        return self._models.answer(model, prompts, **how)


def asked(space: Workspace, values: dict[str, Value], **how: Any) -> tuple[Any, list[int]]:
    ports = simulated_ports()
    counting = Counting(ports.models)
    ports = replace(ports, models=counting)
    inputs = Inputs(space, MemoryArtifacts(values))
    model = replace(base_model(inputs), adapter=values["adapter"])
    return evaluate(inputs, ports, Stopwatch(ports), model=model, name="candidate", **how), counting.calls


def unsampled(space: Workspace) -> Workspace:
    """Without the first stage."""
    policy = space.cluster.evaluation_policy
    policy = policy.model_copy(update={"smoke": policy.smoke.model_copy(update={"per_capability": 0})})
    return replace(space, cluster=space.cluster.model_copy(update={"evaluation": policy}))


def limited(space: Workspace, **gate: Any) -> Workspace:
    thresholds = {**space.cluster.gate.thresholds.model_dump(), **gate.pop("thresholds", {})}
    limits = space.cluster.gate.model_copy(update={**gate, "thresholds": Thresholds.model_validate(thresholds)})
    return replace(space, cluster=space.cluster.model_copy(update={"gate": limits}))


def test_a_good_model_goes_through_every_stage_and_is_asked_nothing_twice(trained: Any) -> None:
    found, calls = asked(*trained)
    assert [one.stage for one in found.stages] == [stage.name for stage in STAGES]
    assert [one.outcome for one in found.stages] == [StageOutcome.PASSED] * 5 + [StageOutcome.SKIPPED]
    assert found.stages[-1].reason == "the cluster has no general set and names no task"
    sizes = {name: len(of) for name, of in trained[0].scenarios.items()}
    smoke, core = 25, sizes[SetName.CORE]
    wanted = [smoke, core - smoke, sizes[SetName.REPRESENTATIVE], sizes[SetName.HELDOUT], 6 * core]
    assert calls == [one.scenarios for one in found.stages[:5]] == wanted
    assert len({(row.set, row.perturbation, row.grade.scenario) for row in found.rows}) == len(found.rows) == sum(calls)
    parts = found.stages[4].parts
    assert set(parts) == set(Perturbation), "all six are reported"
    limits = {name: one.limit for name, one in found.stages[4].drops.items()}
    assert limits == {
        "typos": 0.6,
        "casing": 0.6,
        "punctuation": 0.6,
        "paraphrase": None,
        "order": None,
        "context": None,
    }


def test_what_is_known_is_not_asked_again(trained: Any) -> None:
    whole, _ = asked(*trained)
    again, calls = asked(*trained, known=whole.rows)
    assert calls == []
    assert again.rows == whole.rows
    assert [one.score for one in again.stages] == [one.score for one in whole.stages]
    half, calls = asked(*trained, known=whole.rows[: len(whole.rows) // 2])
    assert sum(calls) == len(whole.rows) - len(whole.rows) // 2, "an evaluation that was broken off is taken up"
    assert half.rows == whole.rows


@pytest.mark.parametrize(
    ("thresholds", "stops", "says"),
    [
        ({"composite": 1.0}, StageName.CORE, "on core is below the threshold 1.0000"),
        ({"heldout": 1.0}, StageName.HELDOUT, "on heldout is below the threshold 1.0000"),
    ],
)
def test_a_set_below_its_threshold_ends_it(trained: Any, thresholds: Any, stops: StageName, says: str) -> None:
    space, values = trained
    found, _ = asked(limited(unsampled(space), thresholds=thresholds), values)
    assert found.stopped.stage is stops
    assert found.cut_short
    assert says in found.stopped.reason
    after = found.stages[[one.stage for one in found.stages].index(stops) + 1 :]
    assert {(one.outcome, one.reason) for one in after} == {
        (StageOutcome.SKIPPED, f"the {stops} stage ended the evaluation")
    }
    later = {stage.set for stage in STAGES[[stage.name for stage in STAGES].index(stops) + 1 :]} - {SetName.CORE}
    assert not {row.set for row in found.rows} & later


def test_the_sample_ends_it_before_the_rest_of_core_is_asked() -> None:
    """A base that knows two of five capabilities badly, against a threshold that even a perfect rest would miss."""
    space, values = fixture()
    run_all(space, values, upto="base")
    space = limited(space, thresholds={"composite": 0.99})
    inputs = Inputs(space, MemoryArtifacts(values))
    ports = simulated_ports()
    found = evaluate(inputs, ports, Stopwatch(ports), model=base_model(inputs), name="base")
    assert found.stopped.stage is StageName.SMOKE
    assert len(found.rows) == 25
    assert "at best" in found.stopped.reason


def test_robustness_ends_it_for_a_kind_that_the_gate_judges_alone(trained: Any) -> None:
    space, values = trained
    found, _ = asked(limited(space, max_robustness_drop=0.0, perturbations=(Perturbation.TYPOS,)), values)
    assert found.stopped.stage is StageName.ROBUSTNESS
    assert found.stopped.reason.startswith("typos falls by ")
    judged = {name for name, one in found.stopped.drops.items() if one.limit is not None}
    assert judged == {"typos"}
    for name, one in found.stopped.drops.items():
        core = found.stages[1].score.composite
        assert one.drop == pytest.approx(core - found.stopped.parts[name].composite, abs=1e-8)
        assert one.interval.low <= one.drop <= one.interval.high


def test_without_early_stop_everything_is_asked_and_what_would_have_ended_it_is_said(trained: Any) -> None:
    space, values = trained
    found, _ = asked(limited(space, thresholds={"composite": 1.0}), values, early_stop=False)
    assert found.stopped is None
    assert {one.stage for one in found.stages if one.outcome is StageOutcome.PASSED} == set(RAN)
    assert found.stages[1].reason.startswith("went on, though the composite")


# phase 12


def assess(space: Workspace, values: dict[str, Value]) -> Output:
    made = dict(values)
    return perform(stage("assess"), space, MemoryArtifacts(made), simulated_ports())


def test_a_stopped_candidate_is_refused_with_a_scorecard_of_what_was_seen_and_takes_no_look(trained: Any) -> None:
    space, values = trained
    output = assess(limited(unsampled(space), thresholds={"composite": 1.0}), values)
    assert [reason.step for reason in output.verdict.reasons] == ["stages"]
    assert output.verdict.reasons[0].problem.startswith("stopped after core: the composite ")
    assert output.seen == {SetName.CORE}, "neither held-out nor representative was looked into"
    card, stages = output.artifacts["scorecard"], output.artifacts["stages"]
    assert isinstance(card, Scorecard)
    assert isinstance(stages, CandidateStages)
    assert {name: set(model.sets) for name, model in card.models.items()} == {
        name: {SetName.CORE} for name in ("base", "incumbent", "candidate")
    }
    assert card.comparisons == ()
    assert card.regressions.of <= card.models["incumbent"].sets[SetName.CORE].scenarios
    assert stages.changed == {}


def test_a_candidate_that_comes_through_says_so_in_the_evidence() -> None:
    space, values = fixture()
    outputs = run_all(space, values)
    assert outputs["assess"].seen == {SetName.CORE, SetName.HELDOUT, SetName.REPRESENTATIVE, SetName.GENERAL}
    told = CandidateStages.model_validate_json(values["bundle"].files["stages.json"])
    assert [one.stage for one in told.stages if one.outcome is StageOutcome.PASSED] == list(RAN)
    core = len(space.scenarios[SetName.CORE])
    assert told.changed["context"] == told.changed["paraphrase"] == core
    assert told.changed["order"] < core, "a text with nothing to reorder is asked as it is, and that is said"
    card = Scorecard.model_validate_json(values["bundle"].files["scorecard.json"])
    assert set(card.models["candidate"].robustness) == set(Perturbation)
    assert told.stages[4].parts["order"].composite == pytest.approx(card.models["candidate"].robustness["order"])
    page = render(values["bundle"].files, cluster=space.cluster).decode()
    section = page[page.index('<section id="stages">') :]
    section = section[: section.index("</section>")]
    for name in RAN:
        assert f'<th scope="row">{name}</th><td class="">passed</td>' in section
    assert "the cluster has no general set and names no task" in section
    assert section.count("reported only") == 3
    assert section.count('<td class="n">0.600</td>') == 3, "the three that the gate judges have a limit"
    assert "Texts changed" in section


# what a specialist must not forget


def with_general(space: Workspace, texts: Mapping[str, str], **changes: Any) -> Workspace:
    general = tuple(
        scenario(SetName.CORE, "sizing", at, text).model_copy(
            update={"id": f"general-{at}", "capability": "manners", "reference": answer, "input": user(text)}
        )
        for at, (text, answer) in enumerate(sorted(texts.items()))
    )
    sets = {**space.scenarios, SetName.GENERAL: general}
    space = replace(space, scenarios=sets, cluster=space.cluster.model_copy(update=changes))
    return replace(space, digests=digests(space))


def general_texts() -> dict[str, str]:
    """Texts that the base gets right: the capabilities that it knows, under another name."""
    writer = Writer(9)
    return {writer.text(name): name for name in ("refund", "sizing", "late-parcel") for _ in range(6)}


def test_the_general_set_is_of_the_users_own_capabilities_and_is_judged_against_the_base() -> None:
    space, values = fixture()
    space = with_general(space, general_texts())
    outputs = run_all(space, values)
    assert outputs["assess"].verdict.reasons == ()
    card = values["scorecard"]
    assert set(card.models["base"].sets[SetName.GENERAL].capabilities) == {"manners"}
    general = values["stages"].stages[-1]
    assert general.outcome is StageOutcome.PASSED
    assert set(general.parts) == {"general"}
    assert general.drops["general"].limit == 0.05
    rows = [ScoredScenario.model_validate_json(row) for row in values["bundle"].files["grades.jsonl"].splitlines()]
    there = [row for row in rows if row.set is SetName.GENERAL]
    assert len(there) == 18
    assert all({"base", "candidate"} <= set(row.scores) for row in there)
    seen = {name for name, output in outputs.items() if SetName.GENERAL in output.seen}
    assert seen == {"intake", "baseline", "validate", "assess"}, "no phase that trains or writes sees it"


def test_what_is_forgotten_of_the_general_set_refuses_the_candidate() -> None:
    space, values = fixture()
    writer = Writer(10)
    wrong = {writer.text("broken"): "late-parcel" for _ in range(20)}  # what the base mistakes and the candidate mends
    space = with_general(space, wrong)
    verdict = run_all(space, values, upto="assess")["assess"].verdict
    assert {reason.step for reason in verdict.reasons} == {"general"}
    assert "below the base's, more than 0.0500" in verdict.reasons[0].problem


class Harness:
    """Another harness, in memory: every task's samples are right for a base, and for an adapter a share of them."""

    def __init__(self, kept: float) -> None:
        self.kept = kept

    def ready(self, tasks: Sequence[GeneralTask]) -> None:
        """It is here."""

    def score(self, model: Model, tasks: Sequence[GeneralTask], **how: Any) -> Mapping[str, Mapping[str, float]]:
        right = 1.0 if model.adapter is None else self.kept
        return {task.task: {str(n): float(n < right * 100) for n in range(100)} for task in tasks}


@pytest.mark.parametrize(("kept", "steps"), [(0.97, set()), (0.9, {"general"})])
def test_a_task_of_the_harness_is_asked_of_the_base_too_and_has_a_limit_of_its_own(
    trained: Any, kept: float, steps: set[str]
) -> None:
    space, values = trained
    task = GeneralTask(task="arc_easy")
    policy = space.cluster.evaluation_policy.model_copy(update={"general": (task,)})
    space = replace(space, cluster=space.cluster.model_copy(update={"evaluation": policy}))
    ports = replace(simulated_ports(), general=Harness(kept))
    output = perform(stage("assess"), space, MemoryArtifacts(dict(values)), ports)
    assert {reason.step for reason in output.verdict.reasons} == steps
    found = output.artifacts["stages"].stages[-1]
    assert found.parts["arc-easy"].composite == kept
    assert found.drops["arc-easy"].drop == pytest.approx(1 - kept)
    assert found.drops["arc-easy"].interval.low < 1 - kept < found.drops["arc-easy"].interval.high


def test_an_iteration_does_not_begin_without_the_harness_that_it_ends_with() -> None:
    space, values = fixture(evaluation={"general": [{"task": "arc_easy"}]})
    with pytest.raises(ModelError, match="no harness can be run here: arc_easy"):
        run_all(space, values, upto="intake")


def test_the_reserve_is_looked_at_for_leaks_and_asked_of_nobody() -> None:
    space, values = fixture()
    stolen = values["gold"][0]
    fresh: tuple[Scenario, ...] = tuple(
        scenario(SetName.HELDOUT, stolen.capability, at, text).model_copy(update={"id": f"fresh-{at}"})
        for at, text in enumerate((stolen.input[-1].content, "a text that stands nowhere else at all"))
    )
    sets = {**space.scenarios, SetName.RESERVE: fresh}
    space = replace(space, scenarios=sets, lock=locked(sets, version=1, sets=("heldout", "reserve")))
    outputs = run_all(replace(space, digests=digests(space)), values)
    assert [leak.scenario for leak in values["leaks"] if leak.candidate == stolen.id] == ["fresh-0"]
    assert {name for name, output in outputs.items() if SetName.RESERVE in output.seen} == {"intake", "validate"}
    asked_of = {
        row.set for name in ("core-answers", "dev-answers", "baseline-answers", "answers") for row in values[name]
    }
    assert asked_of == set(SetName) - {SetName.RESERVE, SetName.GENERAL}


# the page


def test_the_page_has_the_stages_and_the_perturbations_that_there_are() -> None:
    page = (Path(__file__).parents[1] / "docs" / "stages-of-evaluation.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    assert [row for row in rows if len(row) == 3][1:] == [[one.name, one.asks, one.stops] for one in STAGES]
    assert [row[0] for row in rows if len(row) == 2][1:] == list(Perturbation)


def test_the_page_shows_what_holds_where_nothing_is_said() -> None:
    page = (Path(__file__).parents[1] / "docs" / "stages-of-evaluation.md").read_text()
    block, tasks = (
        load(text.encode(), path="cluster.yaml").value for text in re.findall(r"```yaml\n(.*?)```", page, re.S)
    )
    assert EvaluationPolicy.model_validate(block["evaluation"]) == EvaluationPolicy()
    gate = {"thresholds": {"composite": 0.8, "heldout": 0.8}}
    assert tuple(block["gate"]["perturbations"]) == perturbed(GateLimits.model_validate(gate))
    assert block["gate"]["max_robustness_drop"] == GateLimits.model_validate(gate).max_robustness_drop
    names = [one.task for one in EvaluationPolicy.model_validate(tasks["evaluation"]).general]
    assert names == ["hellaswag", "arc_easy"]


@pytest.mark.parametrize("names", [("arc_easy", "arc_easy"), ("arc_easy", "ARC-easy"), ("general",)])
def test_no_task_stands_for_another_or_for_the_general_set(names: tuple[str, ...]) -> None:
    """Its limit would be that of the other, or none."""
    with pytest.raises(ValidationError, match="two tasks have one name"):
        EvaluationPolicy(general=tuple(GeneralTask(task=name) for name in names))
    assert EvaluationPolicy(general=(GeneralTask(task="arc_easy"), GeneralTask(task="arc_hard")))
