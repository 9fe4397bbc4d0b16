"""What a grader is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from runner.records.expected_calls import Tool

MISSED = 0.0
MET = 1.0


class Credit(NamedTuple):
    """What an answer has of a criterion, 0 to 1, and why it has no more."""

    share: float
    why: str = ""
    """What was expected and what was found, where the criterion's own words do not say it. Empty where it is met."""

    @classmethod
    def of(cls, met: bool, why: str = "") -> Credit:
        """All or nothing; `why` says what is wrong where it is nothing."""
        return cls(MET) if met else cls(MISSED, why)


@dataclass(frozen=True)
class Case:
    """One answer beside its scenario's reference, and how the rubric has texts compared."""

    answer: str
    reference: str
    same: Callable[[str], str]
    """The rubric's normalisation."""
    prompt: str = ""
    """What the model was asked: every message of the scenario's input."""
    tools: tuple[Tool, ...] = ()

    @cached_property
    def given(self) -> str:
        """The answer, normalised."""
        return self.same(self.answer)

    @cached_property
    def wanted(self) -> str:
        """The reference, normalised."""
        return self.same(self.reference)
