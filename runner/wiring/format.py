"""Settings to the edges that lay reviewed files out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.edges.files import write_file
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import read
from runner.edges.yaml_format import canonical_form
from runner.errors import RecordError, RecordErrors
from runner.rules.repository.layout import FORMATTED, place

GOVERNED = ("clusters/", "params.yaml", "rubrics/", "scenarios/")


class Changed(NamedTuple):
    """A file as it is and as it should be laid out."""

    path: str
    before: bytes
    after: bytes


class LaidOut(NamedTuple):
    """How many files were looked at, those that should be laid out otherwise, and what cannot be read."""

    files: int
    changed: tuple[Changed, ...]
    problems: tuple[RecordError, ...]


def laid_out(top: Path, paths: Sequence[str] | None = None) -> LaidOut:
    """What `fmt` would do in the workspace `top`, or to the files `paths` of it (relative, POSIX)."""
    reader = DirectoryReader(top)
    governed = (path for start in GOVERNED for path in reader.paths(start))
    files = 0
    changed: list[Changed] = []
    problems: list[RecordError] = []
    for path in governed if paths is None else paths:
        found = place(path)
        if found is None or found.kind not in FORMATTED:
            continue
        files += 1
        try:
            before = reader.read(path)
            read(before, found.kind, path=path)
            after = canonical_form(before, found.kind, path=path)
        except RecordErrors as several:
            problems.extend(several.errors)
        except RecordError as problem:
            problems.append(problem)
        else:
            changed += [Changed(path, before, after)] if after != before else []
    return LaidOut(files, tuple(changed), tuple(problems))


def write(top: Path, changed: Iterable[Changed]) -> None:
    """Lay the files out. Each is whole or as it was."""
    for one in changed:
        write_file(top / one.path, one.after, mode=(top / one.path).stat().st_mode & 0o777)
