"""OpenTelemetry's conventions for generative AI: messages as attributes (since 1.37), or as events (1.36 and before).

Since 1.37 `gen_ai.input.messages`, `gen_ai.output.messages` and `gen_ai.system_instructions` stand on the span, or on a
`gen_ai.client.inference.operation.details` event. Before, each message was an event of the span, or a log record that
names the span. `gen_ai.evaluation.result` and user feedback come as either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.edges.traces.base import Entry, Part, Verdict, as_text, evaluation, unpacked
from runner.edges.traces.senders import Sender
from runner.edges.traces.spans import Event, Span
from runner.errors import RecordError

_OPERATIONS = ("chat", "text_completion", "generate_content")
_MESSAGES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CHOICE = "gen_ai.choice"
_DETAILS = "gen_ai.client.inference.operation.details"
_RESULT = "gen_ai.evaluation.result"
_FEEDBACK = ("gen_ai.user.feedback", "gen_ai.evaluation.user_feedback", "user_feedback", "user.feedback")


def entry(span: Span, parts: Sequence[Part]) -> Entry | None:
    """The span as a model call, with the messages that stand elsewhere; None if it is none. Raises `RecordError`."""
    said = span.attributes
    if not any(name.startswith("gen_ai.") for name in said):
        return None
    if said.get("gen_ai.operation.name", "chat") not in _OPERATIONS:
        return None
    for event in span.events:
        if event.name == _DETAILS:
            said = {**event.attributes, **said}
    if "gen_ai.input.messages" in said:
        messages, response = _current(said)
    else:
        within = [part(event) for event in span.events if _is_message(event)]
        messages, response = together([*within, *parts])
        if not messages:
            raise RecordError(
                "was not recorded: switch the capture of message content on", field="gen_ai.input.messages"
            )
    failed = ({"rating": "bad"},) if span.failed else ()
    return Entry(
        messages=messages,
        response=response,
        feedback=(*failed, *(verdict for event in span.events if (verdict := feedback(event)))),
        timestamp=span.timestamp,
        sender=_sender(said, span.service),
        keys=keys(span.id, said.get("gen_ai.response.id")),
        field="gen_ai.input.messages",
    )


def apart(event: Event) -> Iterator[Verdict | Part]:
    """What a log record says of a model call: a message of it, or a verdict on it."""
    said = feedback(event)
    if said:
        yield Verdict(keys(event.span, event.attributes.get("gen_ai.response.id")), said)
    elif _is_message(event) and event.span:
        yield part(event)


def alone(event: Event) -> Entry | None:
    """A log record that is a whole model call: `gen_ai.client.inference.operation.details`."""
    if event.name != _DETAILS or "gen_ai.input.messages" not in event.attributes:
        return None
    messages, response = _current(event.attributes)
    named = keys(event.span, event.attributes.get("gen_ai.response.id"))
    sender = _sender(event.attributes, event.service)
    return Entry(messages, response, (), event.timestamp, sender, named, "gen_ai.input.messages")


def _sender(said: Mapping[str, Any], service: Any) -> Sender:
    user = said.get("user.id") or said.get("enduser.id")
    return Sender(user=user, session=said.get("session.id") or said.get("gen_ai.conversation.id"), workload=service)


def keys(span: str, response: Any) -> tuple[str, ...]:
    return tuple(f"{kind}:{name}" for kind, name in (("span", span), ("response", response)) if name)


def feedback(event: Event) -> dict[str, Any] | None:
    """What an evaluator or a user said; None for an event of another kind."""
    said = {**event.attributes, **event.body} if isinstance(event.body, Mapping) else event.attributes
    if event.name == _RESULT:
        return evaluation(said.get("gen_ai.evaluation.score.label"), said.get("gen_ai.evaluation.score.value"))
    if event.name in _FEEDBACK:
        names = ("rating", "feedback.rating", "gen_ai.evaluation.score.label", "gen_ai.evaluation.score", "score")
        rating = next((said[name] for name in names if said.get(name) is not None), None)
        return {"rating": rating, "correct_answer": said.get("correct_answer") or said.get("feedback.correct_answer")}
    return None


def _is_message(event: Event) -> bool:
    return event.name in _MESSAGES or event.name == _CHOICE


def part(event: Event) -> Part:
    """A message's event. Its content is the body of a log record, and attributes of a span's event."""
    body = event.body if event.body is not None else event.attributes.get("gen_ai.event.content", event.attributes)
    return Part(event.span, event.name, unpacked(body), event.timestamp, _sender(event.attributes, event.service))


def together(parts: Sequence[Part]) -> tuple[list[dict[str, Any]], Any]:
    """The messages that events carry, in their order, and the first choice."""
    messages, response = [], None
    for one in parts:
        body = one.body if isinstance(one.body, Mapping) else {"content": one.body}
        if one.name == _CHOICE:
            said = unpacked(body.get("message", body))
            response = response or (said if isinstance(said, Mapping) else {"content": said})
        else:
            calls = unpacked(body.get("tool_calls"))
            role = {"role": _MESSAGES[one.name], "tool_call_id": body.get("id"), "tool_calls": calls}
            messages.append({**role, "content": _content(body.get("content"), bool(calls))})
    return messages, response


def _content(content: Any, calls: bool) -> Any:
    return content if calls and content is None else as_text(content)


def _current(said: Mapping[str, Any]) -> tuple[list[Any], Any]:
    system = _parts_of({"role": "system", "parts": unpacked(said.get("gen_ai.system_instructions")) or []})
    found = unpacked(said["gen_ai.input.messages"])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise RecordError("is no list of messages", field="gen_ai.input.messages")
    answers = unpacked(said.get("gen_ai.output.messages"))
    response = (
        _parts_of(answers[0]) if isinstance(answers, list) and answers and isinstance(answers[0], Mapping) else []
    )
    return [*system, *(part for one in found for part in _parts_of(one))], next(iter(response), None)


def _parts_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message of parts in OpenAI's form: a tool's results are a message each, reasoning is left out."""
    role, parts = message.get("role"), message.get("parts")
    if isinstance(parts, str) or parts is None:
        return [{"role": role, "content": parts if parts is not None else message.get("content")}]
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        raise RecordError("is no list of parts", field="parts")
    kinds = {part.get("type") for part in parts}
    if not kinds <= {"text", "reasoning", "tool_call", "tool_call_response"}:
        raise RecordError("has parts that are neither text nor tool calls", field="parts")
    results = [
        {"role": "tool", "tool_call_id": part.get("id"), "content": as_text(part.get("response", part.get("result")))}
        for part in parts
        if part.get("type") == "tool_call_response"
    ]
    text = "\n".join(as_text(part.get("content")) for part in parts if part.get("type") == "text")
    calls = [part for part in parts if part.get("type") == "tool_call"]
    words = [{"role": role, "content": text or None, "tool_calls": calls}] if text or calls else []
    return [*results, *words]
