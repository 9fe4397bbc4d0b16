"""The funnel: how many rows of a batch came through each step, and what stopped the others.

A funnel that does not add up cannot be made: every step keeps what the one before kept, less what it rejected.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from runner.records.base import Count, Positive, Record, Slug


class FunnelStep(StrEnum):
    """The steps in their order. Phase 7 makes the first five, phase 8 the sixth, phase 9 the last."""

    GENERATED = "generated"
    """Rows a generator returned, or signals that were read."""
    PARSED = "parsed"
    """Has the form it must have: a message and an answer."""
    RULED = "ruled"
    """Keeps every domain rule of the cluster."""
    NOVEL = "novel"
    """Is no copy and no near-duplicate of a human row, a frozen text or another candidate."""
    CONSISTENT = "consistent"
    """The model answers it with the label it was made for; what is over what was wanted is dropped here."""
    VALIDATED = "validated"
    """Its batch passed, and it stands in no frozen set."""
    ACCEPTED = "accepted"
    """People accepted or edited it, or the cluster's policy did."""


ORDER = tuple(FunnelStep)


class FunnelCount(Record):
    """One step: the rows it kept, and those it rejected by cause. A cause of `ruled` is the id of a domain rule."""

    step: FunnelStep
    kept: Count
    rejected: dict[Slug, Positive] = {}


class Funnel(Record):
    """The first steps of the order, as far as the rows have come."""

    steps: tuple[FunnelCount, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if tuple(one.step for one in self.steps) != ORDER[: len(self.steps)]:
            raise ValueError(f"a funnel's steps are {', '.join(ORDER)}, from the first on and in this order")
        if self.steps[0].rejected:
            raise ValueError("nothing is rejected before it is generated")
        for before, after in pairwise(self.steps):
            lost = sum(after.rejected.values())
            if before.kept - lost != after.kept:
                text = f"{before.kept} {before.step} less {lost} rejected are not {after.kept} {after.step}"
                raise ValueError(text)
        return self

    @property
    def generated(self) -> int:
        return self.steps[0].kept

    @property
    def kept(self) -> int:
        """Rows that came through the last step there is."""
        return self.steps[-1].kept

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected rows by cause, over all steps."""
        found: Counter[str] = Counter()
        for one in self.steps:
            found.update(one.rejected)
        return dict(sorted(found.items()))


class BatchFunnel(Record):
    batch: Slug
    funnel: Funnel


class FunnelReport(Record):
    """Every batch's funnel and their sum, all as far as the same step."""

    batches: tuple[BatchFunnel, ...]
    total: Funnel

    @model_validator(mode="after")
    def _is_the_sum(self) -> Self:
        names = [one.batch for one in self.batches]
        if len(set(names)) != len(names):
            raise ValueError("a batch has one funnel")
        if any(len(one.funnel.steps) != len(self.total.steps) for one in self.batches):
            raise ValueError("all funnels of a report end at the same step")
        if self.total != summed((one.funnel for one in self.batches), steps=len(self.total.steps)):
            raise ValueError("the total is not the sum of the batches")
        return self

    def of(self, batch: str) -> Funnel | None:
        return next((one.funnel for one in self.batches if one.batch == batch), None)


def summed(funnels: Iterable[Funnel], *, steps: int) -> Funnel:
    """The sum of funnels that have that many steps each; of none, zeros."""
    kept, rejected = [0] * steps, [Counter[str]() for _ in range(steps)]
    for funnel in funnels:
        for place, one in enumerate(funnel.steps):
            kept[place] += one.kept
            rejected[place].update(one.rejected)
    return Funnel(steps=tuple(map(_count, ORDER, kept, rejected)))


def _count(step: FunnelStep, kept: int, rejected: Mapping[str, int]) -> FunnelCount:
    return FunnelCount(step=step, kept=kept, rejected=dict(sorted(rejected.items())))
