"""Small things one does with conversations: prepend an instruction, replace or compare the last user text."""

from __future__ import annotations

import json
from typing import Any

from runner.records.conversation import Conversation, Message, Role, ToolCall, last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Scenario


def with_instruction(conversation: Conversation, instruction: str) -> Conversation:
    """`conversation` behind its system message; unchanged where there is no instruction or it has one already."""
    if not instruction or (conversation and conversation[0].role is Role.SYSTEM):
        return conversation
    return (Message(role=Role.SYSTEM, content=instruction), *conversation)


def without_system(conversation: Conversation) -> Conversation:
    """`conversation` without its system messages, as training rows carry it."""
    return tuple(message for message in conversation if message.role is not Role.SYSTEM)


def said(conversation: Conversation) -> list[Any]:
    """What tells a conversation from another, for ids: the contents, and the tools asked for beside theirs."""
    return [
        [message.content, [[call.name, call.arguments] for call in message.tool_calls]]
        if message.tool_calls
        else message.content
        for message in conversation
    ]


def chat_form(conversation: Conversation) -> list[dict[str, Any]]:
    """The messages as chat templates and servers take them: OpenAI's form, a call's arguments as an object where they
    are one."""
    found = []
    for message in conversation:
        shown: dict[str, Any] = {"role": message.role.value, "content": message.content}
        if message.tool_calls:
            shown["tool_calls"] = [
                {"type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}
                | ({"id": call.id} if call.id else {})
                for call in message.tool_calls
            ]
        if message.tool_call_id:
            shown["tool_call_id"] = message.tool_call_id
        found.append(shown)
    return found


def _arguments(call: ToolCall) -> Any:
    try:
        found = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return call.arguments
    return found if isinstance(found, dict) else call.arguments


def user_texts(conversation: Conversation) -> tuple[str, ...]:
    """What the user said, in order."""
    return tuple(message.content for message in conversation if message.role is Role.USER)


def with_last_user_text(conversation: Conversation, text: str) -> Conversation:
    """`conversation` with the last user message saying `text`. One without a user message gets one."""
    for index in range(len(conversation) - 1, -1, -1):
        if conversation[index].role is Role.USER:
            changed = Message(role=Role.USER, content=text)
            return (*conversation[:index], changed, *conversation[index + 1 :])
    return (*conversation, Message(role=Role.USER, content=text))


def scenario_example(scenario: Scenario) -> Example:
    """A scenario as an example with its reference as the answer. Only for `dev`: choosing steps, never training."""
    return Example(
        id=scenario.id,
        capability=scenario.capability,
        input=without_system(scenario.input) or scenario.input,
        answer=scenario.reference,
        origin=scenario.origin,
    )


def generation_prompt(label: str) -> Conversation:
    """What a model is asked so that it writes a message whose answer is `label`: the class-conditioned direction."""
    return (Message(role=Role.USER, content=f"Write a message for: {label}"),)


def reversed_example(example: Example) -> Example:
    """`example` in the class-conditioned direction: its label asked for, its last user text as the answer."""
    text = last_user_text(example.input)
    update = {"id": f"{example.id}/reversed", "input": generation_prompt(example.answer), "answer": text}
    return example.model_copy(update=update)
