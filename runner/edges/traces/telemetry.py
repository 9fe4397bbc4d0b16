"""OpenTelemetry's records by the conventions of those who make them: each span is read by the first that knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runner.edges.traces import otel_genai
from runner.edges.traces.base import Entry, Part, Store, Verdict
from runner.edges.traces.spans import Event, Span, is_telemetry, units
from runner.errors import RecordError

Convention = Callable[[Span, Sequence[Part]], Entry | None]


class Telemetry:
    def __init__(self, *conventions: Convention) -> None:
        self._conventions = conventions

    def recognises(self, document: Mapping[str, Any]) -> bool:
        return is_telemetry(document)

    def entries(self, document: Mapping[str, Any], store: Store) -> Iterator[Entry | RecordError | None]:
        for unit in units(document):
            try:
                yield self._entry(unit, store)
            except RecordError as error:  # the spans behind it can be read
                yield error

    def _entry(self, unit: Span | Event, store: Store) -> Entry | None:
        if isinstance(unit, Event):
            return otel_genai.alone(unit)
        parts = store.parts(unit.id)
        return next(filter(None, (convention(unit, parts) for convention in self._conventions)), None)

    def apart(self, document: Mapping[str, Any]) -> Iterator[Verdict | Part]:
        for unit in units(document):
            if isinstance(unit, Event):
                yield from otel_genai.apart(unit)
