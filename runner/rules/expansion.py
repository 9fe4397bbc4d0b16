"""What a generator's rows must pass before they become candidates, and how the rows of a batch are named."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.records.conversation import Conversation, Message, Role, last_user_text
from runner.records.dataset import Candidate, Channel, Example
from runner.records.domain_rules import DomainRule
from runner.records.funnel import Funnel, FunnelStep
from runner.records.scenario import Origin
from runner.rules.conversations import with_last_user_text
from runner.rules.domain_rules import binding, breach, defaults
from runner.rules.funnel import expanded
from runner.rules.naming import content_id
from runner.rules.novelty import Novelty
from runner.rules.perturbation import rewrite

PARENTS = 25
"""Parents named at most by one generated row: the ids of the rows its generator learnt the capability from."""


class Dropped(NamedTuple):
    """A row that became no candidate: what was written, at which step it was stopped, and why."""

    text: str
    cause: str
    detail: str = ""
    step: FunnelStep = FunnelStep.PARSED


@dataclass
class Sieve:
    """The rows of one batch on their way through the funnel: those that came through, and the others with their cause.

    A text is admitted (the domain rules hold, and it is new), then asked of the model by whoever holds the sieve, then
    kept. `drop` counts what the generator returned and nobody could read.
    """

    novelty: Novelty
    rules: Sequence[DomainRule]
    answer: str
    wanted: int
    kept: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def rejected(self) -> Counter[str]:
        """How many were dropped, by cause."""
        return Counter(one.cause for one in self.dropped)

    @property
    def funnel(self) -> Funnel:
        """From generated to consistent."""
        return expanded(len(self.kept), ((one.step, one.cause) for one in self.dropped))

    @property
    def missing(self) -> int:
        return self.wanted - len(self.kept)

    def admits(self, text: str, *, kin: Collection[str] = ()) -> bool:
        """Whether `text` may go on; if not, it is dropped with its cause. What was admitted once is a duplicate
        afterwards. `kin` are the ids of the rows that it rewrites (`Novelty`)."""
        if broken := breach(self.rules, text=text, answer=self.answer):
            self.drop(text, broken.rule, broken.reason, step=FunnelStep.RULED)
        elif like := self.novelty.likeness(text, kin=kin):
            self.drop(text, like.cause, like.detail, step=FunnelStep.NOVEL)
        else:
            self.novelty.admit(text, kin=kin)
            return True
        return False

    def keep(self, text: str, *, consistent: bool = True, detail: str = "") -> None:
        """Keep an admitted text, unless enough are kept (`surplus`) or its label does not hold (`inconsistent`)."""
        if consistent and self.missing > 0:
            self.kept.append(text)
            return
        self.novelty.drop(text)
        self.drop(text, "surplus" if consistent else "inconsistent", detail, step=FunnelStep.CONSISTENT)

    def drop(self, text: str, cause: str, detail: str = "", *, step: FunnelStep = FunnelStep.PARSED) -> None:
        self.dropped.append(Dropped(text, cause, detail, step))


def sieve(
    human: Sequence[Example],
    *,
    capability: str,
    answer: str,
    wanted: int,
    novelty: Novelty,
    rules: Sequence[DomainRule] = (),
) -> Sieve:
    """A sieve for generated rows of a capability: the cluster's rules, and the usual ones beside what people wrote."""
    usual = defaults(last_user_text(example.input) for example in human)
    return Sieve(novelty, binding(rules, capability, otherwise=usual), answer, wanted)


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
        if found.admits(text, kin=(source.id,)):
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
