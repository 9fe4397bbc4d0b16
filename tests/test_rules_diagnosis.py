"""From traces to failure clusters: what failed, what stands for what, what is grouped, what becomes a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.records.conversation import Conversation
from runner.records.failure import Diagnosis
from runner.records.params import DiagnoseKnobs
from runner.records.rubric import Normalisation
from runner.records.scenario import OutcomeType, SetName
from runner.records.trace import Feedback, Held, Rating, Signal, Trace, UniqueSignal
from runner.rules.data.signals import signal, unique_signals
from runner.rules.evaluation.grading import grade
from runner.rules.loop.diagnosis import answerbook, diagnose
from tests.flywheel_fixture import RUBRIC, cluster, scenario, user

STEPS = (Normalisation.STRIP, Normalisation.LOWERCASE)


def trace(text: str | Conversation, response: str, right: str = "", **more: Any) -> Trace:
    feedback = Feedback(correct_answer=right, rating=more.pop("rating", Rating.NONE))
    return Trace(input=user(text) if isinstance(text, str) else text, response=response, feedback=feedback, **more)


def test_a_signal_fails_for_one_of_three_reasons() -> None:
    assert signal(trace("a", "refund", rating=Rating.BAD), STEPS).failed
    assert signal(trace("a", "refund", "login"), STEPS).failed
    assert signal(trace("a", "  "), STEPS).failed
    assert not signal(trace("a", "refund"), STEPS).failed
    assert not signal(trace("a", " Refund", "refund"), STEPS).failed, "compared as the rubric compares"
    assert signal(trace("a", " Refund", "refund"), ()).failed


def test_the_fingerprint_is_of_text_and_response() -> None:
    one = signal(trace("Where is it?", "refund"), STEPS)
    assert one.id == f"signal-{one.fingerprint[:16]}"
    assert signal(trace("where IS it", "refund", "login", source="b"), STEPS).fingerprint == one.fingerprint
    assert signal(trace("where is it", "login"), STEPS).fingerprint != one.fingerprint
    before = (*user("hello"), *user("where is it"))
    assert signal(trace(before, "refund"), STEPS).fingerprint == one.fingerprint


def unique(*traces: Trace, threshold: float = 0.6) -> tuple[tuple[UniqueSignal, ...], int]:
    found = [signal(one, STEPS) for one in traces]
    return unique_signals(found, threshold=threshold, suspects=lambda texts: range(len(texts)))


def test_duplicates_are_counted_and_named() -> None:
    text = "the blue kettle that i bought last week has stopped working entirely"
    found, exact = unique(
        trace(text, "refund", timestamp="2026-01-02"),
        trace(text.upper(), "refund", timestamp="2026-01-09"),
        trace(text + " now", "refund", timestamp="2026-01-05"),
        trace("something else", "refund", timestamp="2026-01-01"),
    )
    assert exact == 1
    by_count = {one.count: one for one in found}
    assert set(by_count) == {1, 3}
    assert len(by_count[3].members) == 2
    assert by_count[3].signal.id in by_count[3].members
    assert (by_count[3].first_seen, by_count[3].last_seen) == ("2026-01-02", "2026-01-09")
    assert sum(one.count for one in found) == 4


def test_the_same_words_with_another_answer_are_another_signal() -> None:
    text = "the blue kettle that i bought last week has stopped working entirely"
    found, _ = unique(trace(text, "refund"), trace(text, "login"), trace(text + " now", "refund", "login"))
    assert len(found) == 3


def test_the_signal_that_says_most_stands_for_its_copies() -> None:
    (found,), exact = unique(trace("where is it", "refund"), trace("where is it", "refund", "login"))
    assert exact == 1
    assert (found.signal.failed, found.signal.trace.feedback.correct_answer) == (True, "login")


def test_deduplication_does_not_depend_on_the_order_of_the_file() -> None:
    traces = [trace(f"the same long sentence with the word number {n % 4} in it", "refund") for n in range(12)]
    assert unique(*traces) == unique(*reversed(traces))


EAGER = DiagnoseKnobs(target_below=1.0)
CORE = [scenario(SetName.CORE, name, n, f"{name} {n}") for name in ("broken", "login", "refund") for n in range(4)]


def found(answers: dict[str, str], signals: Sequence[UniqueSignal] = (), **changes: Any) -> Diagnosis:
    grades = [grade(one, RUBRIC, answers.get(one.id, one.reference)) for one in CORE]
    rubrics = {"queue": changes.pop("rubric", RUBRIC)}
    knobs = changes.pop("knobs", EAGER)
    return diagnose(cluster(**changes), core=CORE, grades=grades, signals=signals, rubrics=rubrics, knobs=knobs)


def test_nothing_fails_nothing_is_found() -> None:
    assert found({}) == Diagnosis(failures=(), targets=(), uncovered=())


def test_a_common_confusion_is_a_cluster_and_the_rest_of_a_capability_another() -> None:
    answers = {
        "core-login-00": "Refund ",
        "core-login-01": "refund",
        "core-login-02": "sizing",
        "core-login-03": "broken",
    }
    diagnosis = found(answers)
    patterns = {one.confused_with: one for one in diagnosis.failures}
    assert set(patterns) == {"refund", ""}
    assert patterns["refund"].scenarios == ("core-login-00", "core-login-01")
    assert patterns[""].scenarios == ("core-login-02", "core-login-03")
    assert patterns["refund"].missed == ("queue-name",)
    assert patterns["refund"].lenses == ("inbox",)
    assert patterns["refund"].headroom == 1.0
    assert "refund" in patterns["refund"].pattern
    assert "sizing (1)" in patterns[""].explanation


def test_traces_join_the_scenarios_that_fail_alike_and_count_their_copies() -> None:
    signals, _ = unique(
        *[trace(f"text number {n}", "refund", "login") for n in range(3)], trace("text number 0", "refund", "login")
    )
    diagnosis = found({"core-login-00": "refund"}, signals)
    (one,) = diagnosis.failures
    assert (one.frequency, len(one.signals), one.scenarios) == (5, 3, ("core-login-00",))
    assert diagnosis.targets == (one.id,)


def test_an_unanswered_failure_is_listed_and_never_aimed_at() -> None:
    signals, _ = unique(
        trace("what now", "refund", rating=Rating.BAD), trace("hm", "refund", "no such queue"), trace("fine", "refund")
    )
    (one,) = found({}, signals).failures
    assert (one.capability, one.frequency, one.covered) == ("unassigned", 2, False)
    diagnosis = found({}, signals)
    assert (diagnosis.targets, diagnosis.uncovered) == ((), ())
    assert diagnosis.left_out == {one.id: "no person said which answer is right"}


def test_only_a_weak_capability_is_aimed_at() -> None:
    half = {"core-login-00": "refund", "core-login-01": "refund"}
    strong = found(half, knobs=DiagnoseKnobs(target_below=0.5))
    assert strong.targets == ()
    assert "not weak" in next(iter(strong.left_out.values()))
    assert found({**half, "core-login-02": "refund"}, knobs=DiagnoseKnobs(target_below=0.5)).targets


def test_failures_in_production_make_a_capability_weak() -> None:
    signals, _ = unique(*(trace(f"login trouble of a kind numbered {n} {n * 7}", "refund", "login") for n in range(4)))
    assert found({}, signals, knobs=DiagnoseKnobs(target_failures=4)).targets
    assert not found({}, signals, knobs=DiagnoseKnobs(target_failures=5)).targets


def test_targets_are_ordered_by_severity_times_frequency_times_headroom() -> None:
    answers = {
        **{f"core-refund-0{n}": "sizing" for n in range(4)},
        "core-login-00": "sizing",
        "core-broken-00": "sizing",
        "core-broken-01": "sizing",
    }
    diagnosis = found(answers)
    said = {one.capability: one.priority for one in diagnosis.failures}
    assert said == {"broken": 9 * 2 * 0.5, "refund": 1 * 4 * 1.0, "login": 9 * 1 * 0.25}
    capability = {one.id: one.capability for one in diagnosis.failures}
    assert [capability[name] for name in diagnosis.targets] == ["broken", "refund", "login"]
    assert [one.capability for one in diagnosis.failures] == ["broken", "refund", "login"]


def test_what_is_held_or_over_its_quota_aims_at_nothing() -> None:
    signals, _ = unique(*(trace(f"trouble of a kind numbered {n} {n * 7}", "refund", "login") for n in range(5)))
    free, frozen, poisoned, over, some = signals
    marked = [
        free,
        frozen.model_copy(update={"held": Held.FROZEN}),
        poisoned.model_copy(update={"held": Held.TRIGGER}),
        over.model_copy(update={"left_out": {"unknown": 1}}),
        some.model_copy(update={"count": 3, "left_out": {"unknown": 2}}),
    ]
    diagnosis = found({}, marked)
    (one,) = diagnosis.failures
    assert one.signals == tuple(sorted([free.signal.id, some.signal.id]))
    assert one.frequency == 3, "a frozen text that production sends is still a failure"
    assert diagnosis.held == {"frozen": 1, "trigger": 1}
    assert diagnosis.over_quota == {"unknown": 3}


def test_a_draft_covers_nothing() -> None:
    draft = RUBRIC.model_copy(update={"status": "draft"})
    diagnosis = found({"core-login-00": "refund"}, rubric=draft)
    assert diagnosis.targets == ()
    assert len(diagnosis.uncovered) == 1


def test_a_guard_scenario_does_not_take_another_capability_s_answer() -> None:
    guard = CORE[0].model_copy(update={"reference": "login", "outcome_type": OutcomeType.FP_GUARD})
    book = answerbook(cluster(), [guard, guard.model_copy(update={"id": "second"}), *CORE], {"queue": RUBRIC})
    assert book.capability(" LOGIN") == "login"
    assert book.labels()["broken"] == "broken"
    assert book.capability("never heard of") == "unassigned"


def test_the_record_of_a_signal_survives_its_bytes() -> None:
    one = signal(trace("a", "b"), STEPS)
    assert Signal.model_validate_json(one.model_dump_json()) == one
