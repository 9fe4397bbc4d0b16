"""What the benchmark covers: scenarios by trait and set, the cells that are empty or thin, and what to write next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from runner.records.terms import OutcomeType, SetName, Severity
from runner.records.workbench import Coverage, CoverageRow, Gap, Trait
from runner.rules.workbench.item import Item

ENOUGH = {SetName.CORE: 10, SetName.HELDOUT: 10, SetName.REPRESENTATIVE: 5, SetName.DEV: 5}
"""Scenarios of a capability below which a set says little of it: of ten, all passed, Wilson's interval still reaches
down to .72, and of five to .57. Sets that are not named here are counted and asked for nothing."""
SIDES = {
    frozenset({OutcomeType.TP.value, OutcomeType.FN_GUARD.value}): "something to flag (tp, fn-guard)",
    frozenset({OutcomeType.TN.value, OutcomeType.FP_GUARD.value}): "something to leave alone (tn, fp-guard)",
}
ORDER = {trait: list(values) for trait, values in ((Trait.OUTCOME_TYPE, OutcomeType), (Trait.SEVERITY, Severity))}


def coverage(items: Sequence[Item], capabilities: Sequence[str], sets: Sequence[SetName]) -> tuple[Coverage, ...]:
    """Counts by each trait. Every capability of the cluster has a row, and every outcome type and severity."""
    found = []
    for trait in Trait:
        counts = Counter((one.value(trait), one.set) for one in items)
        known = list(capabilities) if trait is Trait.CAPABILITY else [str(one) for one in ORDER.get(trait, ())]
        values = [*dict.fromkeys(known), *sorted({value for value, _ in counts} - set(known))]
        rows = [CoverageRow(value=value, counts=tuple(counts[value, name] for name in sets)) for value in values]
        found.append(Coverage(trait=trait, rows=tuple(rows)))
    return tuple(found)


def gaps(items: Sequence[Item], capabilities: Sequence[str], sets: Sequence[SetName]) -> tuple[Gap, ...]:
    """What to write next, the most needed first: nothing at all before too little, held-out before the others."""
    counts = Counter((one.capability, one.set) for one in items)
    asked = [name for name in ENOUGH if name in sets]
    found = [
        Gap(capability=one, set=name, lacks="scenarios", has=has, write=ENOUGH[name] - has)
        for one in dict.fromkeys(capabilities)
        for name in asked
        if (has := counts[one, name]) < ENOUGH[name]
    ]
    found += _one_sided(items)
    rank = {name: place for place, name in enumerate(dict.fromkeys((SetName.HELDOUT, SetName.CORE, *asked)))}
    return tuple(
        sorted(
            found, key=lambda one: (one.has > 0, one.write == 1, rank[one.set], -one.write, one.capability, one.lacks)
        )
    )


def _one_sided(items: Iterable[Item]) -> Iterator[Gap]:
    """Capabilities whose scenarios in a set that judges are all of one side, where the set has both: a model that
    flags everything, or nothing, would win on them."""
    seen: dict[tuple[SetName, str], set[str]] = defaultdict(set)
    for one in items:
        if one.set in (SetName.CORE, SetName.HELDOUT):
            seen[one.set, one.capability].add(one.outcome_type)
    used = {name: set().union(*(types for (one, _), types in seen.items() if one is name)) for name, _ in seen}
    for (name, capability), types in sorted(seen.items()):
        for side, words in SIDES.items():
            if not types & side and used[name] & side:
                yield Gap(capability=capability, set=name, lacks=words, has=0, write=1)
