"""Whether a candidate is new: no copy and no near-duplicate of what people wrote, of a frozen text, or of another one.

Near means the true Jaccard similarity of word 2-shingles, as for leaks: an exact index names what to compare. What is
compared is the last thing that the user says; it is another's copy or near-duplicate only where what was said before is
the same, because "yes" answers many questions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from runner.records.conversation import Conversation, Message, Role, last_user_text
from runner.records.dataset import Example
from runner.records.diversity import DiversityLimits
from runner.rules.data.leakage import FrozenTexts
from runner.rules.text.similarity import ShingleIndex, normal_text, shingles

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
        self._before = [before(row.input) for row in rows]
        keys = [(earlier, normal_text(text)) for earlier, text in zip(self._before, texts, strict=True)]
        self._copies = dict(zip(reversed(keys), reversed(self._ids), strict=True))
        self._frozen = frozen
        self._human = ShingleIndex(sets, threshold=threshold)
        for position, one in enumerate(sets):
            self._human.add(position, one)
        self._candidates = ShingleIndex(sets, threshold=threshold)
        self._admitted: dict[tuple[str, str], int] = {}
        self._kin: list[tuple[str, frozenset[str]]] = []
        self._dropped: set[int] = set()

    def likeness(self, text: str, *, context: Conversation = (), kin: Collection[str] = NOBODY) -> Likeness | None:
        """What `text` is too much like; None where it is new. `context` is the conversation that it ends."""
        key = (before(context), normal_text(text))
        if key in self._copies:
            return Likeness(COPY, f"says what {self._copies[key]} says")
        if key in self._admitted:
            return Likeness(DUPLICATE, "another candidate says the same")
        if self._frozen is not None and (match := self._frozen.match(text)):
            return Likeness(NEAR_FROZEN, f"{match.scenario}, {match.similarity:.2f} similar")
        return self._near(text, key[0], kin)

    def _near(self, text: str, earlier: str, kin: Collection[str]) -> Likeness | None:
        own = shingles(text, SIZE)
        for position, similarity in self._human.find(own):
            if self._before[position] == earlier and self._ids[position] not in kin:
                return Likeness(NEAR_GOLD, f"{self._ids[position]}, {similarity:.2f} similar")
        for position, similarity in self._candidates.find(own):
            other, family = self._kin[position]
            if other == earlier and position not in self._dropped and family.isdisjoint(kin):
                return Likeness(NEAR_CANDIDATE, f"another candidate, {similarity:.2f} similar")
        return None

    def admit(self, text: str, *, context: Conversation = (), kin: Collection[str] = NOBODY) -> None:
        """From now on a copy of `text` is a duplicate, and what is near to it a near-duplicate."""
        earlier = before(context)
        position = self._admitted.setdefault((earlier, normal_text(text)), len(self._kin))
        self._kin.append((earlier, frozenset(kin)))
        self._candidates.add(position, shingles(text, SIZE))

    def drop(self, text: str, *, context: Conversation = ()) -> None:
        """`text` became no candidate after all: others may be near to it, though no copies of it."""
        self._dropped.add(self._admitted[before(context), normal_text(text)])


def before(conversation: Conversation) -> str:
    """What everybody but the system says besides the user's last message, and the tools that were asked; normalised."""
    last = next((at for at in reversed(range(len(conversation))) if conversation[at].role is Role.USER), None)
    others = (message for at, message in enumerate(conversation) if at != last and message.role is not Role.SYSTEM)
    spoken = (part for message in others for part in (message.content, *_asked(message)))
    return normal_text(" ".join(spoken))


def _asked(message: Message) -> Iterator[str]:
    for call in message.tool_calls:
        yield call.name
        yield call.arguments
