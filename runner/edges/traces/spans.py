"""Spans and log records out of OTLP's JSON, or a span as the OpenTelemetry SDK prints it, with plain attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.errors import RecordError


class Event(NamedTuple):
    """A span's event, or a log record."""

    name: str
    attributes: Mapping[str, Any]
    body: Any
    span: str
    """`trace id:span id` of the span that it belongs to; empty if it says none."""
    timestamp: Any
    service: Any


class Span(NamedTuple):
    id: str
    """`trace id:span id`."""
    attributes: Mapping[str, Any]
    events: tuple[Event, ...]
    timestamp: Any
    service: Any
    failed: bool


def is_telemetry(document: Mapping[str, Any]) -> bool:
    printed = isinstance(document.get("context"), Mapping) and "attributes" in document
    return printed or "resourceSpans" in document or "resourceLogs" in document


def units(document: Mapping[str, Any]) -> Iterator[Span | Event]:
    """Every span and log record of a document, in order. Raises `RecordError` for what OTLP does not have."""
    for resource, spans in _scopes(document, "resourceSpans", "scopeSpans", "spans"):
        yield from (_span(span, resource) for span in spans)
    for resource, logs in _scopes(document, "resourceLogs", "scopeLogs", "logRecords"):
        yield from (_event(log, "", resource) for log in logs)
    if "context" in document:
        context = _object(document["context"], "context")
        flat = {**document, "traceId": context.get("trace_id"), "spanId": context.get("span_id")}
        yield _span(flat, _plain(_object(document.get("resource") or {}, "resource").get("attributes")))


def _scopes(document: Mapping[str, Any], *names: str) -> Iterator[tuple[Mapping[str, Any], list[Any]]]:
    outer, middle, inner = names
    for group in _list(document.get(outer), outer):
        resource = _plain(_object(_object(group, outer).get("resource") or {}, "resource").get("attributes"))
        for scope in _list(group.get(middle), middle):
            yield resource, _list(_object(scope, middle).get(inner), inner)


def _span(span: Any, resource: Mapping[str, Any]) -> Span:
    span = _object(span, "spans")
    name = _id(span)
    status = span.get("status")
    code = status.get("code", status.get("status_code")) if isinstance(status, Mapping) else span.get("status_code")
    return Span(
        id=name,
        attributes=_plain(span.get("attributes")),
        events=tuple(_event(event, name, resource) for event in _list(span.get("events"), "events")),
        timestamp=_time(span.get("startTimeUnixNano") or span.get("start_time")),
        service=resource.get("service.name"),
        failed=code in (2, "STATUS_CODE_ERROR", "ERROR"),
    )


def _event(event: Any, span: str, resource: Mapping[str, Any]) -> Event:
    event = _object(event, "events")
    attributes = _plain(event.get("attributes"))
    return Event(
        name=str(event.get("eventName") or event.get("name") or attributes.get("event.name") or ""),
        attributes=attributes,
        body=_value(event["body"]) if "body" in event else None,
        span=span or _id(event),
        timestamp=_time(event.get("timeUnixNano") or event.get("observedTimeUnixNano") or event.get("timestamp")),
        service=resource.get("service.name"),
    )


def _id(record: Mapping[str, Any]) -> str:
    trace, span = record.get("traceId"), record.get("spanId")
    return f"{trace}:{span}".lower().replace("0x", "") if trace and span else ""


def _time(value: Any) -> Any:
    """Nanoseconds come as text, for JSON's numbers do not reach that far."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _plain(attributes: Any) -> dict[str, Any]:
    """OTLP's list of keys and typed values, or an object, as an object of plain values."""
    if isinstance(attributes, Mapping):
        return dict(attributes)
    found = [_object(one, "attributes") for one in _list(attributes, "attributes")]
    return {str(one.get("key")): _value(one.get("value")) for one in found}


def _value(value: Any) -> Any:
    """OTLP's AnyValue as plain JSON; what is plain already stays."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind == "arrayValue":
        return [_value(one) for one in _list(_object(inner, kind).get("values"), kind)]
    if kind == "kvlistValue":
        return _plain(_object(inner, kind).get("values"))
    if kind == "intValue":
        return int(inner) if str(inner).lstrip("-").isdigit() else inner
    return inner if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue") else value


def _list(value: Any, field: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError("is no list", field=field)
    return value


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordError("is no JSON object", field=field)
    return value
