"""Names that differ only in case: on many machines they are one file."""

from __future__ import annotations

from runner.promotion.sources import Sources
from runner.records.change import Operation, PathChange


def twins(sources: Sources, commit: str, changes: tuple[PathChange, ...]) -> dict[str, str]:
    """Added paths that have, in some directory above, a neighbour whose name differs only in case."""
    folders: dict[str, dict[str, list[str]]] = {}
    found = {}
    for path in (change.path for change in changes if change.operation is Operation.ADD):
        parts = path.split("/")
        for depth, name in enumerate(parts):
            folder = "/".join(parts[:depth])
            if folder not in folders:
                folders[folder] = _folded(sources.objects.names(commit, folder))
            others = [other for other in folders[folder].get(name.casefold(), ()) if other != name]
            if others:
                found[path] = f"{folder}/{others[0]}".lstrip("/")
    return found


def _folded(names: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.casefold(), []).append(name)
    return found
