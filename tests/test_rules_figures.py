"""The figures that the gate makes again: what phase 12 states passes, and every other statement is named."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.edges.simulated import Value
from runner.records.cluster import Cluster
from runner.records.evidence import EvidenceFile
from runner.records.intake import Incumbent, Intake
from runner.records.promotion import BaseId, BenchmarkId, PromotionRecord, RunSource
from runner.records.scenario import OutcomeType, SetName
from runner.records.score import Scorecard, ScoredScenario, SetScore
from runner.records.training import Sweep, Training
from runner.rules.canonical import sha256
from runner.rules.evaluation.assessment import RealOnlyRecord, Subject, assessed, gaps
from runner.rules.evaluation.limits import limits
from runner.rules.strict_json import strict_lines
from runner.rules.trust import approvals, change, evidence, frozen, policy, verification
from runner.rules.trust.facts import Before, Promotion, SignedEvidence
from runner.rules.trust.figures import Figures, figures, read_rows
from runner.rules.trust.gate import RULES, limit_problems
from runner.workspace import Workspace
from tests.flywheel_fixture import fixture
from tests.test_phases import run_all

Evidence = dict[str, bytes]
Edit = Callable[[Any], None]


@pytest.fixture(scope="module")
def done() -> tuple[Workspace, dict[str, Value]]:
    """All thirteen phases, simulated."""
    space, values = fixture()
    run_all(space, values)
    return space, values


def promotion(done: Any, *, rows: Edit | None = None, card: Edit | None = None, sequence: int = 0) -> Promotion:
    """What phase 13 bundled as the gate sees it; `rows` and `card` may edit the grades and the scorecard."""
    space, values = done
    files = dict(values["bundle"].files)
    if rows is not None:
        found = [ScoredScenario.model_validate_json(line) for line in files["grades.jsonl"].splitlines()]
        edited = [one.model_dump(mode="json") for one in found]
        rows(edited)
        lines = [ScoredScenario.model_validate(one).model_dump_json().encode() for one in edited]
        files["grades.jsonl"] = b"\n".join(lines)
    if card is not None:
        stated = Scorecard.model_validate_json(files["scorecard.json"]).model_dump(mode="json")
        card(stated)
        files["scorecard.json"] = Scorecard.model_validate(stated).model_dump_json().encode()
    files["operations.json"] = (
        b'{"machine":"m","latency_p50_ms":1,"latency_p95_ms":2,"tokens_per_second":1,"peak_memory_mib":1,'
        b'"seconds_per_decision":0,"cost_per_decision":0,"currency":"EUR","training_seconds":1}'
    )
    files["rollback.json"] = b'{"to_sequence":0,"to_adapter":null,"when":"it falls","who":"on-call"}'
    return Promotion(record(values), "0" * 64, files, SignedEvidence(None), before(space, values), "")


def record(values: dict[str, Any]) -> PromotionRecord:
    intake: Intake = values["intake"]
    training: Training = values["training"]
    sweep: Sweep = values["sweep"]
    benchmark = BenchmarkId(id="desk", version=intake.benchmark_version, sha256=intake.benchmark_sha256)
    made = PromotionRecord(
        cluster="desk",
        sequence=1,
        benchmark=benchmark,
        base=BaseId(kind="tiny", sha256="d" * 64),
        adapter=None,
        incumbent=Incumbent(sequence=0),
        evidence={},
        run=RunSource(branch=f"runs/desk/{intake.iteration}", iteration=intake.iteration),
        human_share=sweep.human_share,
    )
    adapter = {"sha256": training.adapter, "files": {"adapter_model.safetensors": {"sha256": "e" * 64, "size": 1}}}
    return PromotionRecord.model_validate({**made.model_dump(mode="json"), "adapter": adapter})


def before(space: Workspace, values: dict[str, Any]) -> Before:
    governed = {(name, one.id): one.capability for name, found in space.scenarios.items() for one in found}
    benchmark = values["intake"].benchmark_sha256
    return Before(space.cluster, benchmark, governed, {}, (), ())


def test_the_gate_finds_what_phase_12_found(done: Any) -> None:
    space, values = done
    found = figures(promotion(done))
    assert (found.grades, found.stated) == ((), ())
    stated: Any = values["scorecard"]
    assert counted(found.card) == counted(stated)
    assert found.card.regressions.scenarios == stated.regressions.scenarios
    assert stated.models["candidate"].robustness
    assert limits(found.card, space.cluster) == limits(stated, space.cluster) == ()
    assert limit_problems(promotion(done), found) == []


def test_both_refuse_the_same_limits(done: Any) -> None:
    space, values = done
    asked = {"thresholds": {"composite": 0.999, "heldout": 0.999}, "max_p_value": 1e-12, "max_robustness_drop": 0.0}
    gate = space.cluster.gate.model_validate({**space.cluster.gate.model_dump(), **asked})
    strict = space.cluster.model_copy(update={"gate": gate})
    theirs = [(one.step, one.problem) for one in limits(values["scorecard"], strict)]
    assert {step for step, _ in theirs} >= {"thresholds", "significance", "robustness"}
    asked_again = promotion(done)
    made = figures(asked_again)
    moved = Promotion(
        asked_again.record, "", asked_again.evidence, SignedEvidence(None), _strict(asked_again, strict), ""
    )
    ours = [one.problem for one in limit_problems(moved, made)]
    assert [problem.split(": ", 1)[1] for problem in ours] == [problem for _, problem in theirs]
    assert [problem[:3] for problem in ours] == sorted(problem[:3] for problem in ours)


def counted(card: Scorecard) -> dict[str, Any]:
    """The figures of each model on each set, without the intervals around them."""
    return {
        name: {
            "robustness": model.robustness,
            **{
                where: (one.scenarios, one.passed, one.composite, one.capabilities, typed(one))
                for where, one in model.sets.items()
            },
        }
        for name, model in card.models.items()
    }


def typed(score: SetScore) -> dict[str, tuple[int, int]]:
    return {kind: (one.passed, one.scenarios) for kind, one in score.outcomes.items()}


def test_outcome_types_are_the_governed_ones_where_a_limit_rests_on_them(done: Any) -> None:
    space, _ = done
    asked = promotion(done)
    types = {(name, one.id): one.outcome_type for name, found in space.scenarios.items() for one in found}
    governed = dataclasses.replace(asked.before, outcome_types=types)
    assert figures(asked._replace(before=governed)).grades == ()
    key = next(key for key in sorted(types) if key[0] is SetName.HELDOUT)
    mistaken = dataclasses.replace(asked.before, outcome_types={**types, key: OutcomeType.FP_GUARD})
    said = f"heldout/{key[1]} is graded as of type tp, and governed as fp-guard"
    assert figures(asked._replace(before=mistaken)).grades == (said,)


def test_real_data_alone_is_judged_where_the_cluster_asks_for_it(done: Any) -> None:
    space, values = done
    reached = values["scorecard"].real_only.reached
    gate = {**space.cluster.gate.model_dump(), "significance": {"real_only": "refuse"}}
    strict = space.cluster.model_copy(update={"gate": space.cluster.gate.model_validate(gate)})
    for recorded, holds in ((reached - 0.01, True), (reached, False)):
        asked = promotion(done)
        before = dataclasses.replace(_strict(asked, strict), real_only=RealOnlyRecord("composite", recorded))
        asked = asked._replace(before=before)
        found = [one.problem for one in limit_problems(asked, figures(asked))]
        assert (found == []) is holds
        assert all(problem.startswith("8.15 real-only baseline: composite 0.9200 on held-out") for problem in found)


def _strict(asked: Promotion, cluster: Cluster) -> Before:
    return Before(cluster, asked.before.benchmark_sha256, asked.before.scenarios, {}, (), ())


def first(rows: list[dict[str, Any]], name: SetName) -> dict[str, Any]:
    return next(row for row in rows if row["set"] == name)


def drop(rows: list[dict[str, Any]]) -> None:
    rows.pop()


def twice(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[0])


def no_typos(rows: list[dict[str, Any]]) -> None:
    del first(rows, SetName.CORE)["perturbed"]["typos"]


def no_control(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        del row["scores"]["control"], row["passed"]["control"]


def one_repeat_less(rows: list[dict[str, Any]]) -> None:
    last = rows[-1]
    del last["scores"]["incumbent-repeat-1"], last["passed"]["incumbent-repeat-1"]


def worse_incumbent(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["scores"]["incumbent"], row["passed"]["incumbent"] = 0.0, False


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (drop, "is not graded"),
        (twice, "is graded twice"),
        (no_typos, "has no grade of the candidate under typos"),
        (no_control, "has no grade of the control"),
        (worse_incumbent, "the incumbent is not the base"),
        (one_repeat_less, "has no grade of the incumbent-repeat-1"),
    ],
)
def test_grades_with_gaps_are_named(done: Any, edit: Edit, said: str) -> None:
    assert any(said in problem for problem in figures(promotion(done, rows=edit)).grades)


def test_many_faults_are_counted_and_not_all_listed(done: Any) -> None:
    found = figures(promotion(done, rows=no_control)).grades
    assert len(found) == 21
    assert found[-1].startswith("and ")


def set_p(card: dict[str, Any]) -> None:
    card["comparisons"][0]["p_value"] /= 2


def unlist_comparison(card: dict[str, Any]) -> None:
    card["comparisons"] = card["comparisons"][:2]


def set_robustness(card: dict[str, Any]) -> None:
    card["models"]["candidate"]["robustness"]["typos"] = 1.0


def hide_robustness(card: dict[str, Any]) -> None:
    card["models"]["candidate"]["robustness"] = {}


def set_composite(card: dict[str, Any]) -> None:
    card["models"]["base"]["sets"]["heldout"]["composite"] = 0.01


def other_adapter(card: dict[str, Any]) -> None:
    card["models"]["candidate"]["adapter"] = "f" * 64


def invent(card: dict[str, Any]) -> None:
    card["models"]["best"] = card["models"]["candidate"]


def forget(card: dict[str, Any]) -> None:
    del card["models"]["incumbent"]


def more_regressions(card: dict[str, Any]) -> None:
    card["regressions"]["of"] += 1


def blame(card: dict[str, Any]) -> None:
    card["worse_capabilities"] = ["login"]


def other_iteration(card: dict[str, Any]) -> None:
    card["iteration"] = "another"


def set_tier(card: dict[str, Any]) -> None:
    card["comparisons"][0]["tier"] = "no change"


def set_capability_tier(card: dict[str, Any]) -> None:
    next(iter(card["capability_comparisons"].values()))["tier"] = None


def set_outcomes(card: dict[str, Any]) -> None:
    card["models"]["candidate"]["sets"]["heldout"]["outcomes"]["tp"]["passed"] += 1


def set_repeats(card: dict[str, Any]) -> None:
    card["repeats"]["flipped"] = 3


def hide_repeats(card: dict[str, Any]) -> None:
    card["repeats"] = None


def steadier(card: dict[str, Any]) -> None:
    card["perturbed_comparisons"]["typos"]["lost"] += 1


def other_capability(card: dict[str, Any]) -> None:
    next(iter(card["capability_comparisons"].values()))["lost"] += 1


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (set_p, "does not follow from the grades"),
        (unlist_comparison, "control, does not follow"),
        (set_robustness, "the robustness of candidate"),
        (hide_robustness, "the robustness of candidate"),
        (set_composite, "the composite of base on heldout"),
        (other_adapter, "candidate is another adapter"),
        (invent, "invents the best"),
        (forget, "lacks the incumbent"),
        (more_regressions, "regressions of"),
        (blame, "significantly worse"),
        (other_iteration, "another cluster, iteration or benchmark"),
        (other_capability, "against the incumbent"),
        (set_tier, "calls heldout/base no change, and by its figures it is improved"),
        (set_capability_tier, "calls capability/broken nothing"),
        (set_outcomes, "the counts of candidate on heldout by outcome type"),
        (set_repeats, "0 of 170 turned in 1"),
        (hide_repeats, "0 of 170 turned in 1"),
        (steadier, "under perturbation, typos, does not follow"),
    ],
)
def test_a_scorecard_that_says_something_else_is_named(done: Any, edit: Edit, said: str) -> None:
    found = figures(promotion(done, card=edit))
    assert found.grades == ()
    assert any(said in problem for problem in found.stated), found.stated


def test_a_forged_scorecard_does_not_move_the_limits(done: Any) -> None:
    """The grades say that the candidate breaks under typos; the scorecard that it does not."""

    def fragile(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["set"] == SetName.CORE:
                row["perturbed"]["typos"]["candidate"] = 0.0

    asked = promotion(done, rows=fragile)
    problems = [one.problem for one in limit_problems(asked, figures(asked))]
    assert any(problem.startswith("8.5 robustness: under typos") for problem in problems)


def row(scenario: str, *, base: bool, candidate: bool, name: SetName = SetName.HELDOUT) -> ScoredScenario:
    passed = {"base": base, "incumbent": base, "control": base, "candidate": candidate}
    scores = {model: float(value) for model, value in passed.items()}
    return ScoredScenario(set=name, scenario=scenario, capability="login", scores=scores, passed=passed)


def test_counts_by_hand(done: Any) -> None:
    """Nine gained, one lost: exact McNemar gives 22 / 1024."""
    space, _ = done
    rows = [row(f"s{at}", base=at == 9, candidate=at != 9) for at in range(10)]
    adapters = dict.fromkeys(("base", "incumbent", "control", "candidate"))
    card = assessed(rows, space.cluster, subject=Subject("it", 1, sha256(b"")), adapters=adapters)
    against = {one.against: (one.gained, one.lost, one.p_value) for one in card.comparisons}
    assert against == dict.fromkeys(("base", "incumbent", "control"), (9, 1, pytest.approx(22 / 1024)))
    assert (card.regressions.count, card.regressions.of, card.regressions.scenarios) == (1, 1, ("s9",))
    assert card.models["candidate"].sets[SetName.HELDOUT].composite == 0.9
    assert list(gaps(rows, adapters, kinds=("typos",))) == []
    core = [row("c1", base=True, candidate=True, name=SetName.CORE)]
    assert list(gaps(core, adapters, kinds=("typos",))) == ["core/c1 has no grade of the candidate under typos"]


def test_a_scorecard_that_is_missing_is_said(done: Any) -> None:
    asked = promotion(done)
    files = {name: data for name, data in asked.evidence.items() if name != EvidenceFile.SCORECARD}
    found: Figures = figures(Promotion(asked.record, "", files, asked.attestation, asked.before, ""))
    assert found.stated == ("evidence/scorecard.json is missing",)


def test_the_docstring_of_the_gate_names_every_rule_by_its_number() -> None:
    text = verification.__doc__ or ""
    for rule, number in RULES.items():
        assert f"{number} {rule}" in text
    others = [
        getattr(module, name)
        for module in (approvals, frozen, change, policy)
        for name in vars(module)
        if name.isupper() and re.match(r"\d\.\d+ ", str(getattr(module, name)))
    ]
    assert len(others) == 18
    for rule in (*evidence.RULES, *others):
        assert f"{rule}:" in text


def test_every_number_in_the_docstring_of_the_gate_is_said_by_a_rule() -> None:
    rules = Path(verification.__file__).parent.rglob("*.py")
    said = "".join(path.read_text().rpartition('"""\n\nfrom __future__')[2] for path in rules)
    missing = [number for number in re.findall(r"\b\d\.\d+\b", verification.__doc__ or "") if number not in said]
    assert missing == []


ROW = b'{"capability":"refund","passed":{"base":true},"perturbed":{},"scenario":"a","scores":{"base":0},"set":"core"}'


@pytest.mark.parametrize(
    "changed",
    [
        ROW.replace(b'"base":0', b'"base":1,"base":0'),
        ROW.replace(b'"base":0', b'"base" :1,"base":0'),
        ROW.replace(b'"base":0', b'"base"\t: 1, "base" : 0'),
        ROW.replace(b'"base":0', b'"\\u0062ase":1,"base":0'),
        ROW.replace(b'"set"', b'"set" :"heldout","set"'),
        ROW.replace(b'"perturbed":{}', b'"perturbed" :{"typos":{"base":1}},"perturbed":{}'),
        ROW.replace(b'"base":0', b'"base":NaN'),
    ],
)
def test_a_row_that_names_anything_twice_is_not_passed_over(changed: bytes) -> None:
    with pytest.raises(ValueError, match=r"twice|no JSON"):
        strict_lines(changed)
    assert not read_rows(ROW + b"\n" + changed)[2]


@pytest.mark.parametrize("plain", [ROW, ROW.replace(b":", b" : "), ROW.replace(b'"perturbed":{},', b"")])
def test_a_row_that_names_everything_once_is_read_once(plain: bytes) -> None:
    strict_lines(plain)
    assert read_rows(plain)[2]
