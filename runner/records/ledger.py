"""One entry of the iterate ledger: `<cluster>/<seq8>.json` on the `ledger` branch."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr

from runner.records.base import Record, Sha256, Slug
from runner.records.fired import Fired
from runner.records.verdict import Verdict


class EntryKind(StrEnum):
    QUEUED = "queued"
    PHASE = "phase"
    SUPERSEDED = "superseded"
    RECEIPT = "receipt"
    LOOK = "look"
    """Of no iteration: a candidate was asked the held-out set by itself."""


class RunState(StrEnum):
    """Where an iteration stands; derived from the ledger, never stored."""

    QUEUED = "queued"
    ACTIVE = "active"
    ASSESSING = "assessing"
    BLOCKED = "blocked"
    SUPERSEDED = "superseded"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


class Entry(Record):
    """What happened, in the order it happened.

    `previous` is the digest of the entry before (none for a chain's first). The digest covers everything
    but `measured`, which holds what cannot repeat: times, seconds, memory, host, commit.
    """

    version: int = 1
    cluster: Slug
    sequence: int = Field(ge=1)
    previous: Sha256 | None
    kind: EntryKind
    iteration: str = ""
    phase: str = ""
    inputs: dict[str, Sha256] = {}
    outputs: dict[str, Sha256] = {}
    verdict: Verdict = Verdict()
    triggers: tuple[Fired, ...] = ()
    """With `queued`: what began the iteration, where it was no change of main. Left out where there is none."""
    promotion: Annotated[int, Field(ge=1)] | None = None
    """With `receipt`: the sequence of the promotion."""
    receipt: dict[str, Any] | None = None
    """With `receipt`: the gate's DSSE envelope."""
    measured: dict[str, Any] = {}

    _as_read: bool = PrivateAttr(default=False)

    def as_read(self) -> Self:
        """The entry as a file says it that leaves fields out: those that a later release gave a default are in no entry
        of an earlier one, nor in its digest."""
        entry = self.model_copy()
        entry._as_read = True
        return entry

    def content(self) -> dict[str, Any]:
        """What the entry's file says: every field, but for those that the file it was read from leaves out."""
        nothing = None if self.triggers else {"triggers"}
        return self.model_dump(mode="json", exclude_unset=self._as_read, exclude=nothing)
