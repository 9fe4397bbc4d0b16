"""Go back to an adapter that was promoted before: a new sequence that names it. History is never reverted."""

from __future__ import annotations

from runner.errors import RecordError
from runner.promotion.gather import read_before
from runner.promotion.propose import Staging
from runner.promotion.sources import Sources
from runner.records.evidence import EvidenceFile, RollbackContract
from runner.records.promotion import PromotionKind
from runner.rules.canonical import canonical


def rollback_to(sources: Sources, main: str, cluster: str, sequence: int, *, why: str) -> Staging:
    """The staging that brings back the adapter of an earlier `sequence`.

    Its evidence is the contract alone: the adapter's own evidence stands in the promotion that it names.
    Raises `RecordError` where that was never promoted, or is what serves now.
    """
    before = read_before(sources, main, cluster)
    now = before.incumbent
    known = ", ".join(str(number) for number in sorted(before.records) if number != now.sequence) or "none"
    if sequence not in before.records or sequence == now.sequence:
        raise RecordError(f"{cluster}/{sequence} cannot be rolled back to", hint=f"earlier sequences: {known}")
    target = before.records[sequence]
    contract = RollbackContract(to_sequence=now.sequence, to_adapter=now.adapter, when=why, who="the people who sign")
    return Staging(
        cluster=cluster,
        sequence=now.sequence + 1,
        iteration=target.run.iteration,
        benchmark=target.benchmark,
        base=target.base,
        adapter=target.adapter,
        incumbent=now,
        run=target.run,
        human_share=target.human_share,
        evidence={EvidenceFile.ROLLBACK.value: canonical(contract) + b"\n"},
        kind=PromotionKind.ROLLBACK,
        restores=sequence,
    )
