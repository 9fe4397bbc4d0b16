"""Structured answers in diagnosis: whose they are, and what is wrong with a wrong one."""

from __future__ import annotations

import json

from runner.records.params import DiagnoseKnobs
from runner.records.scenario import SetName
from runner.records.trace import Feedback, Trace
from runner.rules.data.signals import signal, unique_signals
from runner.rules.evaluation.grading import grade
from runner.rules.loop.diagnosis import answerbook, diagnose
from tests.flywheel_fixture import RUBRIC, cluster, scenario, user


def weather(city: str, intent: str = "login", **slots: str) -> str:
    return json.dumps({"intent": intent, "slots": {"city": city, **slots}})


def test_structured_answers_belong_to_the_capability_that_their_field_names() -> None:
    desk = cluster().model_copy(update={"answer_field": "intent"})
    core = [scenario(SetName.CORE, "login", 1, "log me in").model_copy(update={"reference": weather("Oslo")})]
    book = answerbook(desk, core, {RUBRIC.id: RUBRIC})
    assert book.capability(weather("Rome")) == "login"
    assert book.capability(weather("Rome", "Refund")) == "refund"
    assert book.capability("login") == book.capability("{}") == "unassigned"


def test_wrong_objects_are_grouped_by_what_is_wrong_with_them() -> None:
    desk = cluster().model_copy(update={"answer_field": "intent"})
    right = weather("Oslo", when="noon")
    core = [scenario(SetName.CORE, "login", n, f"log me in {n}") for n in range(1, 7)]
    core = [one.model_copy(update={"reference": right}) for one in core]
    answers = [
        weather("Rome", when="noon"),
        weather("Bari", when="noon"),
        weather("Oslo", "refund", when="noon"),
        weather("Rome", "refund"),
        "sorry",
        right,
    ]
    grades = [grade(one, RUBRIC, answer) for one, answer in zip(core, answers, strict=True)]
    seen = Trace(
        input=user("log me in, at last"),
        response=weather("Nice", when="noon"),
        feedback=Feedback(correct_answer=right),
    )
    signals, _ = unique_signals([signal(seen, ())], threshold=0.6, suspects=lambda texts: ())
    found = diagnose(
        desk, core=core, grades=grades, signals=signals, rubrics={RUBRIC.id: RUBRIC}, knobs=DiagnoseKnobs()
    )
    sizes = {one.confused_with: one.frequency for one in found.failures}
    assert sizes == {"another slots.city": 3, "refund": 2, "": 1}
    assert {one.capability for one in found.failures} == {"login"}
