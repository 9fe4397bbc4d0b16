"""Reviewed files as records: strict YAML, and an error that names path, line, field and fix.

A reviewed file is inert text that every YAML reader reads the same way: no anchors, aliases, tags, merge keys,
duplicate keys, tabs, invisible characters or second documents, and no plain scalar that YAML 1.1 and 1.2 take for
different things (`yaml_scalars`). libyaml's events are used, and nothing of PyYAML's own loaders and constructors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

import yaml
from pydantic import ValidationError
from yaml._yaml import CParser

from runner.edges.reviewed_text import check_text
from runner.edges.yaml_dump import dump as dump
from runner.edges.yaml_scalars import Surprise, plain
from runner.errors import RecordError, RecordErrors
from runner.records.base import Record
from runner.rules.repository.problems import explain, field_path
from runner.rules.strict_json import strict_json

R = TypeVar("R", bound=Record)

MAX_BYTES = Record.MAX_BYTES
MAX_DEPTH = 20

_SYNTAX_HINTS = {
    "mapping values are not allowed": "put quotes around a text that contains a colon and a space",
    "did not find expected key": "check the indentation of this line and the one before; quote texts that hold quotes",
    "could not find expected ':'": "a key ends with a colon; a text of several lines is indented below `key: |`",
    "did not find expected '-' indicator": "items of one list stand at the same indentation, each after `- `",
    "found unexpected end of stream": "a quote or bracket is opened and never closed",
    "found character that cannot start any token": "put quotes around a text that starts with @, `, % or a tab",
    "did not find expected <document start>": "one file holds one document; check the indentation",
}


@dataclass(frozen=True)
class Document:
    """A file's value (dict, list, str, int, float, bool or None), and where each field of it stands."""

    value: Any
    path: str
    data: bytes = field(repr=False)
    first_line: int = 1

    @cached_property
    def lines(self) -> dict[str, int]:
        """Field path to line. Made by a second reading, since only an error asks for it."""
        composer = _Composer(self.data, path=self.path, first_line=self.first_line, lines={})
        composer.document()
        return composer.lines or {}

    def line(self, field_path: str) -> int:
        """The line of a field, or of the nearest one above it that the file has."""
        while field_path and field_path not in self.lines:
            cut = max(field_path.rfind("."), field_path.rfind("["))
            field_path = field_path[:cut] if cut > 0 else ""
        return self.lines.get(field_path, self.first_line)


def load(data: bytes, *, path: str, max_bytes: int = MAX_BYTES, first_line: int = 1) -> Document:
    """The one document in `data`. Raises `RecordErrors` with everything that is wrong with it."""
    check_text(data, path=path, max_bytes=max_bytes, first_line=first_line)
    composer = _Composer(data, path=path, first_line=first_line, lines=None)
    value = composer.document()
    if composer.errors:
        raise RecordErrors(composer.errors)
    return Document(value=value, path=path, data=data, first_line=first_line)


def parse(data: bytes, kind: type[R], *, path: str) -> R:
    """A file as a record of `kind`; implements `ports.RecordParser`. Raises `RecordErrors`.

    Records are frozen, so one that was read from the same bytes before is handed out again: the phases of an
    iteration read the same files.
    """
    return cast("R", _parse(data, kind, path))


@lru_cache(maxsize=65_536)
def _parse(data: bytes, kind: type[Record], path: str) -> Record:
    return read(data, kind, path=path)


def read(data: bytes, kind: type[R], *, path: str) -> R:
    """`parse` that keeps nothing: for what is read once."""
    if path.endswith(".md"):
        return parse_front_matter(data, kind, path=path)[0]
    if path.endswith(".json"):
        return _parse_json(data, kind, path=path)
    return _validated(load(data, path=path, max_bytes=kind.MAX_BYTES), kind)


def _parse_json(data: bytes, kind: type[R], *, path: str) -> R:
    """What a program wrote: strict JSON, which has no comments and no lines that mean anything."""
    check_text(data, path=path, max_bytes=kind.MAX_BYTES, first_line=1)
    try:
        return kind.model_validate_json(json.dumps(strict_json(data)), strict=True)
    except ValidationError as error:
        raise RecordErrors([RecordError(p.problem, path=path, field=p.field) for p in explain(error, kind)]) from None
    except ValueError as error:
        raise RecordErrors([RecordError(f"is not the JSON that is written here: {error}", path=path)]) from error


def parse_front_matter(data: bytes, kind: type[R], *, path: str) -> tuple[R, str]:
    """The YAML between the two `---` lines that open a text, as a record, and the text after it."""
    head, body = front_matter(data, path=path)
    return _validated(load(head, path=path, first_line=2), kind), body


def line_of(data: bytes, field: str, *, path: str) -> int:
    """The line of a field in a file that parses; for checks that look at more than one file."""
    if path.endswith(".md"):
        return load(front_matter(data, path=path)[0], path=path, first_line=2).line(field)
    return load(data, path=path, max_bytes=max(MAX_BYTES, len(data))).line(field)


def front_matter(data: bytes, *, path: str) -> tuple[bytes, str]:
    """The YAML between the two `---` lines that open a text, and the text after it. Raises `RecordErrors`."""
    text = check_text(data, path=path, max_bytes=MAX_BYTES, first_line=1, tabs=True)
    lines = text.splitlines(keepends=True)
    marks = [number for number, line in enumerate(lines) if line.rstrip() == "---"][:2]
    if len(marks) < 2 or marks[0] != 0:
        hint = "start the file with a block between two --- lines"
        raise RecordErrors([RecordError("has no front matter", path=path, line=1, hint=hint)])
    return "".join(lines[1 : marks[1]]).encode(), "".join(lines[marks[1] + 1 :])


def _validated(document: Document, kind: type[R]) -> R:
    """Strict JSON mode: text stays text, numbers stay numbers; enums and tuples are read from their JSON forms."""
    try:
        return kind.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        found = explain(error, kind)
    errors = [
        RecordError(p.problem, path=document.path, line=document.line(p.field), field=p.field, hint=p.hint)
        for p in found
    ]
    raise RecordErrors(sorted(errors, key=lambda error: error.line or 0))


class _Composer:
    """Reads libyaml's events into plain values. Collects errors; only broken syntax and depth end the reading."""

    def __init__(self, data: bytes, *, path: str, first_line: int, lines: dict[str, int] | None) -> None:
        self.path = path
        self.first_line = first_line
        self.lines = lines
        self.errors: list[RecordError] = []
        self._at: list[str | int] = []
        self._next: Callable[[], Any] = CParser(data).get_event

    def document(self) -> Any:
        try:
            self._next()  # the stream's start
            start = self._next()
            if isinstance(start, yaml.StreamEndEvent):
                raise RecordErrors(
                    [RecordError("is empty", path=self.path, line=self.first_line, hint="write the record")]
                )
            if start.version or start.tags:
                self._error(start, "a % directive stands here", "remove it")
            value = self._node(self._next())
            self._next()  # the document's end
            after = self._next()
            if not isinstance(after, yaml.StreamEndEvent):
                self._error(after, "a second document starts here", "one file holds one document; remove the ---")
        except yaml.MarkedYAMLError as error:
            raise RecordErrors([*self.errors, self._syntax(error)]) from None
        except yaml.YAMLError as error:
            raise RecordErrors([*self.errors, RecordError(f"is not YAML: {error}", path=self.path)]) from None
        return value

    def _node(self, event: Any) -> Any:
        if self.lines is not None:
            self.lines.setdefault(field_path(self._at), event.start_mark.line + self.first_line)
        kind = type(event)
        if kind is yaml.ScalarEvent:
            if event.anchor is None and event.tag is None and not event.implicit[0]:
                return event.value
            return self._scalar(event)
        if kind is yaml.AliasEvent:
            return self._error(
                event, f"the alias *{event.anchor} stands here", "write the value out; nothing is shared"
            )
        self._check_marks(event)
        if len(self._at) >= MAX_DEPTH:
            self._error(event, f"is nested deeper than {MAX_DEPTH} levels", "make the file flatter")
            raise RecordErrors(self.errors)
        return self._mapping() if kind is yaml.MappingStartEvent else self._sequence()

    def _scalar(self, event: Any) -> Any:
        self._check_marks(event)
        if not event.implicit[0]:
            return event.value
        value = plain(event.value)
        if isinstance(value, Surprise):
            return self._error(event, value.problem, value.hint)
        return value

    def _mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        event = self._next()
        while type(event) is not yaml.MappingEndEvent:
            key = self._key(event)
            self._at.append(key)
            if self.lines is not None:
                self.lines.setdefault(field_path(self._at), event.start_mark.line + self.first_line)
            if key in found:
                self._error(event, "this key stands here twice", "keep one of the two")
            found[key] = self._node(self._next())
            self._at.pop()
            event = self._next()
        return found

    def _key(self, event: Any) -> str:
        """A key's text. A key that is no text is an error, and gets a name to go on with."""
        if type(event) is not yaml.ScalarEvent:
            self._error(event, "a key must be a plain word", "write `key: value`")
            raise RecordErrors(self.errors)
        self._check_marks(event)
        if event.implicit[0]:
            value = plain(event.value)
            if event.value == "<<":
                self._error(event, "the merge key << stands here", "write the keys out; nothing is shared")
            elif isinstance(value, Surprise):
                self._error(event, f"key: {value.problem}", value.hint)
            elif not isinstance(value, str):
                self._error(event, f"the key {event.value} is no text", f'write "{event.value}"')
        return str(event.value)

    def _sequence(self) -> list[Any]:
        found: list[Any] = []
        event = self._next()
        while type(event) is not yaml.SequenceEndEvent:
            self._at.append(len(found))
            found.append(self._node(event))
            self._at.pop()
            event = self._next()
        return found

    def _check_marks(self, event: Any) -> None:
        if event.anchor is not None:
            self._error(event, f"the anchor &{event.anchor} stands here", "remove it; nothing is shared")
        if event.tag is not None:
            self._error(event, f"the tag {event.tag} stands here", "remove it; a value is what its field says it is")

    def _error(self, event: Any, problem: str, hint: str) -> None:
        line = event.start_mark.line + self.first_line
        self.errors.append(RecordError(problem, path=self.path, line=line, field=field_path(self._at), hint=hint))

    def _syntax(self, error: yaml.MarkedYAMLError) -> RecordError:
        problem = error.problem or "cannot be read"
        mark = error.problem_mark or error.context_mark
        line = self.first_line + mark.line if mark is not None else None
        hint = next((text for key, text in _SYNTAX_HINTS.items() if key in problem), "check quotes and indentation")
        return RecordError(f"is not YAML: {problem}", path=self.path, line=line, field=field_path(self._at), hint=hint)
