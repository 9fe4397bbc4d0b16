"""What the hook begins with, before it imports the gate: a second process reads the scenarios meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from runner.edges.aside import Aside
from runner.edges.git import GitObjects
from runner.errors import HallmarkError, RecordError
from runner.promotion.governed import Ahead, Governed, governed

PROMOTIONS = ("clusters", "promotions")


def read_ahead(path: Path, *, old: str, new: str) -> Ahead:
    """Begin to read the governed scenarios at `old` of the clusters that the step to `new` promotes in. What is
    returned waits for them; what could not be read so is left out, and the gate reads it itself."""

    def work() -> bytes:
        return json.dumps(
            {tree: list(zip(*files, strict=True)) for tree, files in _read(path, old, new).items()}
        ).encode()

    reading = Aside(work)

    @cache
    def answer() -> Mapping[str, tuple[Governed, ...]]:
        found = json.loads(reading.result() or b"{}")
        return {tree: tuple(map(Governed._make, zip(*columns, strict=True))) for tree, columns in found.items()}

    return answer


def _read(path: Path, old: str, new: str) -> Mapping[str, tuple[Governed, ...]]:
    try:
        with GitObjects(path) as objects:
            parts = [change.path.split("/") for change in objects.diff(old, new)]
            clusters = sorted({one[1] for one in parts if (one[0], *one[2:3]) == PROMOTIONS})
            return {
                objects.tree_at(old, f"scenarios/{cluster}"): governed(objects, old, cluster, known={}, parse=_not_here)
                for cluster in clusters
            }
    except HallmarkError:
        return {}  # the gate says what is wrong


def _not_here(data: bytes, path: str) -> tuple[str, str]:
    raise RecordError("it has to be parsed", path=path)
