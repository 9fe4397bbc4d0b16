"""What a generator's rows must pass before they become candidates, and how the rows of a batch are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.records.conversation import Conversation, Message, Role, last_user_text
from runner.records.dataset import Batch, Candidate, Channel, Example, Generator, Provenance, Rejected
from runner.records.domain_rules import DomainRule
from runner.records.funnel import Funnel, FunnelStep
from runner.records.scenario import Origin
from runner.rules.data.domain_rules import binding, breach, defaults
from runner.rules.data.funnel import expanded
from runner.rules.data.novelty import Novelty
from runner.rules.naming import LONGEST, content_id
from runner.rules.text.conversations import said, with_last_user_text

PARENTS = 25
"""Parents named at most by one generated row: the ids of the rows its generator learnt the capability from."""


class Dropped(NamedTuple):
    """A row that became no candidate: what was written, at which step it was stopped, and why."""

    text: str
    cause: str
    detail: str = ""
    step: FunnelStep = FunnelStep.PARSED
    request: str = ""


class Made(NamedTuple):
    """One batch: its record, its candidates, and what became none."""

    batch: Batch
    rows: Sequence[Candidate]
    rejected: Sequence[Rejected]

    @property
    def any(self) -> bool:
        """Whether the generator wrote anything for it."""
        return bool(self.rows or self.rejected)


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

    def admits(
        self,
        text: str,
        *,
        answer: str = "",
        context: Conversation = (),
        kin: Collection[str] = (),
        request: str = "",
    ) -> bool:
        """Whether `text` may go on; if not, it is dropped with its cause. What was admitted once is a duplicate
        afterwards. `answer` is its own where the capability has several right ones, `context` the conversation that it
        ends, `kin` are the ids of the rows that it rewrites (`Novelty`), and `request` is the one that a server
        answered with it."""
        if broken := breach(self.rules, text=text, answer=answer or self.answer):
            self.drop(text, broken.rule, broken.reason, step=FunnelStep.RULED, request=request)
        elif like := self.novelty.likeness(text, context=context, kin=kin):
            self.drop(text, like.cause, like.detail, step=FunnelStep.NOVEL, request=request)
        else:
            self.novelty.admit(text, context=context, kin=kin)
            return True
        return False

    def keep(
        self,
        text: str,
        *,
        context: Conversation = (),
        consistent: bool = True,
        detail: str = "",
        request: str = "",
    ) -> bool:
        """Keep an admitted text, unless enough are kept (`surplus`) or its label does not hold (`inconsistent`)."""
        if consistent and self.missing > 0:
            self.kept.append(text)
            return True
        self.novelty.drop(text, context=context)
        cause = "surplus" if consistent else "inconsistent"
        self.drop(text, cause, detail, step=FunnelStep.CONSISTENT, request=request)
        return False

    def drop(
        self, text: str, cause: str, detail: str = "", *, step: FunnelStep = FunnelStep.PARSED, request: str = ""
    ) -> None:
        self.dropped.append(Dropped(text, cause, detail, step, request))


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
        id=content_id("cand", [channel, said(whole), answer]),
        capability=capability,
        input=whole,
        answer=answer,
        origin=Origin.SYNTHETIC,
    )
    return Candidate(example=example, batch=batch, parents=tuple(sorted(parents)[:PARENTS]))


def batch_id(target: str, suffix: str) -> str:
    """The id of the batch that one generator writes for a target; a long suffix is cut to its digest."""
    name = f"{target}-{suffix}"
    return name if len(name) <= LONGEST else content_id(f"{target}-llm", suffix, digits=8)


def batch(
    name: str,
    *,
    target: str,
    capability: str,
    channel: Channel,
    generator: Generator,
    parameters: Mapping[str, str | int | float | bool],
    seed: int,
    parents: Sequence[str],
    rows: Sequence[Candidate],
    dropped: Sequence[Dropped],
) -> Made:
    """A batch with its provenance, its funnel and every row that it lost."""
    provenance = Provenance(
        channel=channel,
        generator=generator,
        parameters=dict(parameters),
        seed=seed,
        target=target,
        parents=tuple(parents),
        count=len(rows),
    )
    funnel = expanded(len(rows), ((one.step, one.cause) for one in dropped))
    lost = [
        Rejected(
            batch=name,
            capability=capability,
            step=one.step,
            cause=one.cause,
            text=one.text,
            detail=one.detail,
            request=one.request,
        )
        for one in dropped
    ]
    return Made(Batch(id=name, provenance=provenance, rejected=funnel.rejected, funnel=funnel), rows, lost)
