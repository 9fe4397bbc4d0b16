"""What a log file holds, one document at a time: lines of JSON, one JSON document, or the rows of a CSV file.

Memory is bounded by the longest line, row or element, never by the file. A JSON file that is one array, or one object
around an array (OTLP's `resourceSpans` and `resourceLogs`, an API's `data`), is taken apart element by element.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from runner.edges.traces.base import Quarantined

MAX_LINE = 16_000_000
"""Bytes of one line, or characters of one element of a document."""
MAX_CELL = 1_000_000
"""Characters of one cell of a CSV file."""
_READ = 1 << 16
_LONG = f"is longer than {MAX_LINE:,} bytes"
_HEAD = re.compile(rb'\s*(?:\[|\{\s*"(resourceSpans|resourceLogs|data)"\s*:\s*\[)')
_DECODER = json.JSONDecoder(parse_constant=lambda name: _no_constant(name))


class Document(NamedTuple):
    """A JSON object, or a row by its columns, and the line where it begins."""

    line: int
    value: Mapping[str, Any]


def documents(path: Path) -> Iterator[Document | Quarantined]:
    """Every document of the file in order, and what of it cannot be read. Blank lines are left out."""
    with path.open("rb") as file:
        start = file.read(_READ).removeprefix(b"\xef\xbb\xbf")
        file.seek(0)
        if path.suffix.lower() == ".csv" or _is_table(start):
            yield from _rows(file)
        elif _is_whole(start):
            yield from _elements(path, _HEAD.match(start))
        else:
            yield from _lines(file)


def _is_table(start: bytes) -> bool:
    return not start.lstrip().startswith((b"{", b"[")) and b"," in start.partition(b"\n")[0]


def _is_whole(start: bytes) -> bool:
    """Whether the file is one document over several lines, or an array: JSON lines begin with an object each."""
    text = start.lstrip()
    first, _, rest = text.partition(b"\n")
    if text.startswith(b"["):
        return True
    if not text.startswith(b"{"):
        return False
    if not rest and len(start) >= _READ:  # the first line goes on beyond what was read
        return False
    return not _is_json(first) and rest.lstrip()[:1] in (b'"', b"}")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(file: IO[bytes]) -> Iterator[Document | Quarantined]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
            yield Quarantined(number, _LONG)
        elif line.strip():
            yield _document(line, number)


def _document(line: bytes, number: int) -> Document | Quarantined:
    try:
        return _object(json.loads(line.decode("utf-8-sig"), parse_constant=_no_constant), number)
    except UnicodeDecodeError as error:
        return Quarantined(number, f"is not UTF-8: byte 0x{line[error.start]:02x} cannot be read")
    except (ValueError, RecursionError):
        return Quarantined(number, "is not JSON")


def _object(value: Any, number: int) -> Document | Quarantined:
    return Document(number, value) if isinstance(value, Mapping) else Quarantined(number, "line: is no JSON object")


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _elements(path: Path, head: re.Match[bytes] | None) -> Iterator[Document | Quarantined]:
    """The elements of the array that `head` opens; without one, the file's one object."""
    around = head[1].decode() if head and head[1] else ""
    with path.open(encoding="utf-8-sig", newline="") as file:
        opened = file.read(len(head[0].decode())) if head else ""
        line, text, more = 1 + opened.count("\n"), "", True
        while True:
            blank = len(text) - len(text.lstrip(" \t\r\n,"))
            line, text = line + text[:blank].count("\n"), text[blank:]
            if text.startswith("]") or (not text and not more):
                return
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                try:
                    read = file.read(max(_READ, len(text))) if more and len(text) <= MAX_LINE else ""
                except UnicodeDecodeError:
                    yield Quarantined(line, "is not UTF-8, and what follows of the document cannot be read")
                    return
                if not read:
                    reason = _LONG if len(text) > MAX_LINE else "is not JSON"
                    if text:
                        yield Quarantined(line, f"{reason}, and what follows of the document cannot be read")
                    return
                more, text = bool(read), text + read
                continue
            yield _object({around: [value]} if around else value, line)
            line, text = line + text[:end].count("\n"), text[end:]


class _Texts:
    """The lines of a CSV file as text. A line that is not UTF-8 raises, and the next can be read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> _Texts:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_LINE + 1)
        self.number += 1
        if not line:
            raise StopIteration
        return line.decode("utf-8-sig" if self.number == 1 else "utf-8")


def _rows(file: IO[bytes]) -> Iterator[Document | Quarantined]:
    csv.field_size_limit(MAX_CELL)
    texts = _Texts(file)
    rows = csv.reader(texts, strict=True)
    names: list[str] = []
    while True:
        begin = texts.number + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except UnicodeDecodeError:
            yield Quarantined(begin, "is not UTF-8")
            continue
        except csv.Error:
            yield Quarantined(begin, "is no row of CSV")
            continue
        if not names:
            names = [name.strip().lower() for name in row]
        elif len(row) == len(names):
            yield Document(begin, dict(zip(names, row, strict=True)))
        elif row:
            yield Quarantined(begin, f"has {len(row)} cells, and the first line names {len(names)}")
