"""One row of the corpus, and what a judge made of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.attack.desk import Desk

UNREADABLE = "unreadable"
"""What a refusal is found by that is no verdict: something could not be read as what it must be."""
_RULE = re.compile(r"(\d+\.\d+ [a-z -]+): ")


class Expected(StrEnum):
    PASS = "pass"
    REFUSE = "refuse"
    COULD_NOT = "could not judge"
    """Nothing merges, and the exit code says that nobody looked: 5."""


@dataclass(frozen=True)
class Finding:
    """What the gate, the hook or `verify` answered."""

    got: Expected
    reasons: tuple[tuple[str, str], ...] = ()
    """Step and problem of each."""
    commit: str = ""
    """The first commit that does not hold, where `verify` names one."""
    named: str | None = field(default=None)
    """The commit that `verify` ought to name; None where the case does not ask."""

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that found it, each once; of steps with numbered rules, the rule."""
        found = (
            ((_RULE.search if step == UNREADABLE else _RULE.match)(problem), step) for step, problem in self.reasons
        )
        return tuple(dict.fromkeys(match[1] if match else step for match, step in found))

    @property
    def said(self) -> str:
        return "\n".join(f"{step}: {problem}" for step, problem in self.reasons)


Attack = Callable[["Desk"], Finding]


@dataclass(frozen=True)
class Case:
    """An attack, or honest work that has to pass. `step` must be among those that found it; `says` in their words."""

    name: str
    does: str
    step: str
    attack: Attack
    start: str = "approved"
    """The repository that it begins with: one of `desk.STARTS`."""
    says: str = ""
    expected: Expected = Expected.REFUSE

    def holds(self, finding: Finding) -> bool:
        """Whether the judge answered as it must."""
        if finding.got is not self.expected or self.says not in finding.said:
            return False
        if finding.named is not None and finding.named != finding.commit:
            return False
        return not self.step or self.step in {*finding.steps, *(step for step, _ in finding.reasons)}


class Row(NamedTuple):
    """A line of the printed table."""

    case: str
    expected: str
    got: str
    step: str
    said: str = ""
    """In the judge's own words; shown where the row is wrong."""

    @property
    def wrong(self) -> bool:
        return self.expected != self.got


def passes(name: str, does: str, attack: Attack, *, start: str = "approved") -> Case:
    """Honest work: the gate must let it through."""
    return Case(name, does, "", attack, start, expected=Expected.PASS)
