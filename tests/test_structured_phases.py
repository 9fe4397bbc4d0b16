"""All thirteen phases in memory on a cluster whose answers are objects: a capability has several right answers."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from runner.edges.report import render
from runner.records.cluster import Cluster
from runner.records.conversation import last_user_text
from runner.records.dataset import Channel
from runner.records.evidence import EvidenceFile
from runner.records.fields import FieldReport
from runner.records.rubric import Rubric
from runner.records.scenario import SetName
from runner.records.verdict import Outcome
from runner.rules.evaluation.structured import FieldCounts, canonical_json, counts, named_in
from runner.rules.repository import crossref
from runner.rules.repository.benchmark import locked
from runner.workspace import Workspace
from tests.flywheel_fixture import RUBRIC, VOCABULARY, WEAK, digests, fixture
from tests.test_phases import run_all

SCHEMA = '{"type": "object", "required": ["queue", "slots"], "properties": {"slots": {"type": "object"}}}'
FIELDS = Rubric.model_validate(
    {
        **RUBRIC.model_dump(),
        "normalisation": ["strip", "canonical-json"],
        "criteria": [
            {"id": "schema", "description": "as agreed", "grader": {"kind": "json-schema", "json_schema": SCHEMA}},
            {"id": "fields", "description": "every field", "grader": {"kind": "json-fields"}, "weight": 3.0},
        ],
    }
)


def structured(text: str, capability: str) -> str:
    """The object of a text: its queue, and which half of the queue's words its first one is from."""
    own = VOCABULARY[capability]
    first = min(own.index(word) for word in text.split() if word in own)
    return json.dumps({"queue": capability, "slots": {"half": "early" if first < len(own) // 2 else "late"}})


def restructured(row: Any, capability: str) -> Any:
    return row.model_copy(update={"answer": structured(last_user_text(row.input), capability)})


def desk() -> tuple[Workspace, dict[str, Any]]:
    """The fixture's cluster, each label replaced by an object; a trace's answers too, their keys in another order."""
    space, values = fixture()
    for name in ("base-data", "gold", "reference"):
        values[name] = tuple(restructured(row, row.capability) for row in values[name])
    traces = []
    for one in values["traces"]:
        right, text = one.feedback.correct_answer, last_user_text(one.input)
        said = json.dumps({"slots": {"half": "none"}, "queue": one.response})
        if right:
            answer = structured(text, right)
            feedback = one.feedback.model_copy(update={"correct_answer": answer})
            said = canonical_json(answer) if one.response == right else said
            one = one.model_copy(update={"feedback": feedback})
        traces.append(one.model_copy(update={"response": said}))
    values["traces"] = tuple(traces)
    sets = {
        name: tuple(
            one.model_copy(update={"reference": structured(last_user_text(one.input), one.capability)}) for one in found
        )
        for name, found in space.scenarios.items()
    }
    who = Cluster.model_validate({**space.cluster.model_dump(), "answer_field": "queue"})
    lock = locked(sets, version=1, sets=tuple(sets))
    made = replace(space, cluster=who, scenarios=sets, lock=lock, rubrics={"queue": FIELDS})
    return replace(made, digests=digests(made)), values


@pytest.fixture(scope="module")
def done() -> tuple[Workspace, dict[str, Any], dict[str, Any]]:
    space, values = desk()
    return space, values, run_all(space, values)


def test_every_phase_passes_and_slots_improve(done: Any) -> None:
    space, values, outputs = done
    assert {name: out.verdict.outcome for name, out in outputs.items()} == dict.fromkeys(outputs, Outcome.PASS)
    references = {one.id: one.reference for one in space.scenarios[SetName.HELDOUT]}
    report = FieldReport.model_validate_json(values["bundle"].files[EvidenceFile.FIELDS])
    heldout = {one.model: one for one in report.scores if one.set is SetName.HELDOUT}
    assert heldout["candidate"].f1 > heldout["base"].f1 + 0.1
    assert heldout["candidate"].conforming == heldout["candidate"].answers == len(references)
    page = render(values["bundle"].files, cluster=space.cluster).decode()
    assert "Fields of structured answers" in page
    assert f"{heldout['candidate'].right}/{heldout['candidate'].wanted}" in page
    totals: dict[str, FieldCounts] = defaultdict(FieldCounts)
    for row in (*values["baseline-answers"], *values["answers"]):
        if row.set is SetName.HELDOUT and row.perturbation == "none" and row.grade.capability in WEAK:
            found = counts(row.grade.answer, references[row.grade.scenario])
            totals[row.model] = totals[row.model].plus(found)
    assert totals["base"].wanted == totals["candidate"].wanted == 2 * 2 * 20
    assert totals["candidate"].f1 > totals["base"].f1 + 0.2


def test_a_trace_is_wrong_by_its_fields_and_not_by_how_it_is_written(done: Any) -> None:
    _, values, _ = done
    failed = [one for one in values["signals"] if one.failed]
    assert {named_in(one.trace.feedback.correct_answer, "queue") for one in failed} == {*WEAK, ""}
    groups = {(one.capability, one.confused_with) for one in values["diagnosis"].failures}
    assert ("broken", "late-parcel") in groups
    assert ("login", "refund") in groups


def test_each_candidate_has_an_answer_that_people_gave_and_batches_have_several(done: Any) -> None:
    _, values, _ = done
    given = {canonical_json(row.answer) for row in values["gold"]}
    given |= {canonical_json(one.feedback.correct_answer) for one in values["traces"]}
    channels = {one.id: one.provenance.channel for one in values["batches"]}
    answers: dict[tuple[Channel, str], set[str]] = defaultdict(set)
    for one in values["candidates"]:
        assert canonical_json(one.example.answer) in given
        assert named_in(one.example.answer, "queue") == one.example.capability
        answers[channels[one.batch], one.example.capability].add(canonical_json(one.example.answer))
    assert {channel for channel, _ in answers} == {Channel.LOG, Channel.LLM, Channel.PERTURBATION}
    assert {len(found) for found in answers.values()} == {2}


@pytest.mark.parametrize("wrong", ["broken", '{"queue": "elsewhere"}', '{"slots": {}}'])
def test_check_names_a_right_answer_that_names_no_capability(wrong):
    space, _ = desk()
    core = space.scenarios[SetName.CORE]
    files = {f"scenarios/desk/core/{one.id}.yaml": one for one in core}
    files |= {"clusters/desk/cluster.yaml": space.cluster, "rubrics/queue.yaml": FIELDS}
    assert [one for one in crossref.check(files) if one.field == "reference"] == []
    path = f"scenarios/desk/core/{core[3].id}.yaml"
    files[path] = core[3].model_copy(update={"reference": wrong})
    [found] = [one for one in crossref.check(files) if one.field == "reference"]
    assert (found.path, found.problem) == (path, "the right answer names no capability")
