"""What other files ask of a scenario: as much of it as cross-references need, small enough to be remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.rules.canonical import digest, sha256

if TYPE_CHECKING:  # what is remembered is checked without the records
    from runner.records.scenario import Scenario


class Outline(NamedTuple):
    """One scenario file, apart from where it stands."""

    id: str
    capability: str
    rubric: str
    last: str
    """The role of the last message."""
    turns: int
    text: str
    """Half the sha256 of the input, spaces and case aside: equal where two scenarios say the same."""
    sha256: str
    """Of the canonical record, as `benchmark.scenario_digest` gives it; empty where nothing froze the scenario."""
    reference: str
    """The right answer where it may be a JSON object; empty where it cannot be one."""


def outline(scenario: Scenario, *, frozen: bool) -> Outline:
    """`frozen` says whether the digest is wanted: it takes as long as all the rest."""
    said = [[str(message.role), " ".join(message.content.split()).casefold()] for message in scenario.input]
    return Outline(
        id=scenario.id,
        capability=scenario.capability,
        rubric=scenario.rubric,
        last=str(scenario.input[-1].role),
        turns=len(scenario.input),
        text=sha256(repr(said).encode("utf-8", "surrogatepass"))[:32],
        sha256=digest(scenario) if frozen else "",
        reference=scenario.reference if scenario.reference.lstrip().startswith("{") else "",
    )
