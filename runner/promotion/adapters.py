"""An adapter's bytes, judged: the one check that the gate, the approver and `hallmark fetch` make."""

from __future__ import annotations

from runner.errors import DataError
from runner.ports_promotion import AdapterStore
from runner.promotion.sources import Sources
from runner.records.promotion import PromotionRecord
from runner.rules.trust.adapter import adapter_problems


def adapter_problem(sources: Sources, record: PromotionRecord) -> str:
    """Fetch the adapter and judge every byte. Empty where it may be served, and where no bytes are asked for.

    Raises `DataError` where the bytes cannot be had: that is no judgement.
    """
    if sources.adapters is None or record.adapter is None:
        return ""
    return "; ".join(bring(sources.adapters, record)[1])


def bring(store: AdapterStore, record: PromotionRecord) -> tuple[dict[str, bytes], list[str]]:
    """A record's adapter out of a store, and why it may not be served. Raises `DataError`."""
    if record.adapter is None:
        raise DataError(f"{record.cluster}/{record.sequence}: the record points at no adapter")
    files = dict(store.fetch(record))
    base = store.base(record)
    return files, adapter_problems(files, record.adapter, base_sha256=record.base.sha256, base=base)
