"""What every form of a review is made of: lines of our own words and of quotes, which no renderer may mix up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LOOSENED = "LOOSENED"
MOST = 12
"""Values that are counted one by one."""


class Quote(NamedTuple):
    """Text that is shown as it is."""

    text: str


class Red(NamedTuple):
    """Words of ours that nobody may overlook."""

    text: str


Line = tuple[str | Quote | Red, ...]


class Item(NamedTuple):
    line: Line
    under: tuple[Line, ...] = ()


class Section(NamedTuple):
    """Lines that are always shown, and items of which there may be many."""

    title: str
    lines: tuple[Line, ...]
    items: tuple[Item, ...] = ()


def count(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(names: Sequence[str]) -> Line:
    """Names one by one, the first `MOST` of them."""
    found: Line = ()
    for name in names[:MOST]:
        found += (", " if found else "", Quote(name))
    return (*found, f", and {len(names) - MOST} more") if len(names) > MOST else found
