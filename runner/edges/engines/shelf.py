"""Directories that a server reads: written once under the digest of what they hold, the oldest taken away again."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.edges.files import naming, write_directory
from runner.ports import Tree

KEPT = 24
"""Directories kept at most; the ones that were asked for last."""


def name_of(kind: str, digest: str) -> str:
    """What a tree is called, on the disk and by a server."""
    return f"{kind}-{digest[:16]}"


def put(folder: Path, kind: str, tree: Tree) -> Path:
    """The directory of `tree`, which holds its files and nothing else."""
    place = (folder / name_of(kind, tree.digest)).absolute()
    if not _holds(place, tree):
        write_directory(place, tree.files)
    with naming(place):
        place.touch()
        found = [path for path in folder.iterdir() if path.is_dir()]
        for old in sorted(found, key=lambda path: path.stat().st_mtime_ns)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return place


def _holds(place: Path, tree: Tree) -> bool:
    found = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
    return found.keys() == tree.files.keys() and all(
        path.read_bytes() == tree.files[name] for name, path in found.items()
    )
