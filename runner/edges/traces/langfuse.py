"""Langfuse observations, as its API and exports write them (camelCase or snake_case), and its scores.

An observation of type GENERATION is a model call. A score names the observation or the trace that it is about, in a
record of its own or in the observation's `scores`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.edges.traces.base import Entry, Part, Store, Verdict, as_text, evaluation, unpacked
from runner.edges.traces.chat import split
from runner.edges.traces.senders import Sender
from runner.errors import RecordError


class Langfuse:
    def recognises(self, document: Mapping[str, Any]) -> bool:
        traced = "traceId" in document or "trace_id" in document
        return traced and (_is_score(document) or {"type", "input"} <= document.keys())

    def entries(self, document: Mapping[str, Any], store: Store) -> Iterator[Entry | RecordError | None]:
        if document.get("type") != "GENERATION" or _is_score(document):
            yield None
            return
        messages = _messages(unpacked(document.get("input")))
        messages, response = split(messages) if document.get("output") is None else (messages, _response(document))
        scores = document.get("scores")
        failed = ({"rating": "bad"},) if document.get("level") == "ERROR" else ()
        beside = (
            [_feedback(score) for score in scores if isinstance(score, Mapping)] if isinstance(scores, list) else []
        )
        yield Entry(
            messages=messages,
            response=response,
            feedback=(*failed, *beside),
            timestamp=_named(document, "startTime", "start_time"),
            sender=Sender(
                user=_named(document, "userId", "user_id"),
                session=_named(document, "sessionId", "session_id"),
                workload=_named(document, "traceName", "trace_name", "name"),
            ),
            keys=_keys(document.get("id"), _named(document, "traceId", "trace_id")),
            field="input",
        )

    def apart(self, document: Mapping[str, Any]) -> Iterator[Verdict | Part]:
        if _is_score(document):
            about = _named(document, "observationId", "observation_id")
            keys = _keys(about, None) if about else _keys(None, _named(document, "traceId", "trace_id"))
            yield Verdict(keys, _feedback(document))


def _is_score(document: Mapping[str, Any]) -> bool:
    return "name" in document and ("dataType" in document or "data_type" in document) and "input" not in document


def _feedback(score: Mapping[str, Any]) -> dict[str, Any]:
    name = str(score.get("name", "")).lower()
    if name in ("correction", "corrected_output", "output") and score.get("stringValue"):
        return {"correct_answer": score["stringValue"]}
    return evaluation(_named(score, "stringValue", "string_value"), score.get("value"))


def _messages(said: Any) -> Any:
    if isinstance(said, Mapping):
        said = said.get("messages", [said] if "role" in said else said.get("input", said.get("prompt")))
    return [{"role": "user", "content": said}] if isinstance(said, str) else said


def _response(document: Mapping[str, Any]) -> Any:
    """A message or a completion where the output is one, else the output as text, also where that is JSON."""
    said = unpacked(document["output"])
    if isinstance(said, list):
        said = split(said)[1]
    if isinstance(said, Mapping) and any(name in said for name in ("choices", "content", "tool_calls")):
        return said
    return as_text(document["output"])


def _named(document: Mapping[str, Any], *names: str) -> Any:
    return next((document[name] for name in names if document.get(name)), None)


def _keys(observation: Any, trace: Any) -> tuple[str, ...]:
    found = (("observation", observation), ("trace", trace))
    return tuple(f"{kind}:{name}" for kind, name in found if name)
