"""Fidelity, privacy, the sieve candidates pass, people's decisions, and what the gate bears."""

from __future__ import annotations

from typing import Any

import pytest

from runner.records.cluster import Validation
from runner.records.dataset import Channel
from runner.records.scenario import Origin, SetName
from runner.records.score import Comparison, Interval, ModelScores, Regressions, Scorecard, SetScore
from runner.records.triage import Choice, Decision
from runner.rules.data.expansion import candidate
from runner.rules.data.fidelity import fidelity, jensen_shannon
from runner.rules.data.privacy import privacy
from runner.rules.data.validation import fidelity_shortfalls
from runner.rules.evaluation.assessment import PERTURBED
from runner.rules.evaluation.limits import limits, summary
from runner.rules.triage.decisions import decided
from tests.flywheel_fixture import Writer, cluster, user


def test_jensen_shannon_is_zero_for_the_same_and_one_for_disjoint() -> None:
    assert jensen_shannon({"a": 2, "b": 1}, {"a": 4, "b": 2}) == 0.0
    assert jensen_shannon({"a": 1}, {"b": 3}) == 1.0
    assert jensen_shannon({}, {"b": 3}) == 1.0
    half = jensen_shannon({"a": 1}, {"a": 1, "b": 1})
    assert half == pytest.approx((0.5 * 1 * 0.415037 + 0.5 * (0.5 * -0.584963 + 0.5 * 1)) ** 0.5, abs=1e-5)
    assert half == jensen_shannon({"a": 1, "b": 1}, {"a": 1})


def test_fidelity_tells_like_from_unlike_and_counts_copies() -> None:
    writer = Writer(seed=8)
    real = [writer.text("login") for _ in range(60)]
    like = [writer.text("login") for _ in range(40)]
    unlike = [f"buy cheap watches number {n} at our shop, the best of all shops in this town, now" for n in range(40)]
    near, far = fidelity(like, real, parents=()), fidelity(unlike, real, parents=())
    assert near.vocabulary_distance < far.vocabulary_distance
    assert near.length_distance < far.length_distance
    assert not list(fidelity_shortfalls(near, Validation(max_ngram_distance=1.0)))
    assert {reason.problem.split()[0] for reason in fidelity_shortfalls(far, Validation())} >= {"length", "vocabulary"}
    copied = fidelity([real[0].upper(), "a new one", "a new one"], real, parents=real)
    assert copied.exact_copies == pytest.approx(2 / 3)
    assert any("exact copies" in reason.problem for reason in fidelity_shortfalls(copied, Validation()))


def test_privacy_tells_memorised_gold_from_held_back_reference() -> None:
    writer = Writer(seed=3)
    gold, reference = ([writer.text("login") for _ in range(30)] for _ in range(2))
    memorised = privacy([f"{text} now" for text in gold], gold=gold, reference=reference)
    assert memorised is not None
    assert memorised.membership_auc > 0.95
    assert memorised.median_distance_gold < memorised.median_distance_reference
    fresh = privacy([writer.text("login") for _ in range(30)], gold=gold, reference=reference)
    assert fresh is not None
    assert 0.3 < fresh.membership_auc < 0.7
    assert privacy(["a"], gold=gold[:4], reference=reference) is None
    assert privacy([], gold=gold, reference=reference) is None


def test_a_candidate_s_id_follows_from_what_it_says() -> None:
    def made(text: str, channel: Channel = Channel.LLM, batch: str = "b") -> str:
        one = candidate(text, channel=channel, capability="login", answer="login", batch=batch, parents=("gold-1",))
        assert one.example.origin is Origin.SYNTHETIC
        return one.example.id

    assert made("a text") == made("a text", batch="other")
    assert made("a text") != made("another text")
    assert made("a text") != made("a text", channel=Channel.PERTURBATION)


@pytest.mark.parametrize(
    ("origin", "choice", "edits", "expected"),
    [
        (Origin.SYNTHETIC, Choice.ACCEPT, {}, Origin.SYNTHETIC),
        (Origin.SYNTHETIC, Choice.ACCEPT, {"edited_answer": "refund"}, Origin.SYNTHETIC),
        (Origin.SYNTHETIC, Choice.EDIT, {"edited_input": "better words"}, Origin.CORRECTED),
        (Origin.SYNTHETIC, Choice.EDIT, {"edited_answer": "refund"}, Origin.CORRECTED),
        (Origin.SYNTHETIC, Choice.EDIT, {"edited_input": "the words"}, Origin.SYNTHETIC),
        (Origin.HUMAN, Choice.EDIT, {"edited_answer": "refund"}, Origin.HUMAN),
        (Origin.HUMAN, Choice.REJECT, {}, None),
        (Origin.HUMAN, Choice.UNDECIDED, {}, None),
    ],
)
def test_a_decision_keeps_or_changes_the_origin(
    origin: Origin, choice: Choice, edits: dict[str, str], expected: Origin | None
) -> None:
    shown = {"candidate": "c", "capability": "login", "origin": origin, "input": user("the words"), "answer": "login"}
    example = decided(Decision.model_validate({**shown, "decision": choice, **edits}))
    assert (example.origin if example else None) == expected
    if example and choice is Choice.ACCEPT:
        assert (example.answer, example.input[-1].content) == ("login", "the words")


def scores(value: float, **perturbed: float) -> ModelScores:
    """Under the perturbations that are not named, as without one; under none at all where none is named."""
    robustness = dict.fromkeys(PERTURBED, value) | perturbed if perturbed else {}
    one = SetScore(scenarios=100, passed=round(100 * value), composite=value, capabilities={"login": value})
    return ModelScores(adapter=None, sets={SetName.CORE: one, SetName.HELDOUT: one}, robustness=robustness)


def scorecard(**changes: Any) -> Scorecard:
    pairs = {
        name: Comparison(
            against=name,
            scenarios=100,
            gained=30,
            lost=1,
            difference=0.3,
            interval=Interval(low=0.2, high=0.4),
            p_value=1e-6,
        )
        for name in ("base", "incumbent", "control")
    }
    value: dict[str, Any] = {
        "cluster": "desk",
        "iteration": "desk-1",
        "benchmark_version": 1,
        "benchmark_sha256": "0" * 64,
        "models": {"incumbent": scores(0.5), "candidate": scores(0.9, typos=0.7)},
        "comparisons": tuple(pairs.values()),
        "capability_comparisons": {},
        "worse_capabilities": (),
        "regressions": Regressions(count=3, of=100, scenarios=()),
    }
    return Scorecard(**{**value, **changes})


def compared(**changes: Any) -> tuple[Comparison, ...]:
    return tuple(one.model_copy(update=changes) if one.against == "control" else one for one in scorecard().comparisons)


GATE = {"thresholds": {"composite": 0.8, "heldout": 0.8}, "max_robustness_drop": 0.25, "max_latency_p95_ms": 50}


def test_a_good_candidate_holds_every_limit() -> None:
    who = cluster(gate=GATE)
    assert limits(scorecard(), who, human_share=0.25, latency_p95_ms=50) == ()
    found = summary(scorecard(), who)
    assert (found.composite_before, found.heldout_after, found.regressions, found.p_value) == (0.5, 0.9, 3, 1e-6)


@pytest.mark.parametrize(
    ("changes", "more", "step"),
    [
        ({"models": {"candidate": scores(0.79, typos=0.79)}}, {}, "thresholds"),
        ({"models": {}}, {}, "thresholds"),
        ({"models": {"candidate": ModelScores(adapter=None, sets={}, robustness={"typos": 1})}}, {}, "thresholds"),
        ({"comparisons": compared(p_value=0.0101)}, {}, "significance"),
        ({"comparisons": compared(gained=1, lost=30)}, {}, "significance"),
        ({"comparisons": compared()[:2]}, {}, "significance"),
        ({"regressions": Regressions(count=6, of=100, scenarios=())}, {}, "regressions"),
        ({"regressions": Regressions(count=1, of=0, scenarios=())}, {}, "regressions"),
        ({"worse_capabilities": ("login",)}, {}, "capabilities"),
        ({"models": {"candidate": scores(0.9, typos=0.64)}}, {}, "robustness"),
        ({"models": {"candidate": scores(0.9)}}, {}, "robustness"),
        ({}, {"human_share": 0.24}, "human floor"),
        ({}, {"latency_p95_ms": 51.0}, "latency"),
    ],
)
def test_each_limit_refuses_on_its_own(changes: dict[str, Any], more: dict[str, float], step: str) -> None:
    reasons = limits(scorecard(**changes), cluster(gate=GATE), **more)
    assert {reason.step for reason in reasons} == {step}


def test_every_limit_that_fails_is_listed() -> None:
    bad = scorecard(
        models={"candidate": scores(0.1, typos=0.0)}, comparisons=compared(p_value=1.0), worse_capabilities=("login",)
    )
    assert len(limits(bad, cluster(gate=GATE), human_share=0.0, latency_p95_ms=99)) == 6
