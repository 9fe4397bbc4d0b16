"""Settings to the edges that `check` needs, and no others: another process lists the tree while this one loads what
reads records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.edges.standing import StandingReader
from runner.rules.repository.governed import GOVERNED

if TYPE_CHECKING:
    from runner.survey import Records, Survey


def survey(top: Path, paths: Sequence[str] = ()) -> Survey:
    """What `check` finds in the directory `top`, or in the files `paths` of it (relative, POSIX)."""
    began = time.time_ns()
    reader = StandingReader(top, GOVERNED)
    from runner import survey as surveys
    from runner.edges.check_memory import CheckMemory, program, seal_key
    from runner.edges.yaml_files import line_of, read

    tree = surveys.Tree(reader, read, line_of)

    def records() -> Records:
        from runner.survey_files import ReviewedFiles

        return ReviewedFiles(tree)

    memory = CheckMemory(reader, began=began, program=program(), key=seal_key(top))
    found = surveys.survey(tree, records=records, paths=paths, memory=memory)
    if not paths:
        memory.keep()
    return found


FEW = 300
"""Files up to which `check` says of a whole workspace what `fmt` would lay out: some tenths of a second."""


def untidy(top: Path, paths: Sequence[str] = (), *, files: int) -> list[str]:
    """The files that are not in canonical form, of `paths` or of the `files` of a small workspace; of a large one none
    are looked at."""
    if not paths and files > FEW:
        return []
    from runner.wiring.format import laid_out

    return [one.path for one in laid_out(top, paths or None).changed]
