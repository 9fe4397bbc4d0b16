"""Looks at held-out: who has looked at this very set, and whether one more may.

A look is a candidate whose scores on held-out somebody has seen. Each makes the set a little less held out, because
what is done next depends on it; after as many as the cluster allows, the set must rotate. They are counted in the
ledger, by the set's digest and the candidate's: in the phases that assessed one, and in entries of their own for an
evaluation outside an iteration. Looking again at what was seen before tells nothing new and is no further look.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.records.ledger import Entry, EntryKind
from runner.records.terms import SetName
from runner.records.verdict import Outcome, Reason, Verdict

HELDOUT = f"scenarios/{SetName.HELDOUT}"
"""What the ledger calls the set, among an entry's inputs."""
ADAPTER = "adapter"
STEP = "held-out looks"


def candidates(entries: Iterable[Entry], heldout: str) -> frozenset[str]:
    """The candidates that have looked at the set with the digest `heldout`, by their adapter's digest; one of an entry
    that names none counts by itself."""
    return frozenset(
        entry.inputs.get(ADAPTER, f"entry {entry.sequence}")
        for entry in entries
        if _looks(entry) and entry.inputs.get(HELDOUT) == heldout
    )


def _looks(entry: Entry) -> bool:
    return entry.kind is EntryKind.LOOK or (entry.kind is EntryKind.PHASE and entry.phase == "assess")


def exhausted(
    entries: Iterable[Entry], *, cluster: str, heldout: str, allowed: int, adapter: str | None = None
) -> Verdict | None:
    """The refusal of a further look; None where one is left, or where `adapter` has had its own."""
    looked = candidates(entries, heldout)
    if len(looked) < allowed or adapter in looked:
        return None
    problem = f"{len(looked)} candidates have looked at this held-out set, {allowed} may"
    hint = f"rotate it: hallmark benchmark rotate {cluster}"
    return Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step=STEP, problem=problem, hint=hint),))
