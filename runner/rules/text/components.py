"""Connected components of a graph whose edges become known one by one (union-find, the smaller set relabelled)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


class Components:
    """The connected components of `count` positions."""

    def __init__(self, count: int) -> None:
        self.labels: Numbers = np.arange(count)
        """Of each position a member of its component, the same for all of it."""
        self._members = [[position] for position in range(count)]

    def unite(self, one: int, other: int) -> None:
        kept, gone = sorted((int(self.labels[one]), int(self.labels[other])), key=lambda n: -len(self._members[n]))
        if kept != gone:
            self.labels[self._members[gone]] = kept
            self._members[kept] += self._members[gone]
            self._members[gone] = []

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Of each component its least position with each of the others."""
        for members in self._members:
            first, *others = sorted(members) or [-1]
            yield from ((first, other) for other in others)
