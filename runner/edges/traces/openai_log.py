"""OpenAI-style request and response, an object a line, as the data flywheel blueprint logs them:

    {"request": {"messages": [...]}, "response": {"choices": [{"message": {"content": "..."}}]},
     "feedback": {"rating": "bad", "correct_answer": "..."}, "timestamp": 1717430400,
     "client_id": "...", "workload_id": "..."}

`response` may also be text or `{"content": ...}`; everything but `request` may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.edges.traces.base import Entry, Part, Store, Verdict
from runner.edges.traces.senders import Sender
from runner.errors import RecordError


class OpenAiLog:
    def recognises(self, document: Mapping[str, Any]) -> bool:
        return "request" in document

    def entries(self, document: Mapping[str, Any], store: Store) -> Iterator[Entry | RecordError | None]:
        request = document.get("request")
        yield Entry(
            messages=request.get("messages") if isinstance(request, Mapping) else None,
            response=document.get("response"),
            feedback=(document.get("feedback"),),
            timestamp=document.get("timestamp"),
            sender=Sender(document.get("client_id"), _user(request), None, document.get("workload_id")),
            field="request.messages",
        )

    def apart(self, document: Mapping[str, Any]) -> Iterator[Verdict | Part]:
        yield from ()


def _user(request: Any) -> Any:
    """The API has two names for who is behind a request."""
    return (request.get("safety_identifier") or request.get("user")) if isinstance(request, Mapping) else None
