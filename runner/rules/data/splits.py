"""How texts of one source are divided among what trains and what judges: by a seed, and alike texts on one side.

The rule, which import records name as `RULE`:

1. Texts of which one would leak into the other (`kin`), and those that their source keeps together (two
   questions about one passage), are a group. A group is never divided.
2. Groups are taken in the order of sha256(seed, their least text), so that the order of a file decides nothing.
3. Each goes to the part that then lacks most of its share, among the texts of the group's own stratum (a capability)
   and among all; the first group of a stratum goes to the part that every stratum must have, and while a part that
   must not be empty is, groups go there.
4. What has no right answer does not train, and what its source gives for training does not judge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from runner.rules.canonical import digest
from runner.rules.data.kin import Tell, kin, untold
from runner.rules.text.similarity import normal_text

RULE = "by-sha256-of-seed-and-text-in-whole-groups-1"
SEED = 7


class Unit(NamedTuple):
    """A text to be put somewhere."""

    text: str
    stratum: str
    together: str = ""
    """Units with the same value here are one group; none where empty."""
    judges: bool = False
    """It may not train: its source says no right answer, or keeps it for tests."""
    trains: bool = False
    """It may not judge: its source says that it is for training."""


LEFT_OUT = ""
"""The part of a unit that trains, in a group with one that judges."""


class Division(NamedTuple):
    parts: tuple[str, ...]
    """Of each unit the part that it is in."""
    groups: tuple[int, ...]
    """Of each unit the position of its group's first."""

    @property
    def kept_together(self) -> int:
        """Units that stand where another one does, since they say nearly the same."""
        return sum(group != position for position, group in enumerate(self.groups))

    @property
    def largest(self) -> int:
        return max(Counter(self.groups).values(), default=0)


def divide(
    units: Sequence[Unit],
    *,
    shares: Mapping[str, float],
    seed: int,
    first: str,
    needed: Sequence[str],
    training: Collection[str],
    tell: Tell = untold,
) -> Division:
    """`shares` of the parts, which sum to 1; `first` is the part that every stratum has something in, if it may be
    there, `needed` are those that may not be empty, and `training` the parts that train. `tell` hears how many
    texts were compared."""
    leaders = groups(units, tell)
    members: dict[int, list[int]] = defaultdict(list)
    for position, leader in enumerate(leaders):
        members[leader].append(position)
    order = sorted(members, key=lambda leader: _place(units, members[leader], seed))
    sizes = Counter(units[leader].stratum for leader in leaders)
    here: dict[str, Counter[str]] = defaultdict(Counter)
    everywhere: Counter[str] = Counter()
    parts = [LEFT_OUT] * len(units)
    for leader in order:
        stratum = units[leader].stratum
        apart = _apart(units, members[leader])
        placed, total = here[stratum], everywhere.total() + len(apart)
        trains = units[apart[0]].trains
        judges = any(units[position].judges for position in apart)
        open_to = {part: share for part, share in shares.items() if not (judges if part in training else trains)}
        lacking = {
            part: share * sizes[stratum] - placed[part] + max(0.0, share * total - everywhere[part])
            for part, share in open_to.items()
        }
        empty = (part for part in needed if part in open_to and not everywhere[part])
        wanting = next(empty, None) or max(lacking, key=lambda name: lacking[name])
        part = first if not placed and first in open_to else wanting
        placed[part] += len(apart)
        everywhere[part] += len(apart)
        for position in apart:
            parts[position] = part
    return Division(tuple(parts), tuple(leaders))


def _apart(units: Sequence[Unit], members: Sequence[int]) -> Sequence[int]:
    """Those of a group that are taken: beside one that may judge, what is there to train is left out."""
    tests = [position for position in members if not units[position].trains]
    return tests or members


def groups(units: Sequence[Unit], tell: Tell = untold) -> list[int]:
    """Of each unit the position of the first one of its group."""
    leader = list(range(len(units)))

    def root(position: int) -> int:
        while leader[position] != position:
            leader[position] = leader[leader[position]]
            position = leader[position]
        return position

    for one, other in (*kin([unit.text for unit in units], tell), *_together(units)):
        low, high = sorted((root(one), root(other)))
        leader[high] = low
    return [root(position) for position in range(len(units))]


def _together(units: Sequence[Unit]) -> Iterable[tuple[int, int]]:
    first: dict[str, int] = {}
    for position, unit in enumerate(units):
        if unit.together:
            yield first.setdefault(unit.together, position), position


def _place(units: Sequence[Unit], members: Sequence[int], seed: int) -> str:
    return digest([seed, min(normal_text(units[position].text) for position in members)])
