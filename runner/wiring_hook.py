"""What the hook begins with, before it imports the gate: a second process asks git and reads scenarios meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runner.edges.aside import Aside
from runner.edges.git import GitObjects, Said, asked_for_commits, asked_for_refs
from runner.errors import HallmarkError, RecordError
from runner.promotion.governed import Ahead, Governed, governed

PROMOTIONS = ("clusters", "promotions")
HEADS, LEDGER = "refs/heads/", "refs/heads/ledger"


class ReadAhead(NamedTuple):
    """What a second process reads. Either waits for it; what could not be read so is left out, and the gate reads it
    itself."""

    scenarios: Ahead = dict
    git: Callable[[], Said] = dict


def read_ahead(path: Path, *, old: str, new: str) -> ReadAhead:
    """Begin to read what the gate asks of the step from `old` to `new`: what it brings, where the branches stand, and
    the governed scenarios, at `old`, of the clusters that it promotes in."""
    reading = Aside(lambda: json.dumps(_read(path, old, new)).encode())

    @cache
    def answer() -> Mapping[str, Any]:
        return json.loads(reading.result() or b"{}") or {"git": [], "scenarios": {}}

    def scenarios() -> Mapping[str, tuple[Governed, ...]]:
        found = answer()["scenarios"].items()
        return {tree: tuple(map(Governed._make, zip(*columns, strict=True))) for tree, columns in found}

    @cache
    def git() -> Said:
        return {tuple(asked): said.encode(errors="surrogateescape") for asked, said in answer()["git"]}

    return ReadAhead(scenarios, git)


def _read(path: Path, old: str, new: str) -> dict[str, Any]:
    try:
        with GitObjects(path) as objects:
            asked = (asked_for_commits(old, new), asked_for_refs(HEADS), asked_for_refs(LEDGER))
            said = [(one, objects.run(*one).decode(errors="surrogateescape")) for one in asked]
            parts = [change.path.split("/") for change in objects.diff(old, new)]
            clusters = sorted({one[1] for one in parts if (one[0], *one[2:3]) == PROMOTIONS})
            read = {
                objects.tree_at(old, f"scenarios/{cluster}"): governed(objects, old, cluster, known={}, parse=_not_here)
                for cluster in clusters
            }
    except HallmarkError:
        return {}  # the gate says what is wrong
    return {"git": said, "scenarios": {tree: list(zip(*files, strict=True)) for tree, files in read.items()}}


def _not_here(data: bytes, path: str) -> tuple[str, str]:
    raise RecordError("it has to be parsed", path=path)
