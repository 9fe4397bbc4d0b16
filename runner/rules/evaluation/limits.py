"""What the gate bears: each limit of `cluster.yaml` that an assessed candidate does not hold.

Phase 12 and the promotion gate call the same function; the gate on figures it has recomputed. `composite` is the
capability-weighted composite on core, `heldout` the one on held-out.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.records.evidence import CandidateSummary
from runner.records.gated import Gated, GateLimits
from runner.records.scorecard import Comparison, ModelScores, Scorecard
from runner.records.significance import RealOnly
from runner.records.terms import SetName
from runner.records.verdict import Reason
from runner.rules.evaluation.assessment import perturbed
from runner.rules.evaluation.tiers import excusable, policy_of, reliable

GENERAL_DROP = 0.05
"""The composite on the general set that may be lost where the cluster says nothing of it."""
COMPARED = ("incumbent", "control")
"""The models the candidate must beat on held-out, significantly."""


def limits(
    scorecard: Scorecard,
    cluster: Gated,
    *,
    human_share: float | None = None,
    latency_p95_ms: float | None = None,
) -> tuple[Reason, ...]:
    """Every limit that does not hold, in the order: thresholds, significance, regressions, capabilities, robustness,
    general, human floor, latency, baseline, outcome types, real-only baseline. `human_share` and `latency_p95_ms` are
    judged where they are given."""
    gate = cluster.gate
    candidate = scorecard.models.get("candidate")
    if candidate is None:
        return (Reason(step="thresholds", problem="the scorecard has no candidate"),)
    return (
        *_thresholds(candidate, gate),
        *_significance(scorecard.comparisons, gate),
        *_regressions(scorecard, gate),
        *_robustness(candidate, gate),
        *_general(scorecard.models.get("base"), candidate, gate),
        *_human_floor(human_share, cluster),
        *_latency(latency_p95_ms, gate),
        *_baseline(scorecard, gate),
        *_outcomes(candidate, gate),
        *_real_only(scorecard.real_only, gate),
    )


def summary(scorecard: Scorecard, cluster: Gated) -> CandidateSummary:
    """The status block: incumbent before, candidate after. Raises `KeyError` where a model or set is missing."""
    before, after = scorecard.models["incumbent"].sets, scorecard.models["candidate"].sets
    against = {one.against: one for one in scorecard.comparisons}
    return CandidateSummary(
        composite_before=before[SetName.CORE].composite,
        composite_after=after[SetName.CORE].composite,
        composite_threshold=cluster.gate.thresholds.composite,
        heldout_before=before[SetName.HELDOUT].composite,
        heldout_after=after[SetName.HELDOUT].composite,
        heldout_threshold=cluster.gate.thresholds.heldout,
        regressions=scorecard.regressions.count,
        regressions_of=scorecard.regressions.of,
        p_value=max(against[name].p_value for name in COMPARED),
    )


def _thresholds(candidate: ModelScores, gate: GateLimits) -> Iterator[Reason]:
    floors = (
        (SetName.CORE, "composite", gate.thresholds.composite),
        (SetName.HELDOUT, "heldout", gate.thresholds.heldout),
    )
    for name, threshold, floor in floors:
        score = candidate.sets.get(name)
        if score is None or not score.scenarios:
            yield Reason(step="thresholds", problem=f"the candidate has no score on {name}")
        elif score.composite < floor:
            problem = f"{threshold} {score.composite:.4f} is below the threshold {floor:.4f}"
            yield Reason(step="thresholds", problem=problem, hint="more or better data for the targets")


def _significance(comparisons: tuple[Comparison, ...], gate: GateLimits) -> Iterator[Reason]:
    against = {one.against: one for one in comparisons}
    for name in COMPARED:
        one = against.get(name)
        if one is None:
            yield Reason(step="significance", problem=f"the candidate was not compared with the {name} on held-out")
        elif one.gained <= one.lost:
            problem = f"no better than the {name} on held-out: {one.gained} gained, {one.lost} lost"
            yield Reason(step="significance", problem=problem)
        elif one.p_value > gate.max_p_value:
            problem = f"against the {name} on held-out p is {one.p_value:.4g}, above {gate.max_p_value:g}"
            hint = f"{one.scenarios} scenarios may be too few to tell"
            yield Reason(step="significance", problem=problem, hint=hint)


def _regressions(scorecard: Scorecard, gate: GateLimits) -> Iterator[Reason]:
    lost = scorecard.regressions
    if lost.count > gate.max_regressions * lost.of:
        problem = f"{lost.count} of {lost.of} scenarios the incumbent passed fail now, over {gate.max_regressions:.1%}"
        yield Reason(step="regressions", problem=problem, hint="more replay, or a lower adapter strength")
    for capability in scorecard.worse_capabilities:
        problem = f"{capability} is significantly worse than with the incumbent"
        yield Reason(step="capabilities", problem=problem, hint="replay its human examples")


def _robustness(candidate: ModelScores, gate: GateLimits) -> Iterator[Reason]:
    core = candidate.sets.get(SetName.CORE)
    if core is None:
        return
    for name in sorted(perturbed(gate)):
        score = candidate.robustness.get(name)
        if score is None:
            yield Reason(step="robustness", problem=f"the candidate was not run under {name}")
        elif core.composite - score > gate.max_robustness_drop:
            drop = core.composite - score
            problem = f"under {name} the composite falls by {drop:.4f}, more than {gate.max_robustness_drop:.4f}"
            yield Reason(step="robustness", problem=problem)


def _general(base: ModelScores | None, candidate: ModelScores, gate: GateLimits) -> Iterator[Reason]:
    before = base.sets.get(SetName.GENERAL) if base is not None else None
    after = candidate.sets.get(SetName.GENERAL)
    if before is None and after is None:
        return
    if before is None or after is None:
        yield Reason(step="general", problem="base and candidate were not both asked the general set")
        return
    drop, most = before.composite - after.composite, general_drop(gate)
    if drop > most:
        problem = f"on the general set the composite falls by {drop:.4f} below the base's, more than {most:.4f}"
        yield Reason(step="general", problem=problem, hint="more replay, or a lower adapter strength")


def general_drop(gate: GateLimits) -> float:
    """How far the candidate may fall below the base on what it should not forget."""
    return GENERAL_DROP if gate.max_general_drop is None else gate.max_general_drop


def _human_floor(share: float | None, cluster: Gated) -> Iterator[Reason]:
    if share is not None and share < cluster.human_floor:
        problem = f"{share:.1%} of the new examples are human, less than the floor of {cluster.human_floor:.1%}"
        yield Reason(step="human floor", problem=problem)


def _latency(p95_ms: float | None, gate: GateLimits) -> Iterator[Reason]:
    if p95_ms is not None and gate.max_latency_p95_ms is not None and p95_ms > gate.max_latency_p95_ms:
        yield Reason(step="latency", problem=f"p95 {p95_ms:.1f} ms is above {gate.max_latency_p95_ms:.1f} ms")


def _baseline(scorecard: Scorecard, gate: GateLimits) -> Iterator[Reason]:
    policy, found, lost = policy_of(gate), scorecard.repeats, len(scorecard.regressions.flipping)
    hint, over = "an engine or judge that answers the same is needed", f"over {policy.max_flip_share:.1%}"
    if found is not None and not reliable(found, policy):
        problem = f"asked again, the incumbent turns {found.share:.1%} of its own verdicts, {over}"
        yield Reason(step="baseline", problem=problem, hint=hint)
    if found is not None and not excusable(lost, found, policy):
        problem = f"{lost} of {found.scenarios} scenarios are lost as ones that the incumbent turns by itself, {over}"
        yield Reason(step="baseline", problem=problem, hint=hint)


def _outcomes(candidate: ModelScores, gate: GateLimits) -> Iterator[Reason]:
    """Every outcome type by itself: flagging everything passes half of them and fails the other half."""
    floor, heldout = policy_of(gate).min_outcome_share, candidate.sets.get(SetName.HELDOUT)
    if not floor or heldout is None:
        return
    if not heldout.outcomes:
        yield Reason(step="outcome types", problem="the grades do not say of what outcome type a scenario is")
    for kind, one in heldout.outcomes.items():
        if one.passed < floor * one.scenarios:
            problem = f"{one.passed} of {one.scenarios} {kind} scenarios pass on held-out, less than {floor:.1%}"
            yield Reason(step="outcome types", problem=problem, hint=f"more human examples like the {kind} scenarios")


def _real_only(found: RealOnly | None, gate: GateLimits) -> Iterator[Reason]:
    if policy_of(gate).real_only != "refuse":
        return
    if found is None:
        yield Reason(step="real-only baseline", problem="the candidate was not held against the real-only baseline")
    elif found.reached <= found.recorded:
        problem = (
            f"{found.metric} {found.reached:.4f} on held-out is not above the {found.recorded:.4f} of real data alone"
        )
        yield Reason(step="real-only baseline", problem=problem, hint="synthetic data is not worth its risk here")
