"""When a cluster no longer improves: derived from its ledger, stored nowhere.

An iteration improved where its assessment went to its end and found the candidate better on held-out, though it was
refused for something else. One that an automatic gate refused without that brought nothing. The others (superseded, in
flight, refused at intake or for want of held-out looks) were no try, and count neither way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.records.ledger import Entry, EntryKind
from runner.records.plateau import Plateau, PlateauPolicy
from runner.records.verdict import Outcome

TRYING = frozenset({"validate", "sweep", "train", "assess"})
"""The phases at which a refusal means that the try brought nothing."""
STOPPING = frozenset({"stages", "thresholds", "robustness"})
"""Refusals of a candidate that an early stop asks no further, and of the same one where the cluster asks on."""
WITHOUT = STOPPING | {"significance", "baseline", "judges", "real-only baseline"}
"""Those, and the ones that say of held-out that nothing was gained there, or that the gain cannot be believed."""
LIFTING = ("cluster", "problem", "rubrics", "judges", "params", "data/base", "data/gold", "scenarios/")
"""What people change that gives the next iteration another chance. New production signals alone do not."""


def plateau(entries: Sequence[Entry], policy: PlateauPolicy, *, pins: Mapping[str, str]) -> Plateau | None:
    """The plateau that a cluster is on, where the tree with `pins` would begin one more iteration of the same.

    None while patience lasts, and where what people govern is no longer what the last try was pinned to. The try of an
    older ledger, which does not say what it was pinned to, holds nothing up.
    """
    row = unimproved(entries, policy)
    if len(row) < policy.patience:
        return None
    pinned = pinned_to(entries, row[-1])
    if not pinned or governed(pinned) != governed(pins):
        return None
    return Plateau(after=row[-1], iterations=row, patience=policy.patience)


def unimproved(entries: Sequence[Entry], policy: PlateauPolicy) -> tuple[str, ...]:
    """The iterations in a row, up to the one queued last, that brought nothing on held-out; oldest first.

    Those up to the one whose escalation was acknowledged no longer count.
    """
    each: dict[str, list[Entry]] = {}
    for entry in (one for one in entries if one.iteration):
        before = each.pop(entry.iteration, []) if entry.kind is EntryKind.QUEUED else []
        each.setdefault(entry.iteration, before).append(entry)
    row: list[str] = []
    for name, found in each.items():
        improved = brought(found)
        if improved is not None:
            row = [] if improved else [*row, name]
        if name == policy.acknowledged:
            row = []
    return tuple(row)


def brought(entries: Iterable[Entry]) -> bool | None:
    """Whether an iteration improved on held-out; None where it was no try."""
    last = None
    for entry in entries:
        if entry.kind is EntryKind.SUPERSEDED:
            last = None  # it may have been queued again
        last = entry if entry.kind is EntryKind.PHASE else last
        if last is not None and last.phase == "assess" and last.verdict.passed:
            return True
    if last is None or last.verdict.outcome is not Outcome.REFUSE or last.phase not in TRYING:
        return None
    steps = {reason.step for reason in last.verdict.reasons}
    if "held-out looks" in steps:
        return None
    return last.phase == "assess" and not steps & WITHOUT


def pinned_to(entries: Iterable[Entry], iteration: str) -> Mapping[str, str]:
    """What the iteration was pinned to, by its entry in the queue; empty where that does not say."""
    queued = [one for one in entries if one.kind is EntryKind.QUEUED and one.iteration == iteration]
    return queued[-1].inputs if queued else {}


def governed(pins: Mapping[str, str]) -> dict[str, str]:
    """Those of the pins that lift a plateau when they change."""
    return {name: value for name, value in pins.items() if name.startswith(LIFTING)}
