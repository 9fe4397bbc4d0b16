"""Go back to an adapter that was in production before: a new sequence that names it. History is never reverted."""

from __future__ import annotations

from runner.errors import RecordError
from runner.promotion.gather import read_before
from runner.promotion.propose import Staging
from runner.promotion.sources import Sources
from runner.records.change import ChangeClass
from runner.records.evidence import EvidenceFile, RollbackContract, RollbackTrigger
from runner.records.policy import Trust
from runner.records.promotion import PromotionKind, ServingStage
from runner.rules.canonical import canonical
from runner.rules.trust.facts import Before
from runner.rules.trust.stages import deprecated, way_back


def rollback_to(
    sources: Sources,
    main: str,
    cluster: str,
    sequence: int | None = None,
    *,
    why: str,
    trigger: RollbackTrigger | None = None,
) -> Staging:
    """The staging that brings back the adapter of an earlier `sequence`; 0 is the bare base, None the way back.

    Its evidence is the contract, and what triggered it: the adapter's own evidence stands in the promotion that it
    names. Raises `RecordError` where that was never in production, may not serve again, or is what serves now.
    """
    before = read_before(sources, main, cluster)
    now = before.incumbent
    sequence = way_back(before.records) if sequence is None else sequence
    choices = _choices(before)
    if sequence not in choices:
        known = ", ".join(map(str, choices)) or "none, since nothing is in production"
        raise RecordError(f"{cluster}/{sequence} cannot be rolled back to", hint=f"earlier sequences: {known}")
    target = before.records[sequence or now.sequence]
    contract = RollbackContract(
        to_sequence=now.sequence, to_adapter=now.adapter, when=why, who=on_call(sources.policy(main).trust)
    )
    evidence = {EvidenceFile.ROLLBACK.value: canonical(contract) + b"\n"}
    if trigger is not None:
        evidence[EvidenceFile.TRIGGER.value] = canonical(trigger) + b"\n"
    return Staging(
        cluster=cluster,
        sequence=before.last + 1,
        iteration=target.run.iteration,
        benchmark=target.benchmark,
        base=target.base,
        adapter=target.adapter if sequence else None,
        incumbent=now,
        run=target.run,
        human_share=target.human_share,
        evidence=evidence,
        kind=PromotionKind.ROLLBACK,
        restores=sequence,
    )


def on_call(trust: Trust) -> str:
    """Who may sign a rollback, in words."""
    return ", ".join(sorted({one.role for one in trust.changes.get(ChangeClass.ROLLBACK, ())})) or "nobody"


def _choices(before: Before) -> list[int]:
    """The sequences that put into production what is not there now and may serve again; 0, the base, among them."""
    now, banned = before.incumbent, deprecated(before.records)
    if not now.sequence:
        return []
    found = [0] if now.adapter is not None else []
    for number, record in sorted(before.records.items()):
        adapter = record.adapter.sha256 if record.adapter else None
        if record.stage is ServingStage.PRODUCTION and adapter != now.adapter and adapter not in banned:
            found.append(number)
    return found
