"""Step 8: what the cluster's reviewed limits ask of a candidate, recomputed from its per-scenario scores."""

from __future__ import annotations

from collections.abc import Iterable

from runner.records.evidence import EvidenceFile, Operations, RollbackContract
from runner.records.promotion import PromotionKind
from runner.records.scenario import SetName
from runner.records.score import Scorecard, ScoredScenario
from runner.records.verdict import Reason
from runner.rules.evidence import grades, human_share_stated, parse
from runner.rules.facts import Promotion
from runner.rules.scoring import capability_weights, composite
from runner.rules.statistics import holm, mcnemar

STEP = "8 limits"
JUDGED = frozenset({SetName.CORE, SetName.HELDOUT, SetName.REPRESENTATIVE})
"""The sets over which regressions are counted."""
CANDIDATE, CONTROL = "candidate", "control"


def limit_problems(promotion: Promotion) -> list[Reason]:
    """Every limit that the candidate does not hold; for a rollback, whether it may bring its adapter back."""
    problems = [*_rollback_contract(promotion)]
    if promotion.record.kind is PromotionKind.ROLLBACK:
        problems += _restored(promotion)
    else:
        rows, _ = grades(promotion)
        problems += [
            *_thresholds(promotion, rows),
            *_significance(promotion, rows),
            *_regressions(promotion, rows),
            *_capabilities(promotion, rows),
            *_robustness(promotion, rows),
            *_human_floor(promotion),
            *_operations(promotion),
        ]
    return [Reason(step=STEP, problem=problem, hint="this candidate cannot be promoted") for problem in problems]


def _old(promotion: Promotion) -> str:
    return "incumbent" if promotion.before.incumbent.sequence else "base"


def _thresholds(promotion: Promotion, rows: tuple[ScoredScenario, ...]) -> Iterable[str]:
    floors = promotion.before.cluster.gate.thresholds
    for name, floor in ((SetName.CORE, floors.composite), (SetName.HELDOUT, floors.heldout)):
        value = _composite(promotion, rows, name)
        if value < floor:
            yield f"the composite on {name} is {value:.4f}, and {floor:.4f} is asked for"


def _composite(promotion: Promotion, rows: tuple[ScoredScenario, ...], name: SetName) -> float:
    weights = capability_weights(promotion.before.cluster)
    pairs = [(row.capability, row.scores.get(CANDIDATE, 0.0)) for row in rows if row.set is name]
    return composite([pair for pair in pairs if pair[0] in weights], weights)[0]


def _pairs(rows: Iterable[ScoredScenario], other: str) -> tuple[int, int]:
    """How many the candidate gained and lost against `other`. A model that is absent passed nothing."""
    rows = tuple(rows)
    gained = sum(row.passed.get(CANDIDATE, False) and not row.passed.get(other, False) for row in rows)
    lost = sum(row.passed.get(other, False) and not row.passed.get(CANDIDATE, False) for row in rows)
    return gained, lost


def _significance(promotion: Promotion, rows: tuple[ScoredScenario, ...]) -> Iterable[str]:
    held, limit = [row for row in rows if row.set is SetName.HELDOUT], promotion.before.cluster.gate.max_p_value
    for other in (_old(promotion), CONTROL):
        if not held or any(other not in row.passed for row in held):
            yield f"held-out has no scores of the {other} to compare with"
            continue
        gained, lost = _pairs(held, other)
        p_value = mcnemar(gained, lost)
        if gained <= lost or p_value > limit:
            said = f"{gained} gained, {lost} lost, p = {p_value:.2g}"
            yield f"held-out against the {other}: {said}, and at most {limit:g} is borne"


def _regressions(promotion: Promotion, rows: tuple[ScoredScenario, ...]) -> Iterable[str]:
    old, limit = _old(promotion), promotion.before.cluster.gate.max_regressions
    judged = [row for row in rows if row.set in JUDGED]
    before = sorted(row.scenario for row in judged if row.passed.get(old, False))
    lost = sorted(row.scenario for row in judged if row.passed.get(old, False) and not row.passed.get(CANDIDATE, False))
    if before and len(lost) / len(before) > limit:
        yield f"{len(lost)} regressions of {len(before)} that the {old} passed, and a share of {limit:g} is borne"
    card = parse(promotion.evidence, EvidenceFile.SCORECARD, Scorecard)
    if not isinstance(card, str):
        stated = card.regressions
        if (sorted(stated.scenarios), stated.count, stated.of) != (lost, len(lost), len(before)):
            said = f"{stated.count} regressions of {stated.of}"
            yield f"the scorecard states {said}, and the grades say {len(lost)} of {len(before)}"


def _capabilities(promotion: Promotion, rows: tuple[ScoredScenario, ...]) -> Iterable[str]:
    old, alpha = _old(promotion), promotion.before.cluster.gate.capability_alpha
    judged = [row for row in rows if row.set in JUDGED]
    counts = {c: _pairs((r for r in judged if r.capability == c), old) for c in {row.capability for row in judged}}
    significant = holm({c: mcnemar(gained, lost) for c, (gained, lost) in counts.items()}, alpha)
    worse = sorted(c for c in significant if counts[c][1] > counts[c][0])
    if worse:
        yield f"significantly worse than the {old} on {', '.join(worse)}"


def _robustness(promotion: Promotion, rows: tuple[ScoredScenario, ...]) -> Iterable[str]:
    card = parse(promotion.evidence, EvidenceFile.SCORECARD, Scorecard)
    if isinstance(card, str) or CANDIDATE not in card.models:
        return
    whole, limit = _composite(promotion, rows, SetName.CORE), promotion.before.cluster.gate.max_robustness_drop
    for name, value in sorted(card.models[CANDIDATE].robustness.items()):
        if whole - value > limit:
            yield f"under {name} the composite falls by {whole - value:.4f}, and {limit:.4f} is borne"


def _human_floor(promotion: Promotion) -> Iterable[str]:
    floor, stated = promotion.before.cluster.human_floor, human_share_stated(promotion.evidence)
    if stated is None or abs(stated - promotion.record.human_share) > 1e-9:
        yield "the record's human share is not the sweep's"
    if promotion.record.human_share < floor:
        yield f"{promotion.record.human_share:.0%} of the new examples are human, and {floor:.0%} is the floor"


def _operations(promotion: Promotion) -> Iterable[str]:
    limit = promotion.before.cluster.gate.max_latency_p95_ms
    measured = parse(promotion.evidence, EvidenceFile.OPERATIONS, Operations)
    if isinstance(measured, str):
        yield measured
    elif limit is not None and measured.latency_p95_ms > limit:
        yield f"latency p95 is {measured.latency_p95_ms:.1f} ms, and {limit:g} ms is borne"


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
