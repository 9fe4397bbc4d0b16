"""What the report shows, computed from the evidence: limits held or not, models side by side, what became of failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.records.cluster import Cluster
from runner.records.dataset import Batch
from runner.records.evidence import CandidateSummary, Lineage, Operations
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.scenario import SetName
from runner.records.score import Comparison, Scorecard, ScoredScenario, SetScore
from runner.records.training import Sweep
from runner.records.validation import BatchValidation, ValidationReport
from runner.rules.lineage import kinds

MODELS = ("base", "incumbent", "control", "candidate")
"""The order models are shown in."""
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Limit(NamedTuple):
    """One thing the cluster asks of a candidate."""

    name: str
    measured: str
    asked: str
    holds: bool


class Card(NamedTuple):
    """A failure cluster and what became of it."""

    failure: FailureCluster
    title: str
    targeted: bool
    batches: int
    rows: int
    before: float | None
    """The capability on held-out: incumbent and candidate."""
    after: float | None
    comparison: Comparison | None


class BatchRow(NamedTuple):
    batch: Batch | None
    validation: BatchValidation | None

    @property
    def id(self) -> str:
        return self.batch.id if self.batch else self.validation.batch if self.validation else ""


def figure(value: float) -> str:
    """A score with three decimals."""
    return f"{value:.3f}"


def p_text(value: float) -> str:
    """A p-value: three decimals from .001 up, powers of ten below."""
    if value >= 0.001:
        return f"{value:.3f}"
    if value <= 0.0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def present(scorecard: Scorecard) -> tuple[str, ...]:
    """The models that were run, in the order to show; the incumbent only where it is not the bare base."""
    models = scorecard.models
    bare = "incumbent" in models and "base" in models and models["incumbent"].adapter is None
    shown = [name for name in MODELS if name in models and not (name == "incumbent" and bare)]
    return (*shown, *sorted(set(models) - set(MODELS)))


def before(scorecard: Scorecard) -> str:
    """The model that the candidate would replace."""
    return "incumbent" if "incumbent" in scorecard.models else "base"


def score(scorecard: Scorecard, model: str, name: SetName) -> SetScore | None:
    found = scorecard.models.get(model)
    return found.sets.get(name) if found else None


def composite(scorecard: Scorecard, model: str, name: SetName) -> float:
    """The composite; 0 where the model was not run on that set, so that no limit holds by absence."""
    found = score(scorecard, model, name)
    return found.composite if found else 0.0


def summarise(scorecard: Scorecard, cluster: Cluster) -> CandidateSummary:
    """The headline: composite on core and on held-out, before and after, against the cluster's thresholds."""
    old, floor = before(scorecard), cluster.gate.thresholds
    return CandidateSummary(
        composite_before=composite(scorecard, old, SetName.CORE),
        composite_after=composite(scorecard, "candidate", SetName.CORE),
        composite_threshold=floor.composite,
        heldout_before=composite(scorecard, old, SetName.HELDOUT),
        heldout_after=composite(scorecard, "candidate", SetName.HELDOUT),
        heldout_threshold=floor.heldout,
        regressions=scorecard.regressions.count,
        regressions_of=scorecard.regressions.of,
        p_value=max((c.p_value for c in scorecard.comparisons if c.against == old), default=1.0),
    )


def limits(
    scorecard: Scorecard, cluster: Cluster, head: CandidateSummary, sweep: Sweep | None, operations: Operations | None
) -> tuple[Limit, ...]:
    """Everything the cluster's gate limits ask, in words, with what was measured."""
    gate = cluster.gate
    rows = [
        _floor("Composite on core", head.composite_after, head.composite_threshold),
        _floor("Composite on held-out", head.heldout_after, head.heldout_threshold),
        *_comparison_limits(scorecard, gate.max_p_value),
        _regressions(scorecard, gate.max_regressions),
        _worse(scorecard, gate.capability_alpha),
    ]
    drop = robustness_drop(scorecard)
    if drop is not None:
        asked = f"at most {gate.max_robustness_drop:.1%} of the composite"
        rows.append(Limit("Worst drop under perturbation", f"{drop:.1%}", asked, drop <= gate.max_robustness_drop))
    if sweep is not None:
        holds = sweep.human_share >= cluster.human_floor
        asked = f"at least {cluster.human_floor:.0%}"
        rows.append(Limit("Human share of the new rows", f"{sweep.human_share:.0%}", asked, holds))
    if gate.max_latency_p95_ms is not None:
        measured = operations.latency_p95_ms if operations else None
        said = "not measured" if measured is None else f"{measured:.1f} ms"
        holds = measured is not None and measured <= gate.max_latency_p95_ms
        rows.append(Limit("Latency, 95th percentile", said, f"at most {gate.max_latency_p95_ms:g} ms", holds))
    return tuple(rows)


def _floor(name: str, value: float, floor: float) -> Limit:
    return Limit(name, figure(value), f"at least {figure(floor)}", value >= floor)


def _comparison_limits(scorecard: Scorecard, most: float) -> list[Limit]:
    asked = f"better, p at most {most:g}"
    found = {c.against: c for c in scorecard.comparisons}
    rows = []
    for other in [name for name in present(scorecard) if name != "candidate"]:
        name = f"Held-out against {'the control arm' if other == 'control' else f'the {other}'}"
        if other not in found:
            rows.append(Limit(name, "not compared", asked, False))
            continue
        one = found[other]
        holds = one.p_value <= most and one.difference > 0
        rows.append(Limit(name, f"{one.gained} gained, {one.lost} lost, p = {p_text(one.p_value)}", asked, holds))
    return rows


def _regressions(scorecard: Scorecard, most: float) -> Limit:
    found = scorecard.regressions
    share = found.count / found.of if found.of else 0.0
    measured = f"{found.count} of {found.of} ({share:.1%})"
    return Limit("Regressions", measured, f"at most {most:.1%} of those passed before", share <= most)


def _worse(scorecard: Scorecard, alpha: float) -> Limit:
    worse = scorecard.worse_capabilities
    asked = f"none, Holm-corrected at {alpha:g}"
    return Limit("Capabilities significantly worse", ", ".join(worse) or "none", asked, not worse)


def robustness_drop(scorecard: Scorecard) -> float | None:
    """The candidate's largest loss of core composite under a perturbation, as a share of it; none where not measured."""
    found = scorecard.models.get("candidate")
    if found is None or not found.robustness:
        return None
    whole = composite(scorecard, "candidate", SetName.CORE)
    return max(0.0, (whole - min(found.robustness.values())) / whole) if whole else 0.0


def cards(
    scorecard: Scorecard, cluster: Cluster, diagnosis: Diagnosis | None, batches: Sequence[Batch]
) -> tuple[Card, ...]:
    """Failure clusters, targets first in their order, with what was made for them and where they ended."""
    if diagnosis is None:
        return ()
    order = {name: place for place, name in enumerate(diagnosis.targets)}
    titles = {capability.id: capability.title for capability in cluster.capabilities}
    old, new = (score(scorecard, model, SetName.HELDOUT) for model in (before(scorecard), "candidate"))
    found = []
    for failure in sorted(diagnosis.failures, key=lambda f: (order.get(f.id, len(order)), -f.frequency, f.id)):
        own = [batch for batch in batches if batch.provenance.target == failure.id]
        found.append(
            Card(
                failure,
                titles.get(failure.capability, failure.capability),
                failure.id in order,
                len(own),
                sum(batch.provenance.count for batch in own),
                old.capabilities.get(failure.capability) if old else None,
                new.capabilities.get(failure.capability) if new else None,
                scorecard.capability_comparisons.get(failure.capability),
            )
        )
    return tuple(found)


def batch_rows(batches: Sequence[Batch], validation: ValidationReport | None) -> tuple[BatchRow, ...]:
    """Every batch that either file names, with both sides where they are there."""
    made = {batch.id: batch for batch in batches}
    judged = {one.batch: one for one in validation.batches} if validation else {}
    return tuple(BatchRow(made.get(name), judged.get(name)) for name in sorted(made.keys() | judged.keys()))


def regressions_by_set(
    scorecard: Scorecard, grades: Sequence[ScoredScenario]
) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """(set, ((scenario, capability), …)) of the regressions; the set is `unknown` where the grades do not say."""
    where = {grade.scenario: (grade.set.value, grade.capability) for grade in grades}
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in scorecard.regressions.scenarios:
        place, capability = where.get(name, ("unknown", ""))
        found[place].append((name, capability))
    return tuple((place, tuple(rows)) for place, rows in sorted(found.items()))


def lineage_counts(lineage: Lineage | None) -> Mapping[str, int]:
    """How many of each kind, from the traces to the adapter."""
    if lineage is None:
        return {}
    counts = kinds(lineage)
    usual = ("signal", "failure", "batch", "example", "mixture", "adapter")
    return {name: counts[name] for name in (*usual, *sorted(set(counts) - set(usual))) if name in counts}
