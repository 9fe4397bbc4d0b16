"""How an answer asks for tools, and how a model is told of them.

An answer is text, so its calls have one of two forms, both read strictly. As JSON, the whole answer is one object:
`{"tool_calls": [{"name": "find_order", "arguments": {"number": 12}}]}`. In tags, as the chat templates of Hermes and
Qwen write them, each call stands in `<tool_call>…</tool_call>`, and words may stand around them. Any other text calls
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from runner.records.conversation import Conversation, Message, Role
from runner.records.expected_calls import Tool
from runner.rules.strict_json import strict_json

MOST_CALLS = 64
OPEN, CLOSE = "<tool_call>", "</tool_call>"
_TOLD = """# Tools

You may call these functions:
<tools>
{tools}
</tools>

For each call, write one JSON object with the function's name and its arguments between tags:
<tool_call>
{{"name": "...", "arguments": {{...}}}}
</tool_call>"""


class Call(NamedTuple):
    """One tool that is asked for."""

    name: str
    arguments: dict[str, Any]

    @property
    def words(self) -> str:
        """As it is shown to people."""
        return f"{self.name}({json.dumps(self.arguments, ensure_ascii=True, sort_keys=True)[1:-1]})"


def read_calls(answer: str) -> tuple[Call, ...]:
    """The calls of an answer, in order; none where it calls nothing. Raises `ValueError` for what begins as a call and
    is none: a tag that is left open, JSON that is not strict, another key, a name that is no text."""
    found = _listed(answer.strip())
    if found is None:
        found = [_object(part) for part in _between_tags(answer)] if OPEN in answer or CLOSE in answer else []
    if len(found) > MOST_CALLS:
        raise ValueError(f"it makes more than {MOST_CALLS} calls")
    return tuple(_call(one) for one in found)


def _listed(text: str) -> list[Any] | None:
    """What a JSON object lists under `tool_calls`; None for text that is no such object."""
    if not text.startswith("{"):
        return None
    try:
        value = _object(text)
    except ValueError:
        if '"tool_calls"' in text and OPEN not in text:
            raise
        return None
    if "tool_calls" not in value:
        return None
    if set(value) != {"tool_calls"} or not isinstance(value["tool_calls"], list):
        raise ValueError("tool_calls is not a list that stands alone")
    return value["tool_calls"]


def written(calls: Iterable[Call]) -> str:
    """Calls as the text of an answer: the JSON form."""
    return json.dumps({"tool_calls": [one._asdict() for one in calls]}, ensure_ascii=False)


def with_tools(conversation: Conversation, tools: Iterable[Tool]) -> Conversation:
    """`conversation` with its tools told of in the system message, in the form in which they are to be called.
    Unchanged where there are none."""
    lines = [json.dumps(_told(tool), ensure_ascii=False) for tool in tools]
    if not lines:
        return conversation
    text = _TOLD.format(tools="\n".join(lines))
    if conversation and conversation[0].role is Role.SYSTEM:
        first = conversation[0].model_copy(update={"content": f"{conversation[0].content}\n\n{text}"})
        return (first, *conversation[1:])
    return (Message(role=Role.SYSTEM, content=text), *conversation)


def _told(tool: Tool) -> dict[str, Any]:
    """OpenAI's form, which chat templates write too."""
    told: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters:
        told["parameters"] = json.loads(tool.parameters)
    return {"type": "function", "function": told}


def _between_tags(answer: str) -> list[str]:
    first, *rest = answer.split(OPEN)
    if CLOSE in first:
        raise ValueError(f"{CLOSE} closes nothing")
    parts = []
    for part in rest[: MOST_CALLS + 1]:
        inside, closed, after = part.partition(CLOSE)
        if not closed or CLOSE in after:
            raise ValueError(f"{OPEN} is not closed once")
        parts.append(inside)
    return parts


def _object(text: str) -> dict[str, Any]:
    try:
        value = strict_json(text.strip().encode())
    except ValueError as error:
        raise ValueError(f"a call is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("a call is no JSON object")
    return value


def _call(value: Any) -> Call:
    if not isinstance(value, dict) or set(value) != {"name", "arguments"}:
        raise ValueError("a call is an object with a name and arguments, and nothing else")
    name, arguments = value["name"], value["arguments"]
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        raise ValueError("a call's name is text, and its arguments are an object")
    return Call(name, arguments)
