"""Step 8: what the cluster's reviewed limits ask of a candidate, by the figures that its per-scenario scores give."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from runner.records.evidence import EvidenceFile, Operations, RollbackContract
from runner.records.promotion import PromotionKind
from runner.records.verdict import Reason
from runner.rules.evaluation.limits import limits
from runner.rules.trust.facts import Promotion
from runner.rules.trust.figures import Figures, parse

STEP = "8 limits"
RULES = {
    "thresholds": "8.1",
    "significance": "8.2",
    "regressions": "8.3",
    "capabilities": "8.4",
    "robustness": "8.5",
    "human floor": "8.6",
    "latency": "8.7",
    "rollback contract": "8.8",
    "restored adapter": "8.9",
    "general": "8.12",
    "baseline": "8.13",
    "outcome types": "8.14",
    "real-only baseline": "8.15",
}
"""Each rule and its number. All but 8.8 and 8.9 are `limits.limits`'s steps."""


def limit_problems(promotion: Promotion, figures: Figures | None) -> list[Reason]:
    """Every limit that the candidate does not hold; for a rollback, whether it may bring its adapter back."""
    found = [("rollback contract", problem) for problem in _rollback_contract(promotion)]
    if promotion.record.kind is PromotionKind.ROLLBACK:
        found += [("restored adapter", problem) for problem in _restored(promotion)]
    if figures is not None:
        found += _limits(promotion, figures)
    found.sort(key=lambda one: RULES[one[0]])
    return [
        Reason(step=STEP, problem=f"{RULES[rule]} {rule}: {problem}", hint="this candidate cannot be promoted")
        for rule, problem in found
    ]


def _limits(promotion: Promotion, figures: Figures) -> Iterable[tuple[str, str]]:
    """Phase 12's own judgement, on recomputed figures and recorded measurements."""
    record = promotion.record
    measured = parse(promotion.evidence, EvidenceFile.OPERATIONS, Operations)
    if isinstance(measured, str):
        yield "latency", measured
    stated = _human_share(promotion.evidence)
    if stated is None or abs(stated - record.human_share) > 1e-9:
        yield "human floor", "the record's human share is not the sweep's"
    latency = None if isinstance(measured, str) else measured.latency_p95_ms
    cluster = promotion.before.cluster
    for reason in limits(figures.card, cluster, human_share=record.human_share, latency_p95_ms=latency):
        yield reason.step, reason.problem


def _human_share(evidence: Mapping[str, bytes]) -> float | None:
    """The human share that the sweep states; none where it cannot be read."""
    try:
        return float(json.loads(evidence[EvidenceFile.SWEEP])["human_share"])
    except (KeyError, TypeError, ValueError):
        return None


def _rollback_contract(promotion: Promotion) -> Iterable[str]:
    contract = parse(promotion.evidence, EvidenceFile.ROLLBACK, RollbackContract)
    if isinstance(contract, str):
        yield contract
        return
    now = promotion.before.incumbent
    if (contract.to_sequence, contract.to_adapter) != (now.sequence, now.adapter):
        yield f"the rollback contract goes to sequence {contract.to_sequence}, and {now.sequence} is promoted now"
    if promotion.record.incumbent != now:
        yield f"the record's incumbent is sequence {promotion.record.incumbent.sequence}, and {now.sequence} is"


def _restored(promotion: Promotion) -> Iterable[str]:
    """A rollback names an earlier approved adapter, or the bare base."""
    record, earlier = promotion.record, promotion.before.records
    if record.restores is None:
        yield "a rollback names the sequence that it restores"
    elif record.restores == 0:
        if record.adapter is not None:
            yield "a rollback to the bare base has no adapter"
    elif record.restores not in earlier:
        yield f"the rollback restores sequence {record.restores}, which was never promoted"
    elif earlier[record.restores].adapter != record.adapter:
        yield f"the rollback's adapter is not the one of sequence {record.restores}"
    elif earlier[record.restores].run != record.run:
        yield f"the rollback's run is not the one of sequence {record.restores}"
