"""The formats of production logs, and reading a file of any of them as redacted traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.edges.traces import openinference, otel_genai
from runner.edges.traces.base import Entry, Format, Other, Quarantined, trace
from runner.edges.traces.chat import Chat
from runner.edges.traces.container import Document, documents
from runner.edges.traces.held import Held
from runner.edges.traces.langfuse import Langfuse
from runner.edges.traces.openai_log import OpenAiLog
from runner.edges.traces.table import Table
from runner.edges.traces.telemetry import Telemetry
from runner.errors import RecordError
from runner.records.trace import Trace
from runner.rules.text.redaction import NameRecogniser

FORMATS: dict[str, Format] = {
    "openai": OpenAiLog(),
    "otel": Telemetry(openinference.entry, otel_genai.entry),
    "openinference": Telemetry(openinference.entry),
    "langfuse": Langfuse(),
    "chat": Chat(),
    "csv": Table(),
}
"""In the order in which they are asked whether they know a document."""

_APART = (b"resourceLogs", b'"observationId"', b'"observation_id"', b'"dataType"', b'"data_type"')
"""What a file must hold to have records that are about calls elsewhere in it."""


class Reader:
    """Reads files of one ingestion: what one file says of calls in another is joined."""

    def __init__(self, held: Held, *, format: str = "", names: NameRecogniser | None = None, key: bytes = b"") -> None:
        self._held = held
        self._key = key
        self._formats = (FORMATS[format],) if format else tuple(FORMATS.values())
        self._names = names

    def gather(self, path: Path) -> None:
        """Hold what the file says of calls that stand elsewhere. To be done for every file before one is read."""
        if not _mentions(path, _APART):
            return
        for document in documents(path):
            known = self._known(document.value) if isinstance(document, Document) else None
            if isinstance(document, Quarantined) or known is None:
                continue  # `read` says so
            try:
                for found in known.apart(document.value):
                    self._held.hold(found)
            except (RecordError, RecursionError):
                continue  # `read` comes to the same error

    def read(self, path: Path) -> Iterator[Trace | Quarantined | Other]:
        """Every record of the file, in order."""
        for document in documents(path):
            if isinstance(document, Quarantined):
                yield document
                continue
            known = self._known(document.value)
            if known is None:
                asked = ", ".join(FORMATS) if len(self._formats) > 1 else "the format that was given"
                yield Quarantined(document.line, f"line: is of no known format ({asked})")
                continue
            try:
                for entry in known.entries(document.value, self._held):
                    yield self._read(entry, document.line)
            except RecordError as error:
                yield _quarantined(error, document.line)
            except RecursionError:
                yield Quarantined(document.line, "is nested too deeply")

    def rest(self) -> Iterator[Trace | Quarantined | Other]:
        """The calls of which only messages were found, each in a record of its own, and no span."""
        for parts in self._held.untold():
            messages, response = otel_genai.together(parts)
            first, key = parts[0], parts[0].key
            named = otel_genai.keys(key, None)
            entry = Entry(messages, response, (), first.timestamp, first.sender, named, "gen_ai.messages")
            yield self._read(entry, 0)

    def _known(self, document: Mapping[str, Any]) -> Format | None:
        return next((one for one in self._formats if one.recognises(document)), None)

    def _read(self, entry: Entry | RecordError | None, line: int) -> Trace | Quarantined | Other:
        if entry is None:
            return Other(line)
        if isinstance(entry, RecordError):
            return _quarantined(entry, line)
        try:
            return trace(entry, self._held.verdicts(entry.keys), names=self._names, key=self._key)
        except RecordError as error:
            return _quarantined(error, line)
        except ValidationError as error:
            first = error.errors()[0]
            return Quarantined(line, f"{'.'.join(map(str, first['loc']))}: {first['type']}")
        except RecursionError:
            return Quarantined(line, "is nested too deeply")
        except UnicodeEncodeError:
            return Quarantined(line, "holds half a surrogate pair")


def _quarantined(error: RecordError, line: int) -> Quarantined:
    return Quarantined(line, f"{error.field}: {error.problem}")


def _mentions(path: Path, words: Sequence[bytes]) -> bool:
    """Whether the file has one of the words, read a block at a time."""
    longest, tail = max(map(len, words)), b""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            whole = tail + block
            if any(word in whole for word in words):
                return True
            tail = whole[-longest:]
    return False
