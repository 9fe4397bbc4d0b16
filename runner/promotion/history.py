"""The first-parent history of main: each step with the commits that it brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.ports_promotion import Objects
from runner.rules.trust.change import promotion_place


@dataclass(frozen=True)
class Link:
    commit: str
    parent: str | None
    """None for the root."""
    incoming: tuple[str, ...]
    """What the commit brought beside itself."""

    def place(self, objects: Objects) -> tuple[str, int] | None:
        """The promotion that this step adds; none where it adds none, or is of no one class."""
        found = {
            (place.cluster, place.sequence)
            for change in objects.diff(self.parent, self.commit)
            if (place := promotion_place(change.path))
        }
        return next(iter(found)) if len(found) == 1 else None


def first_parents(objects: Objects, tip: str) -> tuple[Link, ...]:
    """From the root to `tip`."""
    graph = objects.graph(tip)
    line = list(_line(graph, tip))[::-1]
    seen: set[str] = set()
    links = []
    for at, commit in enumerate(line):
        fresh = _unseen(graph, commit, seen)
        links.append(Link(commit, line[at - 1] if at else None, tuple(oid for oid in fresh if oid != commit)))
    return tuple(links)


def _line(graph: Mapping[str, tuple[str, ...]], tip: str) -> Iterator[str]:
    commit: str | None = tip
    while commit is not None:
        yield commit
        parents = graph.get(commit, ())
        commit = parents[0] if parents else None


def _unseen(graph: Mapping[str, tuple[str, ...]], start: str, seen: set[str]) -> list[str]:
    """What is reachable from `start` and was not before; it is marked as seen."""
    found, todo = [], [start]
    while todo:
        commit = todo.pop()
        if commit not in seen:
            seen.add(commit)
            found.append(commit)
            todo.extend(graph.get(commit, ()))
    return found
