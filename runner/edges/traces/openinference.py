"""OpenInference: LLM spans with flattened attributes, such as `llm.input_messages.0.message.role`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.edges.traces.base import Entry, Part, evaluation
from runner.edges.traces.otel_genai import keys
from runner.edges.traces.senders import Sender
from runner.edges.traces.spans import Span

_VERDICTS = tuple(f"{scope}{kind}s" for kind in ("annotation", "evaluation") for scope in ("", "trace.", "session."))


def entry(span: Span, parts: Sequence[Part]) -> Entry | None:
    """The span as a model call; None if it is none."""
    said = span.attributes
    if said.get("openinference.span.kind") != "LLM" and not any(name.startswith("llm.input_messages") for name in said):
        return None
    messages = [_message(one) for one in _items(said, "llm.input_messages")]
    answers = [_message(one) for one in _items(said, "llm.output_messages")]
    if not messages and isinstance(prompt := _prompt(said), str):
        messages = [{"role": "user", "content": prompt}]
    failed = ({"rating": "bad"},) if span.failed else ()
    return Entry(
        messages=messages,
        response=answers[0] if answers else said.get("llm.choices.0.completion.text", said.get("output.value")),
        feedback=(*failed, *(one for name in _VERDICTS for one in _verdicts(said, name))),
        timestamp=span.timestamp,
        sender=Sender(user=said.get("user.id"), session=said.get("session.id"), workload=span.service),
        keys=keys(span.id, None),
        field="llm.input_messages",
    )


def _prompt(said: Mapping[str, Any]) -> Any:
    return said.get("llm.prompts.0.prompt.text", said.get("input.value"))


def _items(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The objects of a flattened list, in order; a list that was not flattened is taken as it is."""
    whole = attributes.get(prefix)
    if isinstance(whole, list):
        return [dict(one) for one in whole if isinstance(one, Mapping)]
    found: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        index, _, rest = name.removeprefix(f"{prefix}.").partition(".")
        if name.startswith(f"{prefix}.") and index.isdecimal() and len(index) < 6 and rest:
            found.setdefault(int(index), {})[rest] = value
    return [found[index] for index in sorted(found)]


def _message(said: Mapping[str, Any]) -> dict[str, Any]:
    contents = _items(said, "message.contents")
    texts = [one.get("message_content.text", "") for one in contents if one.get("message_content.type") == "text"]
    calls = _items(said, "message.tool_calls") or [one for one in contents if "tool_call.function.name" in one]
    return {
        "role": said.get("message.role"),
        "content": said.get("message.content", "\n".join(texts) if texts else None),
        "tool_calls": [_call(one) for one in calls],
        "tool_call_id": said.get("message.tool_call_id"),
        "name": said.get("message.name"),
    }


def _call(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": said.get("tool_call.id"),
        "name": said.get("tool_call.function.name"),
        "arguments": said.get("tool_call.function.arguments"),
    }


def _verdicts(said: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    kind = prefix.rpartition(".")[2].removesuffix("s")
    return [evaluation(one.get(f"{kind}.label"), one.get(f"{kind}.score")) for one in _items(said, prefix)]
