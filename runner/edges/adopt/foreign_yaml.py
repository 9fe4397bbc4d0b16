"""YAML that other programs' users wrote: read as data, within limits, with the line of every field.

Unlike reviewed files it may have anchors, aliases and merge keys, as those programs read them. It may not have tags
(`!function` names Python that another program would run), a key twice, an alias inside itself, more than `MAX_NODES`
values once aliases are written out, or more than `MAX_DEPTH` levels.

Plain scalars are read as YAML 1.2's core schema does, and only where nothing is lost: `42`, `true` and `null` are what
they are, `007`, `1.50` and `no` stay the texts that somebody wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.reader import ReaderError

from runner.errors import RecordError
from runner.rules.repository.problems import field_path

MAX_BYTES = 16 << 20
MAX_NODES = 500_000
MAX_DEPTH = 60
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
FUNCTION = "!function"


@dataclass(frozen=True)
class ForeignDocument:
    """A file's value, and the lines of its fields."""

    path: str
    value: Any
    lines: dict[str, int] = field(repr=False)

    def place(self, at: str) -> str:
        """`file:line` of a field, or of the nearest one above it that the file has."""
        while at and at not in self.lines:
            cut = max(at.rfind("."), at.rfind("["))
            at = at[:cut] if cut > 0 else ""
        return f"{self.path}:{self.lines.get(at, 1)}"

    def line(self, at: str) -> int:
        return int(self.place(at).rpartition(":")[2])


def read_yaml(path: Path, *, name: str) -> ForeignDocument:
    """The one document in the file. Raises `RecordError` with file, line and field for what may not be in it."""
    data = read_bytes(path, name=name)
    composer = _Composer(data, name)
    return ForeignDocument(name, composer.document(), composer.lines)


def read_bytes(path: Path, *, name: str, most: int = MAX_BYTES) -> bytes:
    """The bytes of a file of a bounded size. Raises `RecordError`."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}", path=name) from None
    if len(data) > most:
        raise RecordError(f"is larger than {most:,} bytes", path=name, hint="split it")
    return data


@dataclass(frozen=True)
class _Node:
    value: Any
    size: int
    """Values in it, aliases written out."""


class _Composer:
    def __init__(self, data: bytes, name: str) -> None:
        self.name, self.data = name, data
        self.lines: dict[str, int] = {}
        self._at: list[str | int] = []
        self._anchors: dict[str, _Node] = {}
        self._next: Callable[[], Any] = CParser(data).get_event

    def document(self) -> Any:
        try:
            self._next()  # the stream's start
            if isinstance(self._next(), yaml.StreamEndEvent):
                raise RecordError("is empty", path=self.name, line=1)
            value = self._node(self._next()).value
            self._next()  # the document's end
            after = self._next()
            if not isinstance(after, yaml.StreamEndEvent):
                raise self._wrong(after, "a second document starts here", "one file holds one document")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else None
            raise RecordError(f"is not YAML: {error.problem}", path=self.name, line=line) from None
        except ReaderError as error:
            line = self.data.count(b"\n", 0, error.position) + 1
            hint = "save the file as UTF-8, without control characters"
            raise RecordError(f"is not YAML: {error.reason}", path=self.name, line=line, hint=hint) from None
        return value

    def _node(self, event: Any) -> _Node:
        self.lines.setdefault(field_path(self._at), event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            node = self._anchors.get(str(event.anchor))
            if node is None:
                raise self._wrong(event, f"the alias *{event.anchor} names nothing before it", "define it first")
        else:
            self._untagged(event)
            node = self._own(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = node
        return node

    def _own(self, event: Any) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._counted(_Node(_plain(event.value) if event.implicit[0] else event.value, 1), event)
        if len(self._at) >= MAX_DEPTH:
            raise self._wrong(event, f"is nested deeper than {MAX_DEPTH} levels", "make the file flatter")
        return self._counted(self._mapping() if isinstance(event, yaml.MappingStartEvent) else self._sequence(), event)

    def _counted(self, node: _Node, event: Any) -> _Node:
        if node.size > MAX_NODES:
            hint = "aliases are counted as often as they stand there; split the file"
            raise self._wrong(event, f"holds more than {MAX_NODES:,} values", hint)
        return node

    def _mapping(self) -> _Node:
        found: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        size = 1
        event = self._next()
        while not isinstance(event, yaml.MappingEndEvent):
            key = self._key(event)
            merge = key == "<<" and bool(event.implicit[0])
            self._at.append(key)
            self.lines.setdefault(field_path(self._at), event.start_mark.line + 1)
            if key in found:
                raise self._wrong(event, "this key stands here twice", "keep one of the two")
            value = self._next()
            node = self._node(value)
            size += node.size
            if merge:
                merged += self._merged(value, node.value)
            else:
                found[key] = node.value
            self._at.pop()
            event = self._next()
        for other in merged:
            found = {**other, **found}
        return _Node(found, size)

    def _merged(self, event: Any, value: Any) -> Iterator[dict[str, Any]]:
        """What a merge key brings, the last first: what stands before it in the list weighs more."""
        for one in reversed(value if isinstance(value, list) else [value]):
            if not isinstance(one, dict):
                raise self._wrong(event, "the merge key << brings no mapping", "name an anchor of a mapping")
            yield one

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._wrong(event, "a key must be a plain word", "write `key: value`")
        self._untagged(event)
        return str(event.value)

    def _sequence(self) -> _Node:
        found: list[Any] = []
        size = 1
        event = self._next()
        while not isinstance(event, yaml.SequenceEndEvent):
            self._at.append(len(found))
            node = self._node(event)
            found.append(node.value)
            size += node.size
            self._at.pop()
            event = self._next()
        return _Node(found, size)

    def _untagged(self, event: Any) -> None:
        tag = event.tag
        if tag is None or (tag == "!" and isinstance(event, yaml.ScalarEvent)):
            return
        if tag == FUNCTION:
            hint = "write what it gives into the data, and a template in its place"
            raise self._wrong(event, f"{tag} names Python code, which is not run here", hint)
        raise self._wrong(event, f"the tag {tag} stands here, and tags are not read", "write the value itself")

    def _wrong(self, event: Any, problem: str, hint: str) -> RecordError:
        line = event.start_mark.line + 1
        return RecordError(problem, path=self.name, line=line, field=field_path(self._at), hint=hint)


def _plain(text: str) -> Any:
    """What a plain scalar says in YAML 1.2, where writing it again gives the same text; the text elsewhere."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text and text not in {"inf", "-inf", "nan"}:
            return value
    return text
