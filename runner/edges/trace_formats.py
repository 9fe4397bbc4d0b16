"""Production logs as traces: OpenAI-style JSON lines, redacted line by line before anything is kept.

    {"request": {"messages": [...]}, "response": {"choices": [{"message": {"content": "..."}}]},
     "feedback": {"rating": "bad", "correct_answer": "..."}, "timestamp": 1717430400,
     "client_id": "...", "workload_id": "..."}

`response` may also be text or `{"content": ...}`; everything but `request` may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.conversation import Message, Role
from runner.records.trace import Feedback, Rating, Trace
from runner.rules.redaction import redact

MAX_LINE = 1_000_000
"""Bytes of one line."""

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
_GOOD = ("good", "up", "thumbs_up", "thumbs-up", "thumbsup", "positive", "like", "liked", "correct", "1", "true")
_BAD = ("bad", "down", "thumbs_down", "thumbs-down", "thumbsdown", "negative", "dislike", "disliked", "wrong")
_RATINGS = {
    Rating.GOOD: _GOOD,
    Rating.BAD: (*_BAD, "incorrect", "-1", "0", "false"),
    Rating.NONE: ("", "none", "null", "neutral"),
}
_CORRECTIONS = ("correct_answer", "correction", "corrected", "expected")


class Quarantined(NamedTuple):
    """A line that could not be read. The reason quotes nothing of it: it was not redacted."""

    line: int
    reason: str


def read(path: Path) -> Iterator[Trace | Quarantined]:
    """Every line of a JSONL file, in order; blank lines are left out. Holds one line in memory at a time."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)
                yield Quarantined(number, f"is longer than {MAX_LINE:,} bytes")
            elif line.strip():
                yield _line(line, number)


def _line(line: bytes, number: int) -> Trace | Quarantined:
    try:
        document = json.loads(line.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        return Quarantined(number, f"is not UTF-8: byte 0x{line[error.start]:02x} cannot be read")
    except (ValueError, RecursionError):
        return Quarantined(number, "is not JSON")
    try:
        return trace(document)
    except RecordError as error:
        return Quarantined(number, f"{error.field}: {error.problem}")
    except ValidationError as error:
        first = error.errors()[0]
        return Quarantined(number, f"{'.'.join(map(str, first['loc']))}: {first['type']}")
    except UnicodeEncodeError:
        return Quarantined(number, "holds half a surrogate pair")


def _no_constant(name: str) -> None:
    raise ValueError(name)


def trace(document: Any) -> Trace:
    """One log entry as a trace, redacted. Raises `RecordError` that names the field and quotes nothing."""
    if not isinstance(document, Mapping):
        raise RecordError("is no JSON object", field="line")
    request = document.get("request")
    if not isinstance(request, Mapping) or not isinstance(request.get("messages"), list) or not request["messages"]:
        raise RecordError("has no list of messages", field="request.messages")
    door = Door()
    messages = tuple(_message(item, index, door) for index, item in enumerate(request["messages"]))
    if messages[-1].role is not Role.USER:
        raise RecordError("the last message is not the user's", field="request.messages")
    return Trace(
        input=messages,
        response=door.through(_response(document.get("response"))),
        feedback=_feedback(document.get("feedback"), door),
        timestamp=_timestamp(document.get("timestamp")),
        source=door.through(_source(document)),
        redactions=door.counts,
    )


class Door:
    """Redacts every text of one trace and adds up what it replaced."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        return dict(sorted(self._counts.items()))

    def through(self, text: str) -> str:
        text.encode()  # half a surrogate pair cannot be written
        redacted = redact(text)
        for kind, number in redacted.counts.items():
            self._counts[kind] = self._counts.get(kind, 0) + number
        return redacted.text


def _message(item: Any, index: int, door: Door) -> Message:
    field = f"request.messages[{index}]"
    if not isinstance(item, Mapping):
        raise RecordError("is no JSON object", field=field)
    role = _ROLES.get(str(item.get("role")))
    if role is None:
        raise RecordError("has a role other than system, developer, user and assistant", field=f"{field}.role")
    text = _text(item.get("content"), f"{field}.content")
    if not text.strip():
        raise RecordError("says nothing", field=f"{field}.content")
    return Message(role=role, content=door.through(text))


def _text(content: Any, field: str) -> str:
    """Text, or the text parts of a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        if len(parts) != len(content):
            raise RecordError("has parts that are not text", field=field)
        return "\n".join(_text(part, field) for part in parts)
    if not isinstance(content, str):
        raise RecordError("is no text", field=field)
    return content


def _response(response: Any) -> str:
    """What the model said; empty where it said nothing, or a tool was called instead."""
    if response is None:
        return ""
    if isinstance(response, str):
        return response
    if isinstance(response, Mapping):
        choices = response.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
            message = choices[0].get("message", choices[0])
            content = message.get("content", message.get("text")) if isinstance(message, Mapping) else message
            return "" if content is None else _text(content, "response.choices[0].message.content")
        if "content" in response:
            return "" if response["content"] is None else _text(response["content"], "response.content")
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


def _timestamp(value: Any) -> str:
    """ISO 8601 in UTC to the second, from that or from seconds or milliseconds since 1970. Empty for none."""
    if value is None or value == "":
        return ""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > 1e11 else value
            moment = datetime.fromtimestamp(seconds, tz=UTC)
        else:
            moment = datetime.fromisoformat(str(value))
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise RecordError("is neither ISO 8601 nor seconds since 1970", field="timestamp") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _source(document: Mapping[str, Any]) -> str:
    parts = [str(document[key]) for key in ("client_id", "workload_id") if document.get(key)]
    return "/".join(parts)[:200] or "unknown"
