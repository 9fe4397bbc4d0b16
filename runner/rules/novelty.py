"""Whether a candidate is new: no copy and no near-duplicate of what people wrote, of a frozen text, or of another one.

Near means the true Jaccard similarity of word 2-shingles, as for leaks: an exact index names what to compare.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.diversity import DiversityLimits
from runner.rules.leakage import FrozenTexts
from runner.rules.similarity import ShingleIndex, normal_text, shingles

SIZE = 2
"""Words in a shingle."""
COPY, DUPLICATE = "copy", "duplicate"
"""Equal after normalisation to a human row, and to another candidate."""
NEAR_GOLD, NEAR_CANDIDATE, NEAR_FROZEN = "near-gold", "near-candidate", "near-frozen"
NOBODY: frozenset[str] = frozenset()


class Likeness(NamedTuple):
    """Why a text is not new: the cause, and what it is too much like."""

    cause: str
    detail: str


class Novelty:
    """Everything that a candidate must differ from. Candidates of every batch are added as they are admitted.

    A rewrite is near to the row it rewrites, and to other rewrites of it, because it is meant to be: those of its own
    `kin` (the ids of the rows that both were made from) are not compared. A copy is a copy among kin too.
    """

    def __init__(
        self,
        human: Iterable[Example],
        *,
        frozen: FrozenTexts | None = None,
        threshold: float = DiversityLimits().near_duplicate,
    ) -> None:
        rows = sorted(human, key=lambda example: example.id)
        texts = [last_user_text(row.input) for row in rows]
        sets = [shingles(text, SIZE) for text in texts]
        self._ids = [row.id for row in rows]
        self._copies = {
            normal_text(text): name for text, name in zip(reversed(texts), reversed(self._ids), strict=True)
        }
        self._frozen = frozen
        self._human = ShingleIndex(sets, threshold=threshold)
        for position, one in enumerate(sets):
            self._human.add(position, one)
        self._candidates = ShingleIndex(sets, threshold=threshold)
        self._admitted: dict[str, int] = {}
        self._kin: list[frozenset[str]] = []
        self._dropped: set[int] = set()

    def likeness(self, text: str, *, kin: Collection[str] = NOBODY) -> Likeness | None:
        """What `text` is too much like; None where it is new."""
        plain = normal_text(text)
        if plain in self._copies:
            return Likeness(COPY, f"says what {self._copies[plain]} says")
        if plain in self._admitted:
            return Likeness(DUPLICATE, "another candidate says the same")
        if self._frozen is not None and (match := self._frozen.match(text)):
            return Likeness(NEAR_FROZEN, f"{match.scenario}, {match.similarity:.2f} similar")
        return self._near(text, kin)

    def _near(self, text: str, kin: Collection[str]) -> Likeness | None:
        own = shingles(text, SIZE)
        for position, similarity in self._human.find(own):
            if self._ids[position] not in kin:
                return Likeness(NEAR_GOLD, f"{self._ids[position]}, {similarity:.2f} similar")
        for position, similarity in self._candidates.find(own):
            if position not in self._dropped and self._kin[position].isdisjoint(kin):
                return Likeness(NEAR_CANDIDATE, f"another candidate, {similarity:.2f} similar")
        return None

    def admit(self, text: str, *, kin: Collection[str] = NOBODY) -> None:
        """From now on a copy of `text` is a duplicate, and what is near to it a near-duplicate."""
        position = self._admitted.setdefault(normal_text(text), len(self._kin))
        self._kin.append(frozenset(kin))
        self._candidates.add(position, shingles(text, SIZE))

    def drop(self, text: str) -> None:
        """`text` became no candidate after all: others may be near to it, though no copies of it."""
        self._dropped.add(self._admitted[normal_text(text)])
