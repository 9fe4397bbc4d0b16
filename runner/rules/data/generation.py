"""What a generator is asked for and what it gives: values that phase 7 and every generator share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runner.records.cluster import Capability
from runner.records.conversation import Conversation
from runner.records.dataset import Example
from runner.records.generation import Shown
from runner.records.scenario import Scenario

LONGEST = 48
"""Tokens of a message at most that the class-conditional base writes."""
UNTAUGHT = ("base-data",)
"""The parents of a row whose writer was shown no human row: it learnt the capability from the base's own data."""


@dataclass(frozen=True)
class Aim:
    """One capability that rows are wanted for: what it means, and the human text that may show it."""

    target: str
    """The id of the capability's most urgent failure cluster."""
    capability: Capability
    answers: tuple[str, ...]
    """The right answers to write messages for: one where the capability has one, else those of its human rows."""
    fixed: bool
    """Whether the capability has one right answer; where not, a prompted model writes the answer too."""
    instead: str = ""
    """What the incumbent often answers in place of the right answer."""
    gold: tuple[Example, ...] = ()
    log: tuple[Example, ...] = ()
    failures: tuple[Scenario, ...] = ()
    """Core scenarios of the target that the incumbent failed."""
    criteria: tuple[str, ...] = ()
    """What the approved rubrics ask of an answer, in words."""
    rules: tuple[str, ...] = ()
    """What the cluster's domain rules ask of a row, in words."""
    schemas: tuple[str, ...] = ()
    """JSON schemas that the rubrics hold an answer to."""

    @property
    def human(self) -> tuple[Example, ...]:
        return (*self.gold, *self.log)

    def answer(self, number: int) -> str:
        """The answer that the row with this number is written for."""
        return self.answers[number % len(self.answers)]

    def shown(self, sources: Sequence[Shown]) -> tuple[tuple[Example, ...], tuple[Scenario, ...]]:
        """The human rows and the core failures that a prompt may show, if text of these sources may stand in it."""
        gold = self.gold if Shown.GOLD in sources else ()
        log = self.log if Shown.LOG in sources else ()
        return (*gold, *log), self.failures if Shown.CORE in sources else ()


class Draft(NamedTuple):
    """What a generator wrote for a capability: a message and its right answer, or what could not be read as them."""

    capability: str
    text: str
    answer: str
    parents: tuple[str, ...]
    context: Conversation = ()
    """The conversation that the message ends; the message alone where there is none."""
    cause: str = ""
    """Why it is no row; empty where it is one."""
    detail: str = ""
    request: str = ""


class Numbering:
    """Numbers the rows asked for of each capability, from 0 and over all turns."""

    def __init__(self) -> None:
        self._next: Counter[str] = Counter()

    def of(self, wanted: Mapping[str, int]) -> Iterator[tuple[str, int]]:
        """(capability, number) for each row wanted, capability by capability."""
        for name, count in wanted.items():
            for _ in range(count):
                yield name, self._next[name]
                self._next[name] += 1
