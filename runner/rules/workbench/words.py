"""The report's figures in words, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Sequence

from runner.records.terms import SetName
from runner.records.workbench import Balance, Gap, ItemFigures, Trait, WorkbenchReport

TRAITS = {
    Trait.CAPABILITY: "capability",
    Trait.LENS: "lens",
    Trait.OUTCOME_TYPE: "outcome type",
    Trait.SEVERITY: "severity",
}
NEGATIVE = -0.1
"""Discrimination from which an item is told of as one that better models fail."""


def gap(one: Gap) -> str:
    """What to write."""
    if one.lacks != "scenarios":
        return f"a scenario in {one.set} for {one.capability} with {one.lacks}: it has none"
    more = "one scenario" if one.write == 1 else f"{one.write:,} scenarios"
    there = "it has none" if not one.has else f"it has {one.has:,}"
    if one.set is SetName.HELDOUT:
        more += " (real ones)"
    return f"{more} in {one.set} for {one.capability}: {there}"


def share(value: float) -> str:
    return f"{value:.0%}"


def p_value(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def shifts(one: Balance) -> str:
    """The values that differ most."""
    return "; ".join(f"{each.value} {share(each.heldout)} beside {share(each.other)}" for each in one.shifts)


def hardest(figures: Sequence[ItemFigures], *, most: int) -> list[ItemFigures]:
    """Items that some model passes and some fails, the hardest first."""
    found = [one for one in figures if 0 < one.passed < one.models]
    return sorted(found, key=lambda one: (-one.difficulty, one.set, one.scenario))[:most]


def backwards(figures: Sequence[ItemFigures]) -> list[ItemFigures]:
    """Items that the better models fail: a wrong reference, or an ambiguous text, is the usual cause."""
    found = [one for one in figures if one.discrimination is not None and one.discrimination < NEGATIVE]
    return sorted(found, key=lambda one: (one.discrimination or 0.0, one.set, one.scenario))


def headline(report: WorkbenchReport) -> str:
    """The benchmark in a line."""
    counts = ", ".join(f"{report.scenarios[name]:,} {name}" for name in report.sets)
    return f"{sum(report.scenarios.values()):,} scenarios ({counts}), benchmark version {report.benchmark_version}"


def listed(names: Sequence[str], *, most: int = 12) -> str:
    """Some names, and how many more."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "none"
