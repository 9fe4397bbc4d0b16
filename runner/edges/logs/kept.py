"""An evaluation's log: JSON lines in zstd frames. The first line is the summary, the second an index, then samples.

`zstd -dc LOG | jq` reads it whole; the summary is read without the samples, and some samples without the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from runner.edges.logs.frames import Frames, broken, write_frames
from runner.errors import RecordError
from runner.records.base import Record
from runner.records.evaluation import EvaluationRun, LogHeader, LogIndex, LogPointer, Sample
from runner.rules.canonical import canonical
from runner.rules.evaluation.evaluations import Mark, Marks, sample_line
from runner.rules.repository.problems import explain

R = TypeVar("R", bound=Record)
BLOCK = 256
"""Samples of a frame: some hundred kilobytes, which pack well and unpack in a millisecond."""
SUFFIX = ".jsonl.zst"
_HEADER, _INDEX, _FIRST = 0, 1, 2


def write_log(path: Path, run: EvaluationRun, samples: Sequence[Sample]) -> LogPointer:
    """Replace the log at `path`; the same evaluation gives the same bytes. Raises `DataError`."""
    said = run.model_copy(update={"log": None, "measured": {}})
    header = LogHeader(samples=len(samples), block=BLOCK, run=said)
    blocks = [b"".join(map(sample_line, samples[at : at + BLOCK])) for at in range(0, len(samples), BLOCK)]
    write_frames(path, [canonical(header) + b"\n", _index(samples).model_dump_json().encode() + b"\n", *blocks])
    return LogPointer(sha256=log_digest(path), size=path.stat().st_size, samples=len(samples))


def log_digest(path: Path) -> str:
    """The sha256 of the log's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _index(samples: Sequence[Sample]) -> LogIndex:
    return LogIndex(
        sets=tuple(one.set for one in samples),
        perturbations=tuple(one.perturbation for one in samples),
        scenarios=tuple(one.grade.scenario for one in samples),
        capabilities=tuple(one.grade.capability for one in samples),
        outcome_types=tuple(one.grade.outcome_type for one in samples),
        scores=tuple(one.grade.score for one in samples),
        passed=tuple(one.grade.passed for one in samples),
    )


@dataclass(frozen=True)
class Log:
    """A log, opened: its header is read, and nothing else of it."""

    path: Path
    frames: Frames
    header: LogHeader

    @classmethod
    def open(cls, path: Path) -> Log:
        """Raises `RecordError` for a file that is no log, is cut off, or says what a log cannot say."""
        frames = Frames.open(path)
        if len(frames) < _FIRST:
            raise broken(path, "has no summary and no index")
        header = _parsed(path, 1, frames.read(_HEADER), LogHeader)
        if len(frames) != _FIRST + -(-header.samples // header.block):
            raise broken(path, f"has {len(frames) - _FIRST} blocks, which {header.samples:,} samples do not fill")
        return cls(path, frames, header)

    @property
    def run(self) -> EvaluationRun:
        return self.header.run

    @cached_property
    def index(self) -> LogIndex:
        """Every sample's outcome, without its texts. Raises `RecordError`."""
        found = _parsed(self.path, 2, self.frames.read(_INDEX), LogIndex)
        if len(found.passed) != self.header.samples:
            raise broken(self.path, "has an index of other samples than its own")
        return found

    def marks(self) -> Marks:
        """What evaluations are compared by."""
        columns = self.index
        keys = zip(columns.sets, columns.perturbations, columns.scenarios, strict=True)
        outcomes = zip(columns.capabilities, columns.scores, columns.passed, strict=True)
        return Marks(
            self.run.id,
            {key: Mark(f"{key[0]}/{key[2]}", *outcome) for key, outcome in zip(keys, outcomes, strict=True)},
        )

    def samples(self, wanted: Callable[[int], bool] = lambda place: True) -> Iterator[Sample]:
        """The samples whose place is wanted, in their order; blocks without one are not unpacked. How many there are is
        what the index holds: the header may say any number."""
        size = self.header.block
        chosen: dict[int, list[int]] = {}
        for place in filter(wanted, range(len(self.index.passed))):
            chosen.setdefault(place // size, []).append(place % size)
        for block, data in zip(chosen, self.frames.read_all([_FIRST + one for one in chosen]), strict=True):
            lines = data.splitlines()
            if len(lines) != min(size, self.header.samples - block * size):
                raise broken(self.path, f"has {len(lines)} samples in block {block + 1}")
            for row in chosen[block]:
                yield _parsed(self.path, 3 + block * size + row, lines[row], Sample)


def _parsed(path: Path, line: int, data: bytes, kind: type[R]) -> R:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = explain(error, kind)[0]
        raise RecordError(first.problem, path=str(path), line=line, field=first.field, hint=first.hint) from None
