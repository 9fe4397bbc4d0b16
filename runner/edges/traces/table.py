"""Rows of a CSV file, by the names of their columns: the text, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.edges.traces.base import Entry, Part, Store, Verdict
from runner.edges.traces.chat import first, rating
from runner.edges.traces.senders import Sender
from runner.errors import RecordError

_TEXT = ("input", "prompt", "question", "query", "message", "text", "user")
_RESPONSE = ("response", "output", "completion", "answer", "assistant")
_SYSTEM = ("system", "system_prompt", "instruction")
_TIME = ("timestamp", "time", "created_at", "date")
_CLIENT = ("client_id", "source", "channel")


class Table:
    """One question and its answer a row. A first line with none of the text columns is no table of traces."""

    def recognises(self, document: Mapping[str, Any]) -> bool:
        return any(name in document for name in _TEXT) and all(isinstance(value, str) for value in document.values())

    def entries(self, document: Mapping[str, Any], store: Store) -> Iterator[Entry | RecordError | None]:
        system = first(document, _SYSTEM)
        before = [{"role": "system", "content": system}] if system else []
        yield Entry(
            messages=[*before, {"role": "user", "content": first(document, _TEXT) or ""}],
            response=first(document, _RESPONSE),
            feedback=(rating(document),),
            timestamp=first(document, _TIME),
            sender=Sender(
                first(document, _CLIENT),
                document.get("user_id"),
                document.get("session_id"),
                document.get("workload_id"),
            ),
        )

    def apart(self, document: Mapping[str, Any]) -> Iterator[Verdict | Part]:
        yield from ()
