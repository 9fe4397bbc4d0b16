"""Which comment of a YAML file belongs to which field: strict YAML alone, as `yaml_files` reads it.

libyaml drops comments, and readers that keep them tie them to tokens, so that they move or go where a layout changes.
Here each belongs to a field or an item: one of its own line to what follows it, or, where it stands deeper than that,
to the end of what was listed; one behind a value to that value.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from yaml._yaml import CParser

from runner.edges.yaml_dump import At, Remark

Position = tuple[int, int]
"""Line and column, from 0."""
_OPENING = re.compile(r"[-\s]*\Z")
"""What may stand before a comment that is about the item which only begins below it."""
_HASH = re.compile(r"(?:^|(?<=\s))#")


class Comment(NamedTuple):
    at: Position
    text: str
    alone: bool
    """Nothing but dashes stands before it on its line."""


@dataclass
class Box:
    """A mapping or a sequence: where it stands and how far it reaches."""

    start: Position
    flow: bool
    end: Position = (0, 0)
    first: At | None = None
    """Its first field or item."""


@dataclass
class Layout:
    """What stands where in a file."""

    paths: list[At] = field(default_factory=list)
    """Every field and item, in their order."""
    starts: list[Position] = field(default_factory=list)
    """Where each begins."""
    boxes: dict[At, Box] = field(default_factory=dict)
    texts: list[tuple[Position, Position]] = field(default_factory=list)
    """What scalars cover; of a literal or folded block, the lines below its head."""

    def add(self, path: At, start: Position) -> None:
        box = self.boxes[path[:-1]]
        box.first = path if box.first is None else box.first
        self.paths.append(path)
        self.starts.append(start)

    def following(self, at: Position) -> int | None:
        """The place of the first field that begins after `at`."""
        place = bisect_right(self.starts, at)
        return place if place < len(self.paths) else None

    def preceding(self, at: Position) -> At:
        """The last field that begins before `at`; of none, the top."""
        place = bisect_left(self.starts, at)
        return self.paths[place - 1] if place else ()

    def around(self, path: At) -> Iterator[tuple[At, Box]]:
        """The containers from the top down to the field, and itself where it is one."""
        for depth in range(len(path) + 1):
            if (box := self.boxes.get(path[:depth])) is not None:
                yield path[:depth], box


def remarks(data: bytes) -> Mapping[At, Remark]:
    """The comments of a file that `yaml_files.load` has read, by the field that each belongs to; an empty line between
    fields is kept as one."""
    lines = _lines(data)
    layout = _layout(data)
    found = Found()
    for comment in _comments(lines, layout.texts):
        gap = [""] if comment.alone and _blank(lines, comment.at[0] - 1) else []
        before, following = _before(layout, comment.at), layout.following(comment.at)
        if not comment.alone and before:
            found.beside[before].append(comment.text)
            continue
        ended = _ended(layout, comment.at)
        if ended is not None or following is None:
            found.below[ended or ()].extend([*gap, comment.text])
        else:
            found.above[layout.paths[following]].extend([*gap, comment.text])
    _gaps(layout, lines, found)
    _hoisted(layout, found)
    return _settled(layout, found)


def comments(data: bytes) -> Counter[str]:
    """Every comment of a file, and how often it stands there."""
    return Counter(comment.text for comment in _comments(_lines(data), _layout(data).texts))


@dataclass
class Found:
    """Comments and gaps by field, as they come."""

    above: dict[At, list[str]] = field(default_factory=lambda: defaultdict(list))
    beside: dict[At, list[str]] = field(default_factory=lambda: defaultdict(list))
    below: dict[At, list[str]] = field(default_factory=lambda: defaultdict(list))


def _lines(data: bytes) -> list[str]:
    return data.decode().replace("\r\n", "\n").split("\n")


def _layout(data: bytes) -> Layout:
    """Where every field, container and scalar stands."""
    layout, reader = Layout(), CParser(data)
    reader.get_event()
    reader.get_event()
    _node(reader, reader.get_event(), (), layout)
    return layout


def _node(reader: Any, event: Any, path: At, layout: Layout) -> None:
    start = _position(event.start_mark)
    if isinstance(event, yaml.ScalarEvent):
        first = (start[0] + 1, 0) if event.style in ("|", ">") else start
        layout.texts.append((first, _position(event.end_mark)))
        return
    box = layout.boxes[path] = Box(start, bool(event.flow_style))
    number = 0
    while not isinstance(inner := reader.get_event(), yaml.MappingEndEvent | yaml.SequenceEndEvent):
        here: At = (*path, number)
        begins, ends = _position(inner.start_mark), _position(inner.end_mark)
        if isinstance(event, yaml.MappingStartEvent):
            here = (*path, str(inner.value))
            layout.texts.append((begins, ends))
            inner = reader.get_event()
        layout.add(here, begins)
        _node(reader, inner, here, layout)
        number += 1
    box.end = _position(inner.end_mark)


def _position(mark: Any) -> Position:
    return mark.line, mark.column


def _comments(lines: Sequence[str], texts: Iterable[tuple[Position, Position]]) -> Iterator[Comment]:
    """Every comment, in order: from a `#` at the start of a line or after a space, outside of scalars."""
    covered = iter(sorted(texts))
    start, end = next(covered, ((len(lines), 0), (len(lines), 0)))
    for number, line in enumerate(lines):
        for match in _HASH.finditer(line):
            here = (number, match.start())
            while end <= here:
                start, end = next(covered, ((len(lines), 0), (len(lines), 0)))
            if not start <= here < end:
                yield Comment(here, line[match.start() :].rstrip(), bool(_OPENING.match(line[: match.start()])))
                break


def _before(layout: Layout, at: Position) -> At:
    """What a comment behind a value is about: the last field before it, or the one whose brackets closed since."""
    path = layout.preceding(at)
    closed = (inner for inner, box in layout.around(path) if box.flow and box.end <= at)
    return next(closed, path)


def _ended(layout: Layout, at: Position) -> At | None:
    """The container that a comment of its own line ends; None where it is about what follows."""
    before, place = layout.preceding(at), layout.following(at)
    following = layout.paths[place] if place is not None else ()
    inside = [path for path, box in layout.around(before) if box.flow and box.start < at < box.end]
    if inside:
        held = place is not None and layout.starts[place] < layout.boxes[inside[-1]].end
        return None if held else inside[-1]
    if place is not None and at[1] <= layout.boxes[following[:-1]].start[1]:
        return None
    ended = [
        path
        for path, box in layout.around(before[:-1])
        if not box.flow and box.start[1] <= at[1] and (place is None or following[: len(path)] != path)
    ]
    return ended[-1] if ended else None


def _blank(lines: Sequence[str], number: int) -> bool:
    return 0 <= number < len(lines) and not lines[number].strip()


def _gaps(layout: Layout, lines: Sequence[str], found: Found) -> None:
    """An empty line before a field, or before the dash of an item."""
    last = -1
    for path, (line, column) in zip(layout.paths, layout.starts, strict=True):
        begins = _dash(lines, line, column) if isinstance(path[-1], int) else line
        if line > last and _blank(lines, begins - 1):
            found.above[path].append("")
        last = max(last, line)


def _dash(lines: Sequence[str], line: int, column: int) -> int:
    """The line of an item's dash, which may stand above it alone."""
    if "-" in lines[line][:column]:
        return line
    above = line - 1
    while above >= 0 and not lines[above].partition("#")[0].strip():
        above -= 1
    return above if above >= 0 and lines[above].partition("#")[0].strip() == "-" else line


def _hoisted(layout: Layout, found: Found) -> None:
    """What is said of an item that is itself a container, or of its first field, stands above its dash; what an empty
    container holds stands above it, and so does all but the first comment behind one value."""
    for path, behind in found.beside.items():
        found.above[path].extend(behind[1:])
        del behind[1:]
    for path, box in reversed(layout.boxes.items()):
        if path and box.first is None:
            found.above[path].extend(found.below.pop(path, []))
        elif path and box.first and isinstance(path[-1], int):
            found.above[path].extend([*found.beside.pop(path, []), *found.above.pop(box.first, [])])


def _settled(layout: Layout, found: Found) -> dict[At, Remark]:
    """Without empty lines where a container begins, nor several together."""
    first = {box.first for box in layout.boxes.values()}
    return {
        path: Remark(
            above=_single(found.above.get(path, []), leading=path not in first),
            beside=found.beside.get(path, [""])[0],
            below=_single(found.below.get(path, []), leading=True),
        )
        for path in {*found.above, *found.beside, *found.below}
    }


def _single(lines: Iterable[str], *, leading: bool) -> tuple[str, ...]:
    kept: list[str] = []
    for line in lines:
        if line or (kept[-1] if kept else leading):
            kept.append(line)
    return tuple(kept)
