"""The folder of a file that somebody imports: what that file may name lies in it or below, and is read as data."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges.adopt.foreign_yaml import ForeignDocument, read_bytes, read_yaml
from runner.edges.adopt.templates import Render, template
from runner.edges.csv_rows import csv_rows
from runner.errors import RecordError
from runner.records.adoption import SourceFile
from runner.rules.canonical import sha256
from runner.rules.strict_json import strict_json

MAX_ROWS = 100_000
LARGEST_DATA = 256 << 20
TEXTS = (".txt", ".md")
DOCUMENTS = (".yaml", ".yml", ".json")
DATA = (".csv", ".jsonl", ".json")


class Folder:
    """`rules.adopt.items.Beside` of one folder; it remembers what was read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._read: dict[str, str] = {}

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """Every file that was read, by its name."""
        return tuple(SourceFile(name=name, sha256=digest) for name, digest in sorted(self._read.items()))

    def document(self, name: str) -> ForeignDocument:
        path = self._path(name, DOCUMENTS)
        self._note(name, path)
        if path.suffix == ".json":
            return ForeignDocument(name, _json(read_bytes(path, name=name), name), {})
        return read_yaml(path, name=name)

    def text(self, name: str) -> str:
        path = self._path(name, TEXTS)
        return _decoded(self._note(name, path), name)

    def rows(self, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        path = self._path(name, DATA)
        text = _decoded(self._note(name, path, most=LARGEST_DATA), name)
        match path.suffix:
            case ".csv":
                found = _csv_rows(text, name)
            case ".jsonl":
                found = [(f"{name}:{number}", _json(line.encode(), f"{name}:{number}"))
                         for number, line in enumerate(text.split("\n"), 1) if line.strip()]  # fmt: skip
            case _:
                value = _json(text.encode(), name)
                listed = value if isinstance(value, list) else []
                found = [(f"{name}[{number}]", one) for number, one in enumerate(listed)]
        for place, row in found:
            if not isinstance(row, dict):
                raise RecordError("is no object", path=place, hint="one object a row, with a value for each column")
        if not found or len(found) > MAX_ROWS:
            raise RecordError(f"has {len(found):,} rows", path=name, hint=f"from 1 to {MAX_ROWS:,} are read")
        return found

    def template(self, text: str, *, path: str, field: str = "") -> Render:
        return template(text, path=path, field=field)

    def _path(self, name: str, suffixes: Sequence[str]) -> Path:
        if not name.isprintable():
            raise RecordError("is no name of a file", path=repr(name)[:80])
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise RecordError("lies outside of the folder of the file that names it", path=name,
                              hint="copy it beside that file")  # fmt: skip
        if path.suffix not in suffixes:
            raise RecordError(f"is read as data, and ends in {path.suffix or 'nothing'}", path=name,
                              hint=f"one of {', '.join(suffixes)} is read here")  # fmt: skip
        return path

    def _note(self, name: str, path: Path, *, most: int = 16 << 20) -> bytes:
        data = read_bytes(path, name=name, most=most)
        self._read[name] = sha256(data)
        return data


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecordError("is not UTF-8", path=name, line=line, hint="save the file as UTF-8") from None


def _json(data: bytes, name: str) -> Any:
    try:
        return strict_json(data)
    except ValueError as error:
        raise RecordError(f"is not JSON: {error}", path=name) from None


def _csv_rows(text: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    rows = csv_rows(io.StringIO(text, newline=""), name, example="question,answer")
    _, header = next(rows)
    return [(f"{name}:{line}", dict(zip(header, row, strict=True))) for line, row in rows]
