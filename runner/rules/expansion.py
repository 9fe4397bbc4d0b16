"""What a generator's rows must pass before they become candidates, and how the rows of a batch are named."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.records.conversation import Conversation, Message, Role, last_user_text
from runner.records.dataset import Candidate, Channel, Example
from runner.records.scenario import Origin
from runner.rules.conversations import with_last_user_text
from runner.rules.naming import content_id
from runner.rules.perturbation import rewrite
from runner.rules.similarity import normal_text, words

FEWEST_WORDS = 3
PARENTS = 25
"""Parents named at most by one generated row: the ids of the rows its generator learnt the capability from."""


class Dropped(NamedTuple):
    """A row that became no candidate: what was written, and why it was not taken."""

    text: str
    cause: str
    detail: str = ""


@dataclass
class Sieve:
    """Keeps new texts, and the others with their cause: `short`, `copy` of a known text, `duplicate` of a kept one."""

    known: frozenset[str]
    wanted: int
    kept: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    @property
    def rejected(self) -> Counter[str]:
        """How many were dropped, by cause."""
        return Counter(one.cause for one in self.dropped)

    @property
    def missing(self) -> int:
        return self.wanted - len(self.kept)

    def admits(self, text: str) -> bool:
        """Whether `text` may go on; if not, its cause is counted. What was admitted once is a duplicate afterwards."""
        plain = normal_text(text)
        cause = self._cause(plain)
        if cause:
            self.dropped.append(Dropped(text, cause))
            return False
        self._seen.add(plain)
        return True

    def _cause(self, plain: str) -> str:
        if len(words(plain)) < FEWEST_WORDS:
            return "short"
        if plain in self.known:
            return "copy"
        return "duplicate" if plain in self._seen else ""

    def keep(self, text: str, *, consistent: bool = True) -> None:
        """Keep an admitted text, unless enough are kept (`surplus`) or its label does not hold (`inconsistent`)."""
        if not consistent:
            self.dropped.append(Dropped(text, "inconsistent"))
        elif self.missing <= 0:
            self.dropped.append(Dropped(text, "surplus"))
        else:
            self.kept.append(text)


def sieve(known: Iterable[Example], *, wanted: int) -> Sieve:
    """A sieve that knows the texts of `known`."""
    return Sieve(frozenset(normal_text(last_user_text(example.input)) for example in known), wanted)


def perturbations(sources: Sequence[Example], found: Sieve, *, attempts: int, seed: int) -> list[tuple[str, Example]]:
    """(text, source) pairs from seeded rewrites of `sources`, in turn, until enough passed or attempts are spent."""
    random_ = random.Random(seed)
    ordered = sorted(sources, key=lambda example: example.id)
    made: list[tuple[str, Example]] = []
    for turn in range(attempts * found.wanted if ordered else 0):
        if found.missing <= 0:
            break
        source = ordered[turn % len(ordered)]
        text = rewrite(last_user_text(source.input), random_)
        if found.admits(text):
            found.keep(text)
            made.append((text, source))
    return made


def candidate(
    text: str,
    *,
    channel: Channel,
    capability: str,
    answer: str,
    batch: str,
    parents: Sequence[str],
    context: Conversation = (),
) -> Candidate:
    """A synthetic candidate; its id follows from channel, text and answer. `context` is the conversation it ends."""
    whole = with_last_user_text(context, text) if context else (Message(role=Role.USER, content=text),)
    example = Example(
        id=content_id("cand", [channel, [message.content for message in whole], answer]),
        capability=capability,
        input=whole,
        answer=answer,
        origin=Origin.SYNTHETIC,
    )
    return Candidate(example=example, batch=batch, parents=tuple(sorted(parents)[:PARENTS]))
