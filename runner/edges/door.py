"""The door: production traces come in redacted, each record once, and the count says where every record went."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO

from runner.edges import dvc_data
from runner.edges.files import naming, only_one, write_blocks, write_file
from runner.edges.traces.base import Other, Quarantined
from runner.edges.traces.formats import Reader
from runner.edges.traces.held import Held
from runner.errors import RecordError
from runner.records.trace import IngestedFile, QuarantinedLine, Trace
from runner.rules.text.redaction import NameRecogniser

_SIGNALS = "data/signals.jsonl"
_SHOWN = 1_000
_BLOCK = 1 << 20


def ingest(
    top: Path,
    cluster: str,
    files: Sequence[Path],
    *,
    format: str = "",
    names: NameRecogniser | None = None,
    key: bytes = b"",
) -> IngestedFile:
    """Take the traces in `files` into the cluster's signals, and its pointer with them. `key` is the pseudonyms'.

    A record that was taken in before, or stands in the files twice, is a duplicate. What cannot be read is
    quarantined: its line and the reason are kept beside the data, out of git, and nothing of its text. Memory does not
    grow with the files: new rows wait in a file without a name until all are read.
    Raises `RecordError` where there is nothing to read, and leaves everything as it was.
    """
    home = top / "clusters" / cluster
    if not (home / "cluster.yaml").is_file():
        raise RecordError(f"there is no cluster {cluster}", path=str(top), hint="hallmark import labelled --help")
    for file in files:
        if not file.is_file() or file.stat().st_size == 0:
            raise RecordError(
                "is empty", path=str(file), hint="give a file of JSON lines, one request and response a line"
            )
    lock = top / ".hallmark" / "ingest.lock"
    with only_one(lock):
        target = home / _SIGNALS
        if dvc_data.pointer_path(target).exists():
            dvc_data.fetch(top, target)
        with _spool(lock.parent) as fresh, _spool(lock.parent) as damaged:
            sorting = _Sorting(fresh, damaged)
            sorting.run(target, Reader(sorting.held, format=format, names=names, key=key), files)
            result = sorting.result(cluster, files)
            if result.kept:
                write_blocks(target, chain(_blocks(target), _from_start(fresh)))
            _keep_quarantine(home, files, result, damaged)
        dvc_data.track(top, [target])
    return result


@contextmanager
def _spool(folder: Path) -> Iterator[IO[bytes]]:
    """A file without a name in `folder`, gone with the process. Raises `DataError` where the disk is full."""
    with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
        yield file


class _Sorting:
    """Every record is kept (written to `fresh`), a duplicate, quarantined (noted in `damaged`), or of another kind."""

    def __init__(self, fresh: IO[bytes], damaged: IO[bytes]) -> None:
        self.held = Held()
        self._fresh, self._damaged = fresh, damaged
        self._counts: Counter[str] = Counter()
        self._redactions: Counter[str] = Counter()
        self._flags: Counter[str] = Counter()
        self._first: list[QuarantinedLine] = []

    def run(self, target: Path, reader: Reader, files: Sequence[Path]) -> None:
        if target.exists():
            with target.open("rb") as rows:
                for row in rows:
                    self._is_new(row.rstrip(b"\n"))
        for file in files:
            reader.gather(file)
        for file in files:
            for found in reader.read(file):
                self._take(found, file.name)
        for found in reader.rest():
            self._take(found, "")
        self._fresh.flush()
        self._damaged.flush()

    def _is_new(self, row: bytes) -> bool:
        return self.held.is_new(hashlib.sha256(row).digest()[:16])

    def _take(self, found: Trace | Quarantined | Other, file: str) -> None:
        if isinstance(found, Other):
            self._counts["other"] += 1
        elif isinstance(found, Quarantined):
            self._counts["quarantined"] += 1
            line = QuarantinedLine(line=found.line, reason=found.reason, file=file)
            self._damaged.write(line.model_dump_json().encode() + b"\n")
            if len(self._first) < _SHOWN:
                self._first.append(line)
        elif not self._is_new(row := found.model_dump_json().encode()):
            self._counts["duplicate"] += 1
        else:
            self._counts["kept"] += 1
            self._fresh.write(row + b"\n")
            self._redactions.update(found.redactions)
            self._flags.update(found.flags)

    def result(self, cluster: str, files: Sequence[Path]) -> IngestedFile:
        """The count. Raises `RecordError` where no record could be read."""
        count = self._counts
        if count["kept"] == count["duplicate"] == 0:
            first = self._first[0] if self._first else None
            none = "holds no model call" if count["other"] else "holds no line"
            problem = f"no line can be read; the first {first.reason}" if first else none
            path = next((str(file) for file in files if first and file.name == first.file), str(files[0]))
            hint = "docs/signals.md shows what a line of each format looks like"
            raise RecordError(problem, path=path, line=first.line if first else None, hint=hint)
        return IngestedFile(
            cluster=cluster,
            read=count["kept"] + count["duplicate"] + count["quarantined"],
            kept=count["kept"],
            duplicate=count["duplicate"],
            quarantined=tuple(self._first),
            more_quarantined=count["quarantined"] - len(self._first),
            other=count["other"],
            unmatched=self.held.unmatched,
            redactions=dict(sorted(self._redactions.items())),
            flags=dict(sorted(self._flags.items())),
        )


def _blocks(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from _from_start(file)


def _from_start(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _keep_quarantine(home: Path, files: Sequence[Path], result: IngestedFile, damaged: IO[bytes]) -> None:
    """A line for each that was quarantined, under the first file's name."""
    if not result.quarantined:
        return
    folder = home / "data" / "quarantine"
    write_file(folder / ".gitignore", b"*\n")
    head = {"files": [file.name for file in files], "read": result.read}
    report = folder / f"{files[0].name}.jsonl"
    write_blocks(report, chain([json.dumps(head).encode() + b"\n"], _from_start(damaged)))
