"""Settings to what reads evidence: of a promotion in a tree, or of an iteration on its run branch."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from runner.errors import GitError, RecordError
from runner.ports import Reader
from runner.records.base import Record
from runner.rules.loop.fleet import is_sequence
from runner.wiring import flywheel

R = TypeVar("R", bound=Record)
Source = tuple[Reader, str]
"""A tree, and the directory in it where evidence stands."""


def read_record(reader: Reader, path: str, kind: type[R]) -> R:
    """A JSON record of a tree. Raises `RecordError` that names the file."""
    try:
        return kind.model_validate_json(reader.read(path))
    except ValidationError as error:
        raise RecordError(error.errors()[0]["msg"], path=f"{reader.name}:{path}") from error


def sequences(reader: Reader, cluster: str) -> tuple[int, ...]:
    """The promotions on main, oldest first."""
    home, end = f"clusters/{cluster}/promotions/", "/record.yaml"
    names = (path.removeprefix(home).removesuffix(end) for path in reader.paths(home) if path.endswith(end))
    return tuple(sorted(int(name) for name in names if is_sequence(name)))


def run_branch(directory: Path, cluster: str, iteration: str) -> Reader | None:
    """The iteration's branch: the remote's where there is one here, else the local one; None for neither."""
    for name in (f"refs/remotes/origin/runs/{cluster}/{iteration}", f"refs/heads/runs/{cluster}/{iteration}"):
        try:
            return flywheel.reader(directory, name)
        except GitError:
            continue
    return None


def promoted(reader: Reader, cluster: str, sequence: int) -> Source:
    """Where the evidence of a promotion stands. Raises `RecordError` where there is no such promotion."""
    there = sequences(reader, cluster)
    if sequence in there:
        return reader, f"clusters/{cluster}/promotions/{sequence}/evidence/"
    known = ", ".join(map(str, there)) or "none yet"
    raise RecordError(f"{cluster} has no promotion {sequence}", path=reader.name, hint=f"promotions: {known}")
