"""A conversation with tools keeps its structure: from the log by the door to a proposed scenario and to a candidate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest

from runner.edges.tiny_base import CHAT_TEMPLATE
from runner.edges.traces.formats import Reader
from runner.edges.traces.held import Held
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import parse
from runner.records.conversation import Conversation, Message, Role, ToolCall
from runner.records.dataset import Channel
from runner.records.rubric import RubricStatus
from runner.records.scenario import Scenario
from runner.records.trace import Trace
from runner.rules.data.signals import fingerprint_of, signal
from runner.rules.text.conversations import chat_form, said
from tests.flywheel_fixture import RUBRIC, fixture, user
from tests.test_phases import run_all

RESULT = "the reset code expired two hours ago"


def call(number: int) -> dict[str, Any]:
    function = {"name": "account_lookup", "arguments": json.dumps({"customer": number})}
    return {"id": f"call-{number}", "type": "function", "function": function}


def logged(number: int, *, result: str = RESULT) -> dict[str, Any]:
    """A turn that was answered well, a question, a look at the account, and a wrong answer that a person corrected."""
    return {
        "request": {
            "messages": [
                {"role": "user", "content": f"hello, this is customer {number}"},
                {"role": "assistant", "content": "How can I help?"},
                {"role": "user", "content": f"my code number {number * 37} for the login never arrived {number}"},
                {"role": "assistant", "content": None, "tool_calls": [call(number)]},
                {"role": "tool", "tool_call_id": f"call-{number}", "content": f"{result} {number}"},
            ]
        },
        "response": {"content": "refund"},
        "feedback": {"correct_answer": "login"},
    }


def conversation(number: int) -> Conversation:
    """The same as a record says it."""
    question = f"my code number {number * 37} for the login never arrived {number}"
    asked = ToolCall(name="account_lookup", arguments=json.dumps({"customer": number}), id=f"call-{number}")
    return (
        Message(role=Role.USER, content=f"hello, this is customer {number}"),
        Message(role=Role.ASSISTANT, content="How can I help?"),
        Message(role=Role.USER, content=question),
        Message(role=Role.ASSISTANT, content="", tool_calls=(asked,)),
        Message(role=Role.TOOL, content=f"{RESULT} {number}", tool_call_id=f"call-{number}"),
    )


@pytest.fixture
def traces(tmp_path: Path) -> tuple[Trace, ...]:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(logged(number)) + "\n" for number in range(20)))
    found = tuple(Reader(Held()).read(path))
    assert all(isinstance(one, Trace) for one in found)
    return tuple(one for one in found if isinstance(one, Trace))


def test_a_proposed_scenario_is_the_whole_conversation(traces) -> None:
    space, values = fixture()
    values["traces"] = traces
    draft = RUBRIC.model_copy(update={"status": RubricStatus.DRAFT, "capabilities": ("login",)})
    kept = RUBRIC.model_copy(
        update={"capabilities": tuple(one.id for one in space.cluster.capabilities if one.id != "login")}
    )
    run_all(replace(space, rubrics={"queue": kept, "draft": draft}), values, upto="rubrics")
    files = values["drafts"].files
    proposed = [
        parse(dump(json.loads(text)), Scenario, path=path)
        for path, text in files.items()
        if path.startswith("scenarios/")
    ]
    assert proposed
    wanted = {conversation(number) for number in range(20)}
    assert {one.input for one in proposed} <= wanted
    assert all(one.reference == "login" for one in proposed)


def test_a_candidate_is_the_whole_conversation(traces) -> None:
    space, values = fixture()
    values["traces"] = traces
    run_all(space, values, upto="expand")
    channel = {one.id: one.provenance.channel for one in values["batches"]}
    made = {kind: [one.example.input for one in values["candidates"] if channel[one.batch] is kind] for kind in Channel}
    assert set(made[Channel.LOG]) == {conversation(number) for number in range(20)}
    rewritten = [one for one in made[Channel.PERTURBATION] if len(one) > 1]
    assert rewritten
    shapes = {tuple((message.role, bool(message.tool_calls)) for message in one) for one in rewritten}
    assert shapes == {tuple((message.role, bool(message.tool_calls)) for message in conversation(0))}


def test_what_tools_said_and_were_asked_tells_conversations_apart(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(logged(1, result=result)) + "\n" for result in ("expired", "sent", "sent")))
    first, second, third = (one for one in Reader(Held()).read(path) if isinstance(one, Trace))
    assert fingerprint_of(first) != fingerprint_of(second) == fingerprint_of(third)
    assert signal(first, ()).failed
    plain = conversation(1)
    other = (*plain[:3], plain[3].model_copy(update={"tool_calls": ()}), plain[4])
    assert said(plain) != said(other)
    assert said(user("hi")) == ["hi"], "what has no tools keeps the id it had"


def test_a_chat_template_is_shown_the_calls() -> None:
    shown = chat_form(conversation(3))
    assert shown[3]["tool_calls"][0]["function"] == {"name": "account_lookup", "arguments": {"customer": 3}}
    assert shown[4]["tool_call_id"] == "call-3"
    template = jinja2.Environment().from_string(CHAT_TEMPLATE)
    text = template.render(messages=shown, add_generation_prompt=True)
    assert "account_lookup" in text
    assert text.index("account_lookup") < text.index(RESULT) < text.index("<|assistant|>", text.index(RESULT))
    plain = template.render(messages=chat_form(user("hi")), add_generation_prompt=True)
    assert plain == "<|user|>hi<|assistant|>"
    broken = Message(role=Role.ASSISTANT, content="", tool_calls=(ToolCall(name="f", arguments="{no"),))
    assert chat_form((broken,))[0]["tool_calls"][0]["function"]["arguments"] == "{no"
