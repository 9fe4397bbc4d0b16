"""Why an artifact exists, and what became of it: a walk over the lineage graph in either direction.

Nodes name their parents, so parents run from the adapter up to the production traces. The walk never follows a circle,
expands every node once, and shows a bounded number of neighbours, counting the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from runner.errors import RecordError
from runner.records.lineage import Lineage, LineageNode

Neighbours = Mapping[str, Sequence[str]]
WIDTH = 6
"""Neighbours shown below one node unless told otherwise."""
DEPTH = 24
"""Steps the tree goes from its start."""
HORIZON = 200
"""Nodes looked at beyond a neighbour when choosing which to show."""
ROUNDS = 12
"""Neighbours chosen for what lies beyond them; the rest follow in order."""
SHORT = 12
"""Hex digits a long digest is shown with; at least this many also name it."""


@dataclass(frozen=True)
class Branch:
    """A node and what was found beyond it, in the direction of the walk."""

    id: str
    kind: str
    label: str = ""
    branches: tuple[Branch, ...] = ()
    more: Mapping[str, int] | None = None
    """Neighbours not shown, by kind."""
    seen: bool = False
    """It is expanded elsewhere in the tree, or closes a circle."""


@dataclass(frozen=True)
class Answer:
    """What `why` says of one artifact."""

    node: LineageNode
    parents: Branch
    children: Branch
    behind: Mapping[str, tuple[str, ...]]
    """Every ancestor, by kind, sorted."""
    ahead: Mapping[str, tuple[str, ...]]
    """Every descendant, by kind, sorted."""


def find(lineage: Lineage, wanted: str) -> LineageNode:
    """The node of that id; the first digits of a digest or the start of an id do where they name one node.

    Raises `RecordError` that names the nearest ids where there is none, or the ids where there are several.
    """
    by_id = {node.id: node for node in lineage.nodes}
    if wanted in by_id:
        return by_id[wanted]
    starts = sorted(name for name in by_id if len(wanted) >= 4 and name.startswith(wanted))
    if len(starts) == 1:
        return by_id[starts[0]]
    if starts:
        raise RecordError(f"{wanted!r} names {len(starts)} artifacts", hint=f"say which: {_some(starts)}")
    near = get_close_matches(wanted, sorted(by_id), n=3, cutoff=0.6)
    hint = f"nearest: {', '.join(near)}" if near else f"known kinds: {_counts(lineage.nodes) or 'none'}"
    raise RecordError(f"nothing with the id {wanted!r} in this lineage", hint=hint)


def explain(lineage: Lineage, wanted: str, *, width: int = WIDTH) -> Answer:
    """Both directions from one artifact. Raises `RecordError` as `find` does."""
    node = find(lineage, wanted)
    nodes = {one.id: one for one in lineage.nodes}
    parents = {one.id: tuple(dict.fromkeys(one.parents)) for one in lineage.nodes}
    children = _children(lineage)
    return Answer(
        node=node,
        parents=_tree(node.id, nodes, parents, width=width),
        children=_tree(node.id, nodes, children, width=width),
        behind=_reached(node.id, nodes, parents),
        ahead=_reached(node.id, nodes, children),
    )


def kinds(lineage: Lineage) -> dict[str, int]:
    """How many nodes there are of each kind."""
    counts: dict[str, int] = defaultdict(int)
    for node in lineage.nodes:
        counts[node.kind] += 1
    return dict(sorted(counts.items()))


def _children(lineage: Lineage) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for node in lineage.nodes:
        for parent in node.parents:
            found[parent].add(node.id)
    return {name: tuple(sorted(ids)) for name, ids in found.items()}


def _kind(nodes: Mapping[str, LineageNode], name: str) -> str:
    """A parent that the lineage names and does not describe is of kind `unlisted`."""
    return nodes[name].kind if name in nodes else "unlisted"


def _reached(start: str, nodes: Mapping[str, LineageNode], neighbours: Neighbours) -> dict[str, tuple[str, ...]]:
    seen, waiting = {start}, [start]
    while waiting:
        fresh = [name for name in neighbours.get(waiting.pop(), ()) if name not in seen]
        seen.update(fresh)
        waiting += fresh
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name in sorted(seen - {start}):
        by_kind[_kind(nodes, name)].append(name)
    return {kind: tuple(names) for kind, names in sorted(by_kind.items())}


def _tree(start: str, nodes: Mapping[str, LineageNode], neighbours: Neighbours, *, width: int) -> Branch:
    """Breadth first, so that a node is expanded where it is nearest to the start."""
    expanded, order, shown = {start}, [start], dict[str, tuple[str, ...]]()
    beyond = cache(lambda name: _beyond(name, neighbours))
    for name in order:
        shown[name] = _choose(neighbours.get(name, ()), beyond, expanded, width)
        fresh = [other for other in shown[name] if other not in expanded]
        expanded.update(fresh)
        order += fresh
    placed: set[str] = set()

    def grow(name: str, depth: int) -> Branch:
        node = nodes.get(name, LineageNode(id=name, kind="unlisted", parents=()))
        if name in placed or depth == DEPTH:
            return Branch(node.id, node.kind, node.label, seen=bool(neighbours.get(name)))
        placed.add(name)
        hidden = set(neighbours.get(name, ())) - set(shown[name])
        more = kinds(Lineage(nodes=tuple(LineageNode(id=n, kind=_kind(nodes, n), parents=()) for n in sorted(hidden))))
        return Branch(
            node.id, node.kind, node.label, tuple(grow(other, depth + 1) for other in shown[name]), more or None
        )

    return grow(start, 0)


def _choose(
    names: Sequence[str], beyond: Callable[[str], frozenset[str]], expanded: set[str], width: int
) -> tuple[str, ...]:
    """The neighbours to show: greedily those beyond which most is not yet shown, then those that lead on at all."""
    if len(names) <= width:
        return tuple(sorted(names))
    left = {name: beyond(name) for name in sorted(names)}
    known, chosen = set(expanded), list[str]()
    for _ in range(min(width, ROUNDS)):
        best = max(left, key=lambda name: len(left[name] - known))
        known |= left.pop(best)
        chosen.append(best)
    rest = sorted(left, key=lambda name: (not left[name], name))
    return tuple(sorted([*chosen, *rest[: width - len(chosen)]]))


def _beyond(name: str, neighbours: Neighbours) -> frozenset[str]:
    """What the walk reaches from `name`, as far as `HORIZON` nodes."""
    seen, order = {name}, [name]
    for one in order:
        fresh = [other for other in neighbours.get(one, ()) if other not in seen][: HORIZON - len(seen)]
        seen.update(fresh)
        order += fresh
    return frozenset(seen - {name})


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" … and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _counts(nodes: Iterable[LineageNode]) -> str:
    return ", ".join(f"{count} {plural(kind, count)}" for kind, count in kinds(Lineage(nodes=tuple(nodes))).items())


def short(name: str) -> str:
    """A digest cut to its first digits; any other id as it is."""
    is_digest = len(name) == 64 and all(letter in "0123456789abcdef" for letter in name)
    return name[:SHORT] if is_digest else name


def line(branch: Branch) -> str:
    """A node of the tree in one line: kind, id, label, and whether it stands elsewhere too."""
    label = f"  {branch.label}" if branch.label else ""
    return f"{branch.kind} {short(branch.id)}{label}{'  (shown elsewhere)' if branch.seen else ''}"


def left_out(branch: Branch) -> tuple[str, ...]:
    """What the tree does not show below a node, a line for each kind."""
    return tuple(f"… and {count} more {plural(kind, count)}" for kind, count in (branch.more or {}).items())


def plural(kind: str, count: int) -> str:
    """The name of a kind for `count` of them; `unlisted` stays as it is."""
    if count == 1 or kind == "unlisted":
        return kind
    return f"{kind}es" if kind.endswith("ch") else f"{kind}s"
