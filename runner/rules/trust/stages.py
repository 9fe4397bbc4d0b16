"""Who stands where: the stage of every promoted adapter, from the cluster's promotion records alone.

- shadow, canary and production each hold one adapter; whoever enters takes the place of who was there;
- an adapter that moves on leaves the stage that it came from;
- a rollback puts an earlier production adapter, or the bare base, back into production;
- a deprecated adapter stands nowhere, for good.

What serves is the adapter in production. An adapter in canary serves the share of requests that the serving side gives
it; one in shadow answers beside it, and nobody sees its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from runner.records.base import Record, Sha256
from runner.records.promotion import Incumbent, PromotionKind, PromotionRecord, ServingStage

NEXT: Mapping[ServingStage, ServingStage] = {
    ServingStage.SHADOW: ServingStage.CANARY,
    ServingStage.CANARY: ServingStage.PRODUCTION,
}
"""Which stage an adapter may go to from which, beside `deprecated`."""
PREVIOUS: Mapping[ServingStage, ServingStage] = {later: earlier for earlier, later in NEXT.items()}
Records = Mapping[int, PromotionRecord]
Ending = Literal["", "replaced", "rolled back", "deprecated"]


class Standing(Record):
    """One adapter: its stage, since which sequence, and whether it still holds it."""

    adapter: Sha256
    stage: ServingStage
    sequence: int
    """The step that put it there."""
    ended: Ending = ""
    """Empty where it holds its stage."""
    ended_by: int | None = None
    """The step that ended it."""

    @property
    def holds(self) -> bool:
        return not self.ended


class _Board(NamedTuple):
    standings: dict[str, Standing]
    holders: dict[ServingStage, int]
    adapters: dict[int, str]
    """Sequence to adapter; nothing for the bare base."""


def standings(records: Records) -> tuple[Standing, ...]:
    """Every adapter that was ever promoted, in the order of the step that put it where it stands."""
    return tuple(sorted(_board(records).standings.values(), key=lambda one: one.sequence))


def holder(records: Records, stage: ServingStage) -> PromotionRecord | None:
    """The record that holds a stage; None for nobody. In production it may be a rollback to the bare base."""
    sequence = _board(records).holders.get(stage)
    return None if sequence is None else records[sequence]


def incumbent(records: Records) -> Incumbent:
    """What serves: the adapter in production, or the base alone (sequence 0 where nothing ever was in production)."""
    record = holder(records, ServingStage.PRODUCTION)
    if record is None:
        return Incumbent(sequence=0)
    return Incumbent(sequence=record.sequence, adapter=record.adapter.sha256 if record.adapter else None)


def deprecated(records: Records) -> frozenset[str]:
    """The digests of the adapters that may not serve again."""
    return frozenset(one.adapter for one in standings(records) if one.ended == "deprecated")


def way_back(records: Records) -> int:
    """The sequence that a rollback of what serves goes to by default: what its promotion replaced; 0 is the bare base.

    After a rollback, that is what stood before the adapter that came back. Deprecated adapters are passed over.
    """
    serving, banned = incumbent(records).sequence, deprecated(records)
    seen: set[int] = set()
    while serving and serving not in seen:
        seen.add(serving)
        record = records[serving]
        if record.kind is PromotionKind.ROLLBACK and record.restores in records:
            serving = record.restores or 0
            continue
        serving = record.incumbent.sequence
        found = records.get(serving)
        if found is None or found.adapter is None or found.adapter.sha256 not in banned:
            return serving
    return 0


def _board(records: Records) -> _Board:
    board = _Board({}, {}, {n: record.adapter.sha256 for n, record in records.items() if record.adapter})
    for sequence, record in sorted(records.items()):
        _play(board, sequence, record)
    return board


def _play(board: _Board, sequence: int, record: PromotionRecord) -> None:
    adapter, stage = board.adapters.get(sequence), record.stage
    before = board.standings.get(adapter) if adapter else None
    if before is not None and board.holders.get(before.stage) == before.sequence:
        del board.holders[before.stage]
    if stage is not ServingStage.DEPRECATED:
        _end(board, stage, sequence, "rolled back" if record.kind is PromotionKind.ROLLBACK else "replaced")
        board.holders[stage] = sequence
    if adapter is not None:
        over: Ending = "deprecated" if stage is ServingStage.DEPRECATED else ""
        board.standings[adapter] = Standing(
            adapter=adapter, stage=stage, sequence=sequence, ended=over, ended_by=sequence if over else None
        )


def _end(board: _Board, stage: ServingStage, sequence: int, how: Ending) -> None:
    """Whoever holds the stage makes room."""
    adapter = board.adapters.get(board.holders.get(stage, 0))
    if adapter is not None:
        old = board.standings[adapter]
        board.standings[adapter] = old.model_copy(update={"ended": how, "ended_by": sequence})
