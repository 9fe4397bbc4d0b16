"""Where each promoted adapter stands, from the records, the ledger and what was revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from runner.records.cluster_status import AdapterStatus
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import PromotionRecord
from runner.rules.trust.receipts import receipt_time
from runner.rules.trust.stages import standings


def adapter_statuses(
    records: Mapping[int, PromotionRecord],
    *,
    approved_by: Mapping[int, tuple[str, ...]],
    entries: Iterable[Entry],
    withdrawn: Mapping[int, str] = MappingProxyType({}),
) -> tuple[AdapterStatus, ...]:
    """Every promoted adapter, the last step first. `approved_by` says who signed each sequence, `entries` is the
    cluster's ledger, `withdrawn` why a sequence is not deployable any more."""
    times = {entry.promotion: receipt_time(entry) for entry in entries if entry.kind is EntryKind.RECEIPT}
    return tuple(
        AdapterStatus(
            adapter=one.adapter,
            stage=one.stage,
            sequence=one.sequence,
            since=times.get(one.sequence) or "",
            approved_by=approved_by.get(one.sequence, ()),
            ended=one.ended,
            ended_by=one.ended_by,
            withdrawn=withdrawn.get(one.sequence, ""),
        )
        for one in reversed(standings(records))
    )


def adapter_line(one: AdapterStatus) -> str:
    """`3f9c2b71a0d4 since 2026-11-21T13:00:00Z (promotion 2), by alice, bob; replaced by promotion 3`."""
    since = f"since {one.since}" if one.since else "no receipt yet, so not to be served"
    people = f", by {', '.join(one.approved_by)}" if one.approved_by else ""
    over = f"; {one.ended} by promotion {one.ended_by}" if one.ended and one.ended_by != one.sequence else ""
    fallen = f"; NOT DEPLOYABLE: {one.withdrawn}" if one.withdrawn else ""
    return f"{one.adapter[:12]} {since} (promotion {one.sequence}){people}{over}{fallen}"
