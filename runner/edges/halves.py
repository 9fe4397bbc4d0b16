"""Work on many files by two processes: on two cores it takes half the time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from runner.edges.aside import Aside

TOGETHER = 400
"""Files from which a second process is worth its start."""


def in_halves(paths: Sequence[str], work: Callable[[str], Any]) -> list[Any]:
    """`work` of each path, in their order; every other one comes through JSON where there are many.

    What it raises for a path is raised here, also where it was raised in the other process.
    """
    if len(paths) < TOGETHER or (os.cpu_count() or 1) < 2:
        return list(map(work, paths))
    aside = Aside(lambda: json.dumps(list(map(work, paths[1::2]))).encode())
    try:
        ours = list(map(work, paths[::2]))
    finally:
        answer = aside.result()
    theirs = json.loads(answer) if answer else list(map(work, paths[1::2]))
    found: list[Any] = [None] * len(paths)
    found[::2], found[1::2] = ours, theirs
    return found
