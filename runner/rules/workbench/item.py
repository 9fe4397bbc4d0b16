"""A scenario as the workbench looks at it: as much as its figures need, so that a hundred thousand can be held."""

from __future__ import annotations

from typing import NamedTuple

from runner.records.conversation import last_user_text
from runner.records.scenario import Scenario
from runner.records.terms import SetName
from runner.records.workbench import Trait
from runner.rules.repository.benchmark import scenario_digest


class Item(NamedTuple):
    set: SetName
    id: str
    capability: str
    lens: str
    outcome_type: str
    severity: str
    rubric: str
    text: str
    """The last user text. Held-out's is compared and never printed."""
    reference: str
    sha256: str

    @property
    def key(self) -> str:
        return f"{self.set}/{self.id}"

    def value(self, trait: Trait) -> str:
        return {
            Trait.CAPABILITY: self.capability,
            Trait.LENS: self.lens,
            Trait.OUTCOME_TYPE: self.outcome_type,
            Trait.SEVERITY: self.severity,
        }[trait]


def item(set_: SetName, scenario: Scenario) -> Item:
    return Item(
        set=set_,
        id=scenario.id,
        capability=scenario.capability,
        lens=scenario.lens,
        outcome_type=str(scenario.outcome_type),
        severity=str(scenario.severity),
        rubric=scenario.rubric,
        text=last_user_text(scenario.input),
        reference=scenario.reference,
        sha256=scenario_digest(scenario),
    )
