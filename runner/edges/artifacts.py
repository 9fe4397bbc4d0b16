"""An iteration's files in a directory: `clusters/<cluster>/` of a work tree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from runner.edges.files import write_blocks, write_directory, write_file
from runner.errors import DataError
from runner.ports import Tree
from runner.records.artifact import ARTIFACTS, Form
from runner.records.base import Record
from runner.rules.canonical import sha256

R = TypeVar("R", bound=Record)
_BLOCK = 1 << 20


class DirectoryArtifacts:
    """Reads and writes the artifacts of one cluster below `root`. A write is whole or did not happen.

    What is pinned was recorded, and perhaps brought by DVC since: it is read only if its sha256 is the recorded one.
    """

    def __init__(self, root: Path, pins: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._pins = dict(pins or {})

    def pin(self, digests: Mapping[str, str]) -> None:
        """From now on these artifacts are what their digests say, until they are written."""
        self._pins.update(digests)

    def path(self, name: str) -> Path:
        return self.root / ARTIFACTS[name].path

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def record(self, name: str, kind: type[R]) -> R:
        try:
            return kind.model_validate_json(self._bytes(name))
        except ValidationError as error:
            raise DataError(f"{self.path(name)}: not a {kind.__name__}: {error}") from error

    def rows(self, name: str, kind: type[R]) -> tuple[R, ...]:
        return tuple(self._parsed(name, kind, self._bytes(name).splitlines()))

    def stream(self, name: str, kind: type[R]) -> Iterator[R]:
        """The rows one at a time. What is pinned is checked as it is read: a `DataError` after the last row says that
        the rows were not the recorded ones."""
        found = hashlib.sha256()

        def lines() -> Iterator[bytes]:
            with self._opened(name) as file:
                for line in file:
                    found.update(line)
                    yield line

        yield from self._parsed(name, kind, lines())
        self._is_recorded(name, found.hexdigest())

    def _parsed(self, name: str, kind: type[R], lines: Iterable[bytes]) -> Iterator[R]:
        for number, line in enumerate(lines, start=1):
            try:
                yield kind.model_validate_json(line)
            except ValidationError as error:
                raise DataError(f"{self.path(name)}:{number}: not a {kind.__name__}: {error}") from error

    def tree(self, name: str) -> Tree:
        tree = self._tree(name)
        self._is_recorded(name, tree.digest)
        return tree

    def _tree(self, name: str) -> Tree:
        root = self.path(name)
        if not root.is_dir():
            raise DataError(f"{root} is missing: run the phase that writes it, or `dvc pull`")
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return Tree({path.relative_to(root).as_posix(): path.read_bytes() for path in files})

    def digest(self, name: str) -> str:
        """Of what is there, whatever was recorded."""
        if ARTIFACTS[name].form is Form.TREE:
            return self._tree(name).digest
        found = hashlib.sha256()
        with self._opened(name) as file:
            while block := file.read(_BLOCK):
                found.update(block)
        return found.hexdigest()

    def write(self, name: str, value: Record | Sequence[Record] | Tree) -> None:
        """Replace the artifact. Records are readable JSON with sorted keys, rows are JSON lines."""
        target = self.path(name)
        if isinstance(value, Tree):
            write_directory(target, value.files)
        elif isinstance(value, Record):
            write_file(target, record_bytes(value))
        else:
            write_blocks(target, map(row_bytes, value))
        self._pins.pop(name, None)

    def _bytes(self, name: str) -> bytes:
        data = self._file(name)
        if name in self._pins:
            self._is_recorded(name, sha256(data))
        return data

    def _is_recorded(self, name: str, found: str) -> None:
        recorded = self._pins.get(name, found)
        if found != recorded:
            hint = (
                "`hallmark iterate` brings the recorded bytes back; outputs of your own are made with `dvc repro`, "
                "and data of your own are recorded with `hallmark import` or `hallmark ingest`"
            )
            raise DataError(f"{self.path(name)} has sha256 {found}, and {recorded} is recorded: {hint}")

    def _file(self, name: str) -> bytes:
        with self._opened(name) as file:
            return file.read()

    def _opened(self, name: str) -> IO[bytes]:
        try:
            return self.path(name).open("rb")
        except FileNotFoundError as error:
            raise DataError(f"{self.path(name)} is missing: run the phase that writes it, or `dvc pull`") from error


def record_bytes(record: Record) -> bytes:
    text = json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def rows_bytes(rows: Sequence[Record]) -> bytes:
    return b"".join(map(row_bytes, rows))


def row_bytes(row: Record) -> bytes:
    return row.model_dump_json().encode() + b"\n"
