"""All thirteen phases in memory on a cluster whose right answers are tool calls, and whose rubric passes on a share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.edges.report import render
from runner.records.conversation import Role
from runner.records.expected_calls import Tool
from runner.records.rubric import Rubric
from runner.records.scenario import SetName
from runner.records.verdict import Outcome
from runner.rules.evaluation.tool_calls import Call, read_calls, written
from runner.rules.repository import crossref
from runner.rules.repository.benchmark import locked
from runner.workspace import Workspace
from tests.flywheel_fixture import RUBRIC, WEAK, digests, fixture
from tests.test_phases import run_all

ROUTE = Tool(
    name="route", description="Sends the message to a queue.", parameters='{"properties": {"to": {"type": "string"}}}'
)
CALLS = Rubric.model_validate(
    {
        **RUBRIC.model_dump(),
        "pass_score": 0.9,
        "criteria": [
            {
                "id": "routed",
                "description": "the message goes to its queue",
                "grader": {"kind": "tool-calls"},
                "weight": 9.0,
                "required": False,
            },
            {
                "id": "short",
                "description": "nothing is apologised for",
                "grader": {"kind": "contains-none", "values": ["sorry"], "negation": {}},
                "required": False,
            },
        ],
    }
)


def routed(queue: str) -> str:
    return written([Call("route", {"to": queue})])


def desk() -> tuple[Workspace, dict[str, Any]]:
    """The fixture's cluster, each label replaced by a call that routes there."""
    space, values = fixture()
    for name in ("base-data", "gold", "reference"):
        values[name] = tuple(row.model_copy(update={"answer": routed(row.answer)}) for row in values[name])
    traces = []
    for one in values["traces"]:
        right = one.feedback.correct_answer
        feedback = one.feedback.model_copy(update={"correct_answer": routed(right) if right else ""})
        traces.append(one.model_copy(update={"response": routed(one.response), "feedback": feedback}))
    values["traces"] = tuple(traces)
    sets = {
        name: tuple(one.model_copy(update={"reference": routed(one.reference), "tools": (ROUTE,)}) for one in found)
        for name, found in space.scenarios.items()
    }
    made = replace(space, scenarios=sets, lock=locked(sets, version=1, sets=tuple(sets)), rubrics={"queue": CALLS})
    return replace(made, digests=digests(made)), values


@pytest.fixture(scope="module")
def done() -> tuple[Workspace, dict[str, Any], dict[str, Any]]:
    space, values = desk()
    return space, values, run_all(space, values)


def test_every_phase_passes_and_weak_capabilities_improve(done: Any) -> None:
    space, values, outputs = done
    assert {name: out.verdict.outcome for name, out in outputs.items()} == dict.fromkeys(outputs, Outcome.PASS)
    models = values["scorecard"].models
    for name in WEAK:
        base, candidate = (models[who].sets[SetName.HELDOUT].capabilities[name] for who in ("base", "candidate"))
        assert candidate > base + 0.2
    assert b"route" in render(values["bundle"].files, cluster=space.cluster)


def test_a_wrong_call_is_explained_and_groups_with_its_like(done: Any) -> None:
    _, values, _ = done
    wrong = [row.grade for row in values["baseline-answers"] if not row.grade.passed and row.grade.capability in WEAK]
    assert wrong
    for one in wrong:
        right, given = one.capability, read_calls(one.answer)[0].arguments["to"]
        assert f'route: \'to\' is "{given}" where "{right}" is right' in one.explanation
        assert (one.score, one.missed) == (0.1, ("queue-routed",))
    found = {(one.capability, one.confused_with) for one in values["diagnosis"].failures}
    assert ("login", routed("refund")) in found


def test_check_finds_nothing_wrong_and_a_model_is_told_of_the_tool() -> None:
    space, _ = desk()
    core = space.scenarios[SetName.CORE]
    files = {f"scenarios/desk/core/{one.id}.yaml": one for one in core}
    files |= {"clusters/desk/cluster.yaml": space.cluster, "rubrics/queue.yaml": CALLS}
    assert not [one for one in crossref.check(files) if one.path.startswith(("scenarios", "rubrics"))]
    files[f"scenarios/desk/core/{core[0].id}.yaml"] = core[0].model_copy(update={"tools": ()})
    (found,) = (one for one in crossref.check(files) if one.path.startswith("scenarios"))
    assert "'route', which is none of the scenario's tools" in found.problem
    assert all(message.role is not Role.SYSTEM for one in core for message in one.input)
