"""What the report shows, computed from the evidence: limits held or not, models side by side, fate of failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.records.cluster import Cluster
from runner.records.dataset import Batch
from runner.records.diversity import Diversity
from runner.records.evidence import CandidateSummary, Operations
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.gated import GateLimits
from runner.records.lineage import Lineage
from runner.records.scenario import SetName
from runner.records.score import Comparison, Scorecard, ScoredScenario, SetScore
from runner.records.training import Sweep
from runner.records.validation import BatchValidation, ValidationReport
from runner.rules.evaluation.assessment import perturbed
from runner.rules.evaluation.limits import COMPARED, general_drop
from runner.rules.loop.lineage import kinds

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
    def diversity(self) -> Diversity | None:
        return self.validation.diversity if self.validation else None

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
    return f"{mantissa} \N{MULTIPLICATION SIGN} 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def present(scorecard: Scorecard) -> tuple[str, ...]:
    """The models that were run, in the order to show; the incumbent only where it is not the bare base."""
    models = scorecard.models
    bare = "incumbent" in models and "base" in models and models["incumbent"].adapter is None
    shown = [name for name in MODELS if name in models and not (name == "incumbent" and bare)]
    return (*shown, *sorted(set(models) - set(MODELS)))


def score(scorecard: Scorecard, model: str, name: SetName) -> SetScore | None:
    found = scorecard.models.get(model)
    return found.sets.get(name) if found else None


def limits(
    scorecard: Scorecard, cluster: Cluster, head: CandidateSummary, sweep: Sweep | None, operations: Operations | None
) -> tuple[Limit, ...]:
    """Everything the cluster's gate limits ask, in words, with what was measured. They hold where
    `rules.evaluation.limits` says so: this table adds the figures of those that do."""
    gate = cluster.gate
    rows = [
        _floor("Composite on core", head.composite_after, head.composite_threshold),
        _floor("Composite on held-out", head.heldout_after, head.heldout_threshold),
        *_comparison_limits(scorecard, gate.max_p_value),
        _regressions(scorecard, gate.max_regressions),
        _worse(scorecard, gate.capability_alpha),
        _robustness(scorecard, gate),
        *_general(scorecard, gate),
    ]
    if sweep is not None:
        holds = sweep.human_share >= cluster.human_floor
        asked = f"at least {cluster.human_floor:.0%}"
        rows.append(Limit("Human share of the new rows", f"{sweep.human_share:.0%}", asked, holds))
    if gate.max_latency_p95_ms is not None and operations is not None:
        measured, most = operations.latency_p95_ms, gate.max_latency_p95_ms
        rows.append(Limit("Latency, 95th percentile", f"{measured:.1f} ms", f"at most {most:g} ms", measured <= most))
    return tuple(rows)


def _floor(name: str, value: float, floor: float) -> Limit:
    return Limit(name, figure(value), f"at least {figure(floor)}", value >= floor)


def _comparison_limits(scorecard: Scorecard, most: float) -> list[Limit]:
    asked = f"better, p at most {most:g}"
    found = {c.against: c for c in scorecard.comparisons}
    rows = []
    for other in COMPARED:
        name = f"Held-out against the {'control arm' if other == 'control' else other}"
        if other not in found:
            rows.append(Limit(name, "not compared", asked, False))
            continue
        one = found[other]
        holds = one.p_value <= most and one.gained > one.lost
        rows.append(Limit(name, f"{one.gained} gained, {one.lost} lost, p = {p_text(one.p_value)}", asked, holds))
    return rows


def _regressions(scorecard: Scorecard, most: float) -> Limit:
    found = scorecard.regressions
    share = found.count / found.of if found.of else 0.0
    holds = found.count <= most * found.of
    measured = f"{found.count} of {found.of} ({share:.1%})"
    return Limit("Regressions", measured, f"at most {most:.1%} of those passed before", holds)


def _worse(scorecard: Scorecard, alpha: float) -> Limit:
    worse = scorecard.worse_capabilities
    asked = f"none, Holm-corrected at {alpha:g}"
    return Limit("Capabilities significantly worse", ", ".join(worse) or "none", asked, not worse)


def _robustness(scorecard: Scorecard, gate: GateLimits) -> Limit:
    """The candidate's largest loss of core composite under a perturbation that the gate judges."""
    most = gate.max_robustness_drop
    name, asked = "Largest drop under perturbation", f"at most {figure(most)}"
    found, kinds = scorecard.models["candidate"], perturbed(gate)
    core = found.sets.get(SetName.CORE)
    if core is None or not set(kinds) <= set(found.robustness):
        return Limit(name, "not measured", asked, False)
    worst = min(kinds, key=lambda kind: found.robustness[kind])
    drop = core.composite - found.robustness[worst]
    return Limit(name, f"{figure(max(0.0, drop))} ({worst})", asked, drop <= most)


def _general(scorecard: Scorecard, gate: GateLimits) -> list[Limit]:
    """What the candidate lost of the general set, where there is one."""
    before, after = (score(scorecard, model, SetName.GENERAL) for model in ("base", "candidate"))
    if before is None and after is None:
        return []
    most, name = general_drop(gate), "General set, below the base"
    if before is None or after is None:
        return [Limit(name, "not measured", f"at most {figure(most)}", False)]
    drop = before.composite - after.composite
    return [Limit(name, figure(max(0.0, drop)), f"at most {figure(most)}", drop <= most)]


def cards(
    scorecard: Scorecard, cluster: Cluster, diagnosis: Diagnosis | None, batches: Sequence[Batch]
) -> tuple[Card, ...]:
    """Failure clusters, targets first in their order, with what was made for them and where they ended."""
    if diagnosis is None:
        return ()
    order = {name: place for place, name in enumerate(diagnosis.targets)}
    titles = {capability.id: capability.title for capability in cluster.capabilities}
    old, new = (score(scorecard, model, SetName.HELDOUT) for model in ("incumbent", "candidate"))
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
