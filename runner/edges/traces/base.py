"""What every trace format has in common: the entry it finds in a log, and that entry as a redacted trace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from runner.edges.traces.senders import Sender, source
from runner.errors import RecordError
from runner.records.conversation import Message, Role, ToolCall
from runner.records.trace import Feedback, Rating, Trace
from runner.rules.data.flags import flags
from runner.rules.text.redaction import NameRecogniser, redact

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
_GOOD = ("good", "up", "thumbs_up", "thumbs-up", "thumbsup", "positive", "like", "liked", "correct", "1", "true")
_PASSED = ("pass", "passed", "relevant", "factual", "grounded", "faithful", "safe", "helpful", "yes")
_BAD = ("bad", "down", "thumbs_down", "thumbs-down", "thumbsdown", "negative", "dislike", "disliked", "wrong")
_FAILED = ("fail", "failed", "not_relevant", "irrelevant", "hallucinated", "ungrounded", "unfaithful", "unsafe", "no")
_RATINGS = {
    Rating.GOOD: (*_GOOD, *_PASSED),
    Rating.BAD: (*_BAD, *_FAILED, "incorrect", "unhelpful", "toxic", "-1", "0", "false"),
    Rating.NONE: ("", "none", "null", "neutral"),
}
_CORRECTIONS = ("correct_answer", "correction", "corrected", "expected")


class Quarantined(NamedTuple):
    """Something that could not be read. The reason quotes nothing of it: it was not redacted."""

    line: int
    reason: str


class Other(NamedTuple):
    """A record that is no model call: a span of another kind, or a verdict that belongs to a call."""

    line: int


class Entry(NamedTuple):
    """A model call as a log has it, its messages in the form of OpenAI's chat completions. Not redacted."""

    messages: Any
    response: Any = None
    """Text, a message, or a chat completion."""
    feedback: tuple[Any, ...] = ()
    timestamp: Any = None
    sender: Sender = Sender()
    keys: tuple[str, ...] = ()
    """What verdicts that stand elsewhere name this call by."""
    field: str = "messages"
    """Where the messages stand in the log."""


class Verdict(NamedTuple):
    """What stands in a record of its own about a model call."""

    keys: tuple[str, ...]
    feedback: Any


class Part(NamedTuple):
    """A message of a model call that stands in a record of its own."""

    key: str
    name: str
    body: Any
    timestamp: Any
    sender: Sender


class Store(Protocol):
    """What stands apart from its model call, found by the call's keys."""

    def parts(self, key: str) -> Sequence[Part]: ...


class Format(Protocol):
    """How one kind of log is read. Raises `RecordError` that names the field and quotes nothing."""

    def recognises(self, document: Mapping[str, Any]) -> bool:
        """Whether a JSON object, or a row by its columns, is of this kind."""
        ...

    def entries(self, document: Mapping[str, Any], store: Store) -> Iterator[Entry | RecordError | None]:
        """Its model calls; None for each record in it that is none, and the error of each that cannot be read."""
        ...

    def apart(self, document: Mapping[str, Any]) -> Iterator[Verdict | Part]:
        """What it says of model calls that stand elsewhere."""
        ...


class Door:
    """Redacts every text of one trace and adds up what it replaced."""

    def __init__(self, names: NameRecogniser | None = None) -> None:
        self._names = names
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        return dict(sorted(self._counts.items()))

    def through(self, text: str) -> str:
        if not text:
            return text
        text.encode()  # half a surrogate pair cannot be written
        redacted = redact(text, names=self._names)
        for kind, number in redacted.counts.items():
            self._counts[kind] = self._counts.get(kind, 0) + number
        return redacted.text


def trace(entry: Entry, said: Sequence[Any] = (), *, names: NameRecogniser | None = None, key: bytes = b"") -> Trace:
    """`entry` as a trace, redacted, with what was `said` of it elsewhere. `key` is the pseudonyms'. Raises
    `RecordError`."""
    if not isinstance(entry.messages, list) or not entry.messages:
        raise RecordError("has no list of messages", field=entry.field)
    door = Door(names)
    messages = tuple(_message(item, f"{entry.field}[{index}]", door) for index, item in enumerate(entry.messages))
    if messages[-1].role not in (Role.USER, Role.TOOL):
        raise RecordError("the last message is not the user's or a tool's", field=entry.field)
    if all(message.role is not Role.USER for message in messages):
        raise RecordError("has no message of the user", field=entry.field)
    response, calls = _response(entry.response)
    heard = [message.content for message in messages if message.role in (Role.USER, Role.TOOL)]
    return Trace(
        input=messages,
        response=door.through(response),
        tool_calls=_calls(calls, "response.tool_calls", door),
        feedback=_together([_feedback(one, door) for one in (*entry.feedback, *said)]),
        timestamp=timestamp(entry.timestamp),
        source=source(entry.sender, key=key, redact=lambda name: redact(name, names=names).text),
        redactions=door.counts,
        flags=flags(heard),
    )


def _message(item: Any, field: str, door: Door) -> Message:
    if not isinstance(item, Mapping):
        raise RecordError("is no JSON object", field=field)
    role = _ROLES.get(str(item.get("role")))
    if role is None:
        raise RecordError("has a role other than system, developer, user, assistant and tool", field=f"{field}.role")
    calls = _calls(item.get("tool_calls"), f"{field}.tool_calls", door)
    content = item.get("content")
    text = "" if content is None and calls else _text(content, f"{field}.content")
    if not text.strip() and not calls:
        raise RecordError("says nothing", field=f"{field}.content")
    answers = item.get("tool_call_id") or item.get("name") or "" if role is Role.TOOL else ""
    return Message(
        role=role, content=door.through(text), tool_calls=calls, tool_call_id=door.through(_text(answers, field))
    )


def _calls(calls: Any, field: str, door: Door) -> tuple[ToolCall, ...]:
    """Tool calls in OpenAI's form, or flat."""
    if not calls:
        return ()
    if not isinstance(calls, list) or not all(isinstance(call, Mapping) for call in calls):
        raise RecordError("is no list of tool calls", field=field)
    found = []
    for index, call in enumerate(calls):
        function = call.get("function", call)
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or not name:
            raise RecordError("names no function", field=f"{field}[{index}]")
        arguments = as_text(function.get("arguments"))
        found.append(
            ToolCall(
                name=door.through(name), arguments=door.through(arguments), id=door.through(str(call.get("id") or ""))
            )
        )
    return tuple(found)


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON; empty for nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def unpacked(value: Any) -> Any:
    """What a JSON text holds: logs write structure so where they have room for text alone. Anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _text(content: Any, field: str) -> str:
    """Text, or the text parts of a list of parts."""
    if isinstance(content, list):
        kinds = ("text", "input_text", "output_text")
        parts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") in kinds]
        if len(parts) != len(content):
            raise RecordError("has parts that are not text", field=field)
        return "\n".join(_text(part, field) for part in parts)
    if not isinstance(content, str):
        raise RecordError("is no text", field=field)
    return content


def _response(response: Any) -> tuple[str, Any]:
    """What the model said and the tools it asked for; empty where it said nothing."""
    if response is None:
        return "", None
    if isinstance(response, str):
        return response, None
    if isinstance(response, Mapping):
        choices = response.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
            message = choices[0].get("message", choices[0])
            content = message.get("content", message.get("text")) if isinstance(message, Mapping) else message
            calls = message.get("tool_calls") if isinstance(message, Mapping) else None
            return ("" if content is None else _text(content, "response.choices[0].message.content")), calls
        if "content" in response or "tool_calls" in response:
            content = response.get("content")
            return ("" if content is None else _text(content, "response.content")), response.get("tool_calls")
    raise RecordError("is neither text nor a chat completion", field="response")


def _feedback(feedback: Any, door: Door) -> Feedback:
    if feedback is None:
        return Feedback()
    if not isinstance(feedback, Mapping):
        feedback = {"rating": feedback}
    said = feedback.get("rating", feedback.get("thumb", feedback.get("score")))
    word = "" if said is None else str(said).strip().lower().removesuffix(".0")
    rating = next((rating for rating, words in _RATINGS.items() if word in words), None)
    if rating is None:
        raise RecordError("is neither good nor bad (good, bad, up, down, 1, -1, ...)", field="feedback.rating")
    correct = next((feedback[key] for key in _CORRECTIONS if feedback.get(key) is not None), "")
    return Feedback(rating=rating, correct_answer=door.through(_text(correct, "feedback.correct_answer")))


def _together(said: Sequence[Feedback]) -> Feedback:
    """One bad word outweighs good ones; the first answer that somebody gave stands."""
    ratings = {one.rating for one in said}
    rating = next((one for one in (Rating.BAD, Rating.GOOD) if one in ratings), Rating.NONE)
    return Feedback(rating=rating, correct_answer=next((one.correct_answer for one in said if one.correct_answer), ""))


def evaluation(label: Any, score: Any) -> dict[str, Any]:
    """An evaluator's result as feedback: by its label, else by a score from 0 to 1, of which half is good enough.

    A label or a scale that is not known says nothing about right or wrong.
    """
    word = str(label or "").strip().lower().replace(" ", "_")
    for rating, words in _RATINGS.items():
        if word and word in words:
            return {"rating": rating.value}
    if isinstance(score, bool):
        return {"rating": "good" if score else "bad"}
    if isinstance(score, (int, float)) and -1 <= score <= 1 and not word:
        return {"rating": "good" if score >= 0.5 else "bad"}
    return {"rating": "none"}


def timestamp(value: Any) -> str:
    """ISO 8601 in UTC to the second, from that or from seconds, milliseconds or nanoseconds since 1970. Empty for
    none."""
    if value is None or value == "":
        return ""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            size = abs(value)
            seconds = value / 1e9 if size > 1e17 else value / 1000 if size > 1e11 else value
            moment = datetime.fromtimestamp(seconds, tz=UTC)
        else:
            moment = datetime.fromisoformat(str(value))
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise RecordError("is neither ISO 8601 nor seconds since 1970", field="timestamp") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
