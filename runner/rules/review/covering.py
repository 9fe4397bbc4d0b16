"""What a change does to what the benchmark covers: counts by capability and set, gaps, and held-out's balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from runner.records.change_review import CoverageChange, SetCount
from runner.records.cluster import Cluster
from runner.records.terms import SetName
from runner.records.workbench import Balance, Gap
from runner.rules.review.side import Side
from runner.rules.workbench.balance import balance
from runner.rules.workbench.coverage import gaps
from runner.rules.workbench.item import Item

SEED = 20261121
"""Of the permutations: the same change gives the same review."""
BALANCED = (SetName.HELDOUT, SetName.CORE, SetName.REPRESENTATIVE)


def coverage_change(before: Side, after: Side, cluster: str) -> CoverageChange | None:
    """None where no count changes, or the cluster cannot be read."""
    record = after.one(f"clusters/{cluster}/cluster.yaml", Cluster)
    old, new = _items(before, cluster), _items(after, cluster)
    sets = _changed(old, new, lambda one: "every")
    lenses, outcomes = _changed(old, new, lambda one: one.lens), _changed(old, new, lambda one: one.outcome_type)
    capabilities = _changed(old, new, lambda one: one.capability)
    if record is None or not (sets or lenses or outcomes or capabilities):
        return None
    named = [one.id for one in record.capabilities]
    had, has = _gaps(old, named), _gaps(new, named)
    weighed = _balances(old, new, moved={one.set for rows in capabilities.values() for one in rows})
    return CoverageChange(
        cluster=cluster,
        sets=sets.get("every", ()),
        capabilities=capabilities,
        lenses=lenses,
        outcome_types=outcomes,
        gaps_closed=tuple(gap for key, gap in had.items() if key not in has),
        gaps_opened=tuple(gap for key, gap in has.items() if key not in had),
        gaps_left=len(has),
        balance_before=weighed[0],
        balance_after=weighed[1],
    )


def _items(side: Side, cluster: str) -> list[Item]:
    """Without digests, which counting does not need."""
    return [
        Item(
            set=one.set,
            id=one.scenario.id,
            capability=one.scenario.capability,
            lens=one.scenario.lens,
            outcome_type=str(one.scenario.outcome_type),
            severity=str(one.scenario.severity),
            rubric=one.scenario.rubric,
            text="",
            reference="",
            sha256="",
        )
        for one in side.scenarios(cluster).values()
    ]


def _changed(old: Sequence[Item], new: Sequence[Item], value: Callable[[Item], str]) -> dict[str, tuple[SetCount, ...]]:
    """By value, the sets in which its count changes."""
    counts = Counter((value(one), one.set) for one in old), Counter((value(one), one.set) for one in new)
    found: dict[str, list[SetCount]] = defaultdict(list)
    order = list(SetName)
    for name, set_ in sorted({*counts[0], *counts[1]}, key=lambda one: (one[0], order.index(one[1]))):
        before, after = (count[name, set_] for count in counts)
        if before != after:
            found[name].append(SetCount(set=set_, before=before, after=after))
    return {name: tuple(rows) for name, rows in found.items()}


def _gaps(items: Sequence[Item], capabilities: Sequence[str]) -> Mapping[tuple[str, str, str], Gap]:
    there = {one.set for one in items}
    sets = [name for name in SetName if name in there]
    return {(gap.capability, gap.set, gap.lacks): gap for gap in gaps(items, capabilities, sets)}


def _balances(
    old: Sequence[Item], new: Sequence[Item], *, moved: set[SetName]
) -> tuple[tuple[Balance, ...], tuple[Balance, ...]]:
    """Held-out beside core and representative by the traits in which it differed before or differs after."""
    if not moved & set(BALANCED):
        return (), ()
    both = balance(old, seed=SEED), balance(new, seed=SEED)
    differing = {(one.trait, one.against) for found in both for one in found if one.differs}
    before, after = (tuple(one for one in found if (one.trait, one.against) in differing) for found in both)
    return before, after
