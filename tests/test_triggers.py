"""Re-run triggers as rules: each fires at its boundary and not before it, on evidence of what was and what is."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from runner.begin import begin, next_entry, queue_for, taking_up
from runner.cli import triggers
from runner.edges.artifacts import rows_bytes
from runner.edges.new_rows import new_rows
from runner.edges.simulated_repository import MemoryLedger
from runner.errors import DataError, ExitCode, LedgerRace, RecordError
from runner.ledger import History
from runner.phases.p01_intake import pin
from runner.records.change_review import Direction
from runner.records.dataset import Batch
from runner.records.fired import Fired
from runner.records.generation import Generation
from runner.records.ledger import EntryKind, RunState
from runner.records.params import ClusterParams
from runner.records.schemas import schema
from runner.records.signal_policy import SignalPolicy
from runner.records.trace import Feedback, Flag, Rating, Trace
from runner.records.trigger_findings import Answer, Finding, Findings
from runner.records.triggers import RealData, Trigger, trigger_name
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.data.prompts import template_digest
from runner.rules.evaluation.statistics import wilson
from runner.rules.loop.production import Period, Production, dated, fallen, judged, production
from runner.rules.loop.trigger_facts import Facts, Unknown, facts, made_with
from runner.rules.loop.trigger_words import outcome, told
from runner.rules.loop.triggers import Present, Since, findings, fired
from runner.rules.repository.crossref_triggers import trigger_faults
from runner.rules.review.directions import CLUSTER
from runner.rules.review.settings import effective, setting_changes
from runner.rules.review.side import Side
from runner.rules.text import perturbation
from runner.rules.times import moment, written
from runner.wiring import check
from tests.desk_repository import git, make
from tests.flywheel_fixture import cluster, fixture, user

AT = "2026-03-01T02:00:00Z"
QUIET = Production("", "2026-02-15", "2026-03-01", Period(0, 0), Period(0, 0), 0)
SPACE, _ = fixture()
DIGESTS = {**SPACE.digests, "data/gold": "1" * 64, "data/signals": "2" * 64, "data/base": "3" * 64}


def trigger(**said: Any) -> Trigger:
    return TypeAdapter(Trigger).validate_python(said)


def known(params: ClusterParams = SPACE.params, **changes: Any) -> Facts:
    """The fixture's facts; `changes` go into cluster.yaml."""
    return facts(cluster(**changes), params, DIGESTS)


def since(iteration: str = "desk-one", *, began: str = "2026-01-01T02:00:00Z", **changes: Any) -> Since:
    return Since(iteration, **{"began": began, "facts": known(), "fresh": {}, **changes})


def present(production: Production | Unknown = QUIET, *, at: str = AT, **changes: Any) -> Present:
    return Present(changes.get("facts", known()), production, at)


def one(asked: Trigger, now: Present, against: Since | None = None, *, incumbent: Since | None = None) -> Finding:
    """What becomes of one trigger against the last iteration, and the incumbent's where it is another."""
    (found,) = findings([asked], now, incumbent=incumbent, last=against or since())
    return found


def days_later(text: str, days: float) -> str:
    return written(moment(text) + timedelta(days=days))


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "age"},
        {"kind": "age", "days": 0},
        {"kind": "age", "days": 3651},
        {"kind": "real-data", "rows": 10},
        {"kind": "real-data", "of": "synthetic", "rows": 10},
        {"kind": "real-data", "of": "gold", "rows": 0},
        {"kind": "score-drop", "drop": 0},
        {"kind": "score-drop", "drop": 1},
        {"kind": "score-drop", "drop": 0.1, "confidence": 0.5},
        {"kind": "score-drop", "drop": 0.1, "confidence": 1},
        {"kind": "score-drop", "drop": 0.1, "min_signals": 5},
        {"kind": "base", "days": 3},
        {"kind": "moon"},
    ],
)
def test_a_trigger_out_of_bounds_is_no_trigger(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        trigger(**said)


def test_what_names_no_triggers_has_the_bytes_it_had() -> None:
    assert "triggers" not in cluster().model_dump()
    with_one = cluster(triggers=[{"kind": "age", "days": 90}])
    assert with_one.model_dump(mode="json")["triggers"] == [{"kind": "age", "days": 90}]
    assert [trigger_name(one) for one in with_one.triggers] == ["age"]


@pytest.mark.parametrize(("days", "fires"), [(89.99, False), (90, True), (200, True)])
def test_age(days: float, fires: bool) -> None:
    began = "2026-01-01T02:00:00Z"
    found = one(trigger(kind="age", days=90), present(at=days_later(began, days)), since(began=began))
    assert (found.answer is Answer.FIRED) is fires
    assert found.evidence.dates["began"] == began
    assert found.evidence.counts == {"days": math.floor(days), "asked": 90}
    assert found.due is fires


def test_an_age_that_the_ledger_does_not_tell_is_unknown() -> None:
    found = one(trigger(kind="age", days=1), present(), since(began=Unknown("no times")))
    assert (found.answer, found.because, found.due) == (Answer.UNKNOWN, "no times", False)


@pytest.mark.parametrize(("rows", "fires"), [(0, False), (199, False), (200, True), (900, True)])
def test_so_many_new_rows(rows: int, fires: bool) -> None:
    found = one(trigger(kind="real-data", of="gold", rows=200), present(), since(fresh={RealData.GOLD: rows}))
    assert (found.answer is Answer.FIRED, found.due) == (fires, fires)
    assert found.evidence.counts == {"rows": rows, "asked": 200}
    assert found.trigger == "real-data gold"
    assert found.evidence.digests == {"was": DIGESTS["data/gold"], "now": DIGESTS["data/gold"]}


def test_rows_that_cannot_be_counted_and_data_that_is_not_there_are_unknown() -> None:
    asked = trigger(kind="real-data", of="signals", rows=5)
    gone = one(asked, present(), since(fresh={RealData.SIGNALS: Unknown("object abc is not in the cache")}))
    assert (gone.answer, gone.because) == (Answer.UNKNOWN, "object abc is not in the cache")
    without = replace(known(), data={})
    assert one(asked, present(facts=without), since()).because == "there is no data/signals"
    assert one(asked, present(), since()).because == "the rows of data/signals were not counted"


CHANGES: dict[str, Any] = {
    "instruction": {"instruction": "Answer with the queue."},
    "capabilities": {"capabilities": [{"id": "refund", "title": "Refund", "definition": "another"}]},
    "domain rules": {
        "domain_rules": [
            {"id": "no-rival", "reason": "another shop", "check": {"kind": "must-not-contain", "values": ["rival"]}}
        ]
    },
}


@pytest.mark.parametrize("part", ["problem.md", "rubrics", "judges", *CHANGES])
def test_each_part_of_the_task(part: str) -> None:
    key = {"problem.md": "problem"}.get(part, part)
    now = known(**CHANGES[part]) if part in CHANGES else facts(cluster(), SPACE.params, {**DIGESTS, key: "f" * 64})
    found = one(trigger(kind="task"), present(facts=now))
    assert (found.answer, found.because) == (Answer.FIRED, f"other than then: {part}")
    assert found.evidence.digests[f"now/{part}"] == now.task[part]
    assert found.evidence.digests[f"was/{part}"] == known().task[part] != now.task[part]


def test_what_is_no_part_of_the_task_changes_nothing() -> None:
    now = facts(cluster(heldout_looks=3, title="Another"), SPACE.params, {**DIGESTS, "policy": "f" * 64})
    assert one(trigger(kind="task"), present(facts=now)).answer is Answer.QUIET


def test_another_base() -> None:
    asked = trigger(kind="base")
    hub = {"kind": "hub", "id": "org/base", "revision": "a" * 40}
    assert one(asked, present()).answer is Answer.QUIET
    moved = present(facts=known(base={**hub, "revision": "b" * 40}))
    found = one(asked, moved, since(facts=known(base=hub)))
    assert found.because == "the base was org/base@aaaaaaaaaaaa, and is org/base@bbbbbbbbbbbb"
    assert found.evidence.digests["was"] != found.evidence.digests["now"]
    longer = SPACE.params.model_copy(update={"base": SPACE.params.base.model_copy(update={"steps": (300,)})})
    assert one(asked, present(facts=known(longer))).answer is Answer.FIRED
    other = SPACE.params.model_copy(update={"train": SPACE.params.train.model_copy(update={"epochs": 9})})
    assert one(asked, present(facts=known(other))).answer is Answer.QUIET


FEW_SHOT = {"kind": "few-shot"}


def batch(name: str, version: str, **parameters: str) -> Batch:
    made = {"name": name, "version": version, "sha256": "a" * 64}
    provenance = {"channel": "llm", "generator": made, "parameters": parameters, "seed": 7, "target": "login"}
    return Batch.model_validate({"id": f"login-{version[:3]}", "provenance": {**provenance, "parents": [], "count": 0}})


def test_another_version_of_a_generator() -> None:
    asked = trigger(kind="generator")
    then = made_with([batch("runner.rules.perturbation", "0"), batch("base-with-target-adapter", "torch 1")], known())
    found = one(asked, present(), since(facts=then))
    assert (found.answer, found.because) == (Answer.FIRED, f"perturbation: 0, now {perturbation.VERSION}")
    assert found.evidence.was == "llm: the base; perturbation: 0"
    same = made_with([batch("base", "torch 1"), batch("runner.rules.perturbation", perturbation.VERSION)], known())
    assert one(asked, present(), since(facts=same)).answer is Answer.QUIET
    assert one(asked, present(), since(facts=made_with([], known()))).answer is Answer.QUIET


def test_other_prompts_are_another_generator() -> None:
    asked, few = trigger(kind="generator"), ClusterParams.model_validate({"expand": {"generators": [FEW_SHOT]}})
    then = made_with([batch("base-few-shot", "torch 1", template="f" * 64)], known(few))
    found = one(asked, present(facts=known(few)), since(facts=then))
    assert (
        found.because == f"llm-few-shot: the base, prompts {'f' * 12}, now the base, prompts {template_digest()[:12]}"
    )
    same = made_with([batch("base-few-shot", "torch 2", template=template_digest())], known(few))
    assert one(asked, present(facts=known(few)), since(facts=same)).answer is Answer.QUIET


def test_a_server_with_another_model_and_a_new_one() -> None:
    asked = trigger(kind="generator")

    def served(model: str) -> Facts:
        server = {"id": "big", "url": "https://models.example/v1", "model": model, "sends": ["gold"]}
        choices = [{"kind": "perturbation"}, {"kind": "server", "server": "big"}]
        params = ClusterParams.model_validate({"expand": {"generators": choices}})
        return known(params, generation=Generation.model_validate({"servers": [server]}))

    found = one(asked, present(facts=served("writer-2")), since(facts=served("writer-1")))
    assert found.because.startswith("llm-big: writer-1, prompts ")
    assert "now writer-2" in found.because
    assert "llm-big: not used, now writer-2" in one(asked, present(facts=served("writer-2"))).because


def drop(**said: Any) -> Trigger:
    return trigger(kind="score-drop", **{"drop": 0.05, "days": 14, "min_signals": 100, **said})


def periods(before: tuple[int, int], lately: tuple[int, int]) -> Production:
    return replace_periods(QUIET, Period(*before), Period(*lately))


def replace_periods(found: Production, before: Period, lately: Period) -> Production:
    return found._replace(before=before, lately=lately)


def test_a_score_drop_fires_by_its_bound_and_not_by_the_bare_difference() -> None:
    certain = one(drop(), present(periods((1000, 900), (1000, 700))))
    assert (certain.answer, certain.due) == (Answer.FIRED, True)
    assert certain.evidence.shares["fell at least"] > 0.05
    few = one(drop(), present(periods((100, 90), (100, 80))))
    assert few.answer is Answer.QUIET  # fell by .1, and might have by less than .05
    assert few.evidence.shares["before"] - few.evidence.shares["lately"] == pytest.approx(0.1)
    assert one(drop(), present(periods((1000, 700), (1000, 900)))).answer is Answer.QUIET


def test_the_boundary_of_a_score_drop_is_its_bound() -> None:
    found = periods((400, 360), (400, 300))
    bound = fallen(found, confidence=0.99)
    assert one(drop(drop=bound - 1e-9), present(found)).answer is Answer.FIRED
    assert one(drop(drop=bound), present(found)).answer is Answer.QUIET


@pytest.mark.parametrize(("before", "lately", "fires"), [(100, 100, True), (99, 100, False), (100, 99, False)])
def test_too_few_judged_signals_say_nothing(before: int, lately: int, fires: bool) -> None:
    found = one(drop(), present(periods((before, before), (lately, 20))))
    assert (found.answer is Answer.FIRED) is fires
    assert fires or found.because == (
        f"{lately} judged signals in the last 14 days, {before} before; each must have 100"
    )


def test_a_score_drop_after_the_iteration_began_is_that_iterations_matter() -> None:
    fell = periods((1000, 900), (1000, 700))
    assert one(drop(), present(fell), since(began="2026-02-14T23:59:59Z")).answer is Answer.FIRED
    within = one(drop(), present(fell), since(began="2026-02-15T00:00:00Z"))
    assert (within.answer, within.because) == (Answer.QUIET, "desk-one began within the last 14 days")


@settings(max_examples=60, deadline=None)
@given(
    before=st.tuples(st.integers(20, 5000), st.floats(0, 1)),
    lately=st.tuples(st.integers(20, 5000), st.floats(0, 1)),
    confidence=st.floats(0.8, 0.999),
)
def test_the_bound_is_below_the_difference_and_falls_with_confidence(
    before: tuple[int, float], lately: tuple[int, float], confidence: float
) -> None:
    found = periods(*((size, round(size * share)) for size, share in (before, lately)))
    bound = fallen(found, confidence=confidence)
    assert -1 - 1e-6 <= bound <= found.before.share - found.lately.share + 1e-6
    assert fallen(found, confidence=min(0.9999, confidence + 0.0005)) <= bound + 1e-6


def test_the_bound_is_newcombes() -> None:
    """Method 10 of Newcombe 1998 for 56 of 70 against 48 of 80, his table II: .0524 to .3339 at 95 %, two-sided."""
    found = periods((70, 56), (80, 48))
    assert fallen(found, confidence=0.975) == pytest.approx(0.0524, abs=5e-5)
    assert wilson(56, 70)[0] < 0.8


def test_a_fall_of_exactly_the_drop_fires_no_more_often_than_stated() -> None:
    chance = random.Random(3)

    def drawn(share: float) -> int:
        return sum(chance.random() < share for _ in range(200))

    for start in (0.9, 0.6):
        alarms = sum(
            fallen(periods((200, drawn(start)), (200, drawn(start - 0.1))), confidence=0.9) > 0.1 for _ in range(400)
        )
        assert alarms <= 400 * 0.1 + 3 * math.sqrt(400 * 0.1 * 0.9)


def said(right: bool | None, day: str, *, source: str = "unknown", **changes: Any) -> Trace:
    """A trace of a day that somebody judged right or wrong, or nobody judged."""
    rating = Rating.NONE if right is None else Rating.GOOD if right else Rating.BAD
    stamp = f"{day}T12:00:00Z" if day else ""
    return Trace.model_validate(
        {
            "input": user(f"{day} {right} {source}"),
            "response": "refund",
            "feedback": Feedback(rating=rating),
            "timestamp": stamp,
            "source": source,
            **changes,
        }
    )


def test_what_counts_as_judged() -> None:
    assert judged(said(None, "2026-01-01"), ()) is None
    assert judged(said(True, "2026-01-01"), ()) is True
    assert judged(said(False, "2026-01-01"), ()) is False
    assert judged(said(None, "2026-01-01", feedback=Feedback(correct_answer="refund")), ()) is True
    assert judged(said(None, "2026-01-01", feedback=Feedback(correct_answer="login")), ()) is False
    assert judged(said(None, "2026-01-01", response=""), ()) is False


def test_the_two_times_and_what_is_of_neither() -> None:
    days = {
        "2025-12-31": "before the model served",
        "2026-01-01": "its first day",
        "2026-02-14": "the last day of before",
        "2026-02-15": "the first of the last fourteen",
        "2026-02-28": "the last",
        "2026-03-01": "today",
        "2026-04-01": "a clock that is wrong",
        "": "no date",
    }
    traces = [said(False, day) for day in days] + [said(None, "2026-02-20")]
    found = production(traces, (), SignalPolicy(), days=14, since="2026-01-01T00:00:00Z", at=AT)
    assert (found.start, found.turn, found.end) == ("2026-01-01T00:00:00Z", "2026-02-15", "2026-03-01")
    assert (found.before, found.lately, found.undated) == (Period(2, 0), Period(2, 0), 1)
    whole = production(traces, (), SignalPolicy(), days=14, since="", at=AT)
    assert whole.before == Period(3, 0)
    assert dated("2026-02-20") is None  # a day without a time zone is no moment


def test_one_sender_makes_no_drop_and_flagged_text_counts_for_nothing() -> None:
    calm = [said(True, "2026-02-20", source=f"user-{number}/desk") for number in range(60)]
    flood = [said(False, "2026-02-20", source="angry/desk") for _ in range(3000)]
    found = production([*calm, *flood], (), SignalPolicy(), days=14, since="", at=AT)
    assert found.lately.passed == 60
    assert found.lately.judged - 60 <= 0.34 * found.lately.judged + 1
    unbound = production([*calm, *flood], (), SignalPolicy(max_source_share=1.0), days=14, since="", at=AT)
    assert unbound.lately == Period(3060, 60)
    spoken = [said(False, "2026-02-20", flags=[Flag.INSTRUCTION])]
    assert production(spoken, (), SignalPolicy(), days=14, since="", at=AT).lately == Period(0, 0)
    assert production(spoken, (), SignalPolicy(flagged="use"), days=14, since="", at=AT).lately == Period(1, 0)


def test_a_trigger_that_the_last_iteration_was_of_already_is_not_due() -> None:
    old, recent = since("desk-one"), since("desk-two", began="2026-02-20T00:00:00Z")
    found = one(trigger(kind="age", days=30), present(), recent, incumbent=old)
    assert (found.answer, found.due, found.since) == (Answer.FIRED, False, "desk-two")
    assert found.evidence.against == "desk-one"
    again = one(trigger(kind="age", days=9), present(), recent, incumbent=old)
    assert (again.answer, again.due) == (Answer.FIRED, True)


def test_what_is_unknown_of_the_last_iteration_makes_the_trigger_unknown() -> None:
    last = since("desk-two", began=Unknown("no times"))
    found = one(trigger(kind="age", days=9), present(), last, incumbent=since("desk-one"))
    assert (found.answer, found.due, found.evidence.against) == (Answer.UNKNOWN, False, "desk-two")


def test_nothing_fires_before_the_first_iteration() -> None:
    (found,) = findings([trigger(kind="age", days=1)], present(), incumbent=None, last=None)
    assert (found.answer, found.due) == (Answer.QUIET, False)


EVERY = (
    trigger(kind="age", days=1),
    trigger(kind="base"),
    trigger(kind="task"),
    trigger(kind="generator"),
    trigger(kind="real-data", of="gold", rows=1),
    drop(),
)


def test_files_that_cannot_be_read_make_every_trigger_that_asks_for_them_unknown() -> None:
    lost = since(facts=Unknown("its branch is gone"))
    found = findings(EVERY, present(Unknown("no signals")), incumbent=None, last=lost)
    assert [one.answer for one in found] == [Answer.FIRED, *[Answer.UNKNOWN] * 5]


def test_what_fired_is_told_with_its_day_and_the_lines_say_so() -> None:
    found = findings(EVERY, present(), incumbent=None, last=since(fresh={RealData.GOLD: 0}))
    (begun,) = fired(found, at=AT)
    assert (begun.trigger, begun.on, begun.because) == ("age", "2026-03-01", "desk-one began 59 days ago, 1 are asked")
    said = Findings(cluster="desk", at=AT, last="desk-one", findings=found, queued="desk-two")
    lines = list(told(said))
    assert lines[0] == "desk: against desk-one, at 2026-03-01T02:00:00Z"
    assert lines[1] == "  fired    age             desk-one began 59 days ago, 1 are asked"
    assert lines[-1] == "  queued desk-two: hallmark iterate desk takes it up"


def test_a_reason_of_several_lines_is_told_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = Finding(trigger="task", answer=Answer.UNKNOWN, because="the branch is gone:\n\x1b[2Jfatal")
    said = Findings(cluster="desk", at=AT, findings=(finding,))
    monkeypatch.setattr(triggers, "judged", lambda *_, **__: said)
    done = CliRunner().invoke(triggers.triggers, ["desk"], standalone_mode=False)
    assert done.stdout.splitlines()[1:] == ["  unknown  task  the branch is gone: \\u001b[2Jfatal"]


def test_what_triggers_queue_while_a_turn_begins_is_superseded_by_none() -> None:
    """A turn of the same tree, which is over, or of a newer one, looked at the ledger before they did."""
    store, due = MemoryLedger(), Fired(trigger="age", on="2026-03-01", because="old")
    newer = replace(SPACE, digests={**SPACE.digests, "problem": "f" * 64})
    begin(store, pin(SPACE), at=AT)
    over = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="problem", problem="open"),))
    refused = next_entry(history(store), EntryKind.PHASE, pin(SPACE).iteration, phase="intake", verdict=over)
    store.append(refused)
    queued = queue_for(store, SPACE, [due], last=pin(SPACE).iteration, at=AT).iteration
    for late in (SPACE, newer):
        with pytest.raises(LedgerRace, match=f"another process has queued {queued} just now"):
            begin(store, pin(late), at=AT)
        assert history(store).flying == queued
    begin(store, pin(taking_up(history(store), newer)), at=AT)
    (entry,) = history(store).of(history(store).flying or "")
    assert (entry.triggers, history(store).state(queued)) == ((due,), RunState.SUPERSEDED)


def history(store: MemoryLedger) -> History:
    return History.from_entries(SPACE.cluster.id, store.read(SPACE.cluster.id))


@pytest.mark.parametrize(
    ("answer", "waits", "alone", "code"),
    [
        (Answer.FIRED, False, True, ExitCode.DONE),
        (Answer.QUIET, False, True, ExitCode.DONE),
        (Answer.FIRED, True, True, ExitCode.WAITING),
        (Answer.FIRED, True, False, ExitCode.DONE),
        (Answer.UNKNOWN, True, True, ExitCode.COULD_NOT),
        (Answer.UNKNOWN, False, False, ExitCode.COULD_NOT),
    ],
)
def test_how_the_command_ends(answer: Answer, waits: bool, alone: bool, code: ExitCode) -> None:
    finding = Finding(trigger="age", answer=answer, because="so")
    assert outcome(Findings(cluster="desk", at=AT, findings=(finding,), waits=waits), alone=alone) is code


def faults(*asked: dict[str, Any], data: tuple[str, ...] = ("gold", "signals")) -> list[tuple[str, str]]:
    there = {f"clusters/desk/data/{name}.jsonl.dvc" for name in data}
    found = trigger_faults(cluster(triggers=asked), "cluster.yaml", lacks=lambda path: path not in there)
    return [(one.field, one.problem) for one in found]


def test_check_says_which_trigger_can_never_say_anything() -> None:
    gold, signals = ({"kind": "real-data", "of": name, "rows": 5} for name in ("gold", "signals"))
    falls = {"kind": "score-drop", "drop": 0.1}
    assert faults(gold, signals, falls, {"kind": "age", "days": 15}) == []
    assert faults(gold, gold) == [("triggers[1].kind", "the trigger real-data gold stands here twice")]
    assert faults(gold, signals, falls, data=()) == [
        ("triggers[0].kind", "real-data gold counts data/gold, and the cluster has none"),
        ("triggers[1].kind", "real-data signals counts data/signals, and the cluster has none"),
        ("triggers[2].kind", "score-drop counts data/signals, and the cluster has none"),
    ]
    often = "it looks at 14 days without a new iteration, and age begins one every 14"
    assert faults(falls, {"kind": "age", "days": 14}) == [("triggers[0].days", often)]


def test_check_names_the_line_in_cluster_yaml(tmp_path: Path) -> None:
    desk = make(tmp_path, triggers=[{"kind": "age", "days": 9}, {"kind": "age", "days": 8}])
    (problem,) = check.survey(desk).problems
    assert (problem.path, problem.field) == ("clusters/desk/cluster.yaml", "triggers[1].kind")
    assert (desk / problem.path).read_text().splitlines()[(problem.line or 0) - 1].strip() == "- kind: age"
    broken = (desk / problem.path).read_text().replace("days: 8", "days: 0")
    (desk / problem.path).write_text(broken)
    (problem,) = check.survey(desk).problems
    assert (problem.field, problem.problem) == ("triggers[1].days", "0 is out of range")


def test_a_cluster_that_cannot_be_read_stands_in_the_document_with_its_problem(tmp_path: Path) -> None:
    desk = make(tmp_path)
    other = desk / "clusters/broken/cluster.yaml"
    other.parent.mkdir()
    other.write_text("id: broken\n")
    git(desk, "add", ".")
    git(desk, "commit", "--quiet", "--message", "Broken")
    asked = ["--all", "--json", "-C", str(desk)]
    done = CliRunner().invoke(triggers.triggers, asked, standalone_mode=False)
    assert done.return_value is ExitCode.REFUSED
    documents = json.loads(done.stdout)
    for document in documents:
        Draft202012Validator(schema("trigger-findings")).validate(document)
    broken, whole = (Findings.model_validate(document) for document in documents)
    assert (broken.cluster, broken.findings, whole.cluster, whole.problem) == ("broken", (), "desk", "")
    assert "clusters/broken/cluster.yaml" in broken.problem
    assert done.stderr == f"hallmark: broken: {broken.problem}\n"
    with pytest.raises(RecordError, match=r"clusters/broken/cluster\.yaml"):
        CliRunner().invoke(triggers.triggers, ["broken", *asked[1:]], standalone_mode=False, catch_exceptions=False)


def test_review_says_which_way_a_trigger_is_looser() -> None:
    before = cluster(triggers=[{"kind": "age", "days": 90}, {"kind": "base"}])
    after = cluster(triggers=[{"kind": "age", "days": 180}, {"kind": "real-data", "of": "gold", "rows": 9}])
    path, nowhere = "clusters/desk/cluster.yaml", Side({}, lambda path, field: 1)
    changes = setting_changes(effective(before), effective(after), CLUSTER, path=path, sides=(nowhere, nowhere))
    assert {one.field: one.direction for one in changes} == {
        "triggers[age].days": Direction.LOOSENED,
        "triggers[base]": Direction.LOOSENED,
        "triggers[real-data gold]": Direction.TIGHTENED,
    }


DOC = (Path(__file__).parents[1] / "docs" / "triggers.md").read_text()


def test_the_page_s_block_is_read_as_it_is_printed_and_says_the_defaults() -> None:
    (block,) = re.findall(r"```yaml\n# [^\n]*\n(.*?)```", DOC, re.DOTALL)
    read = cluster(triggers=yaml.safe_load(block)["triggers"]).triggers
    assert {one.kind for one in read} == set(KINDS)
    assert [one for one in read if one.kind == "score-drop"] == [trigger(kind="score-drop", drop=0.05)]


KINDS = {one.model_fields["kind"].annotation.__args__[0]: one for one in get_args(get_args(Trigger)[0])}


def test_the_page_s_table_has_every_kind_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| (.*?) *\|$", DOC, re.MULTILINE))
    assert set(rows) == set(KINDS)
    for kind, record in KINDS.items():
        assert set(re.findall(r"`([a-z_]+)`", rows[kind])) == set(record.model_fields) - {"kind"}
    assert "1 to 3,650" in rows["age"]
    assert "(14)" in rows["score-drop"]


def test_rows_are_new_by_what_they_say_and_each_counts_once(tmp_path: Path) -> None:
    old, calm, spoken = (
        said(True, "2026-02-01"),
        said(True, "2026-02-20"),
        said(True, "2026-02-21", flags=[Flag.HIDDEN]),
    )
    before, now = tmp_path / "before.jsonl", tmp_path / "now.jsonl"
    before.write_bytes(rows_bytes([old]))
    now.write_bytes(rows_bytes([old, calm, calm, spoken]) + b"\n")

    def says(row: Trace) -> bytes | None:
        return None if row.flags else row.model_dump_json().encode()

    assert new_rows(before, now, Trace, says=says) == 1
    assert new_rows(None, now, Trace, says=says) == 2
    now.write_bytes(rows_bytes([old]) + b"{}\n")
    with pytest.raises(DataError, match=r"now\.jsonl line 2 is no Trace"):
        new_rows(before, now, Trace, says=says)
