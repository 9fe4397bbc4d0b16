"""What the figures of a scorecard are worth: intervals, what each comparison could have seen, and its tier.

Phase 12 adds this to the scorecard that `assessment.assessed` makes of the same rows. The gate needs none of it to
judge, and checks of what is stated only that the tiers follow from the counts (`stated.differences`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from runner.records.gated import Gated
from runner.records.score import Comparison, ModelScores, Regressions, Scorecard, ScoredScenario, SetScore
from runner.records.significance import Detectable, Interval, RealOnly, SignificancePolicy
from runner.records.terms import SetName
from runner.rules.evaluation.assessment import ASSESSED, CANDIDATE, JUDGED, repeat_runs
from runner.rules.evaluation.composites import Spread, spread
from runner.rules.evaluation.outcomes import detection, with_intervals
from runner.rules.evaluation.power import detectable, pairs_needed
from runner.rules.evaluation.repeats import excess
from runner.rules.evaluation.scoring import capability_weights
from runner.rules.evaluation.statistics import wilson
from runner.rules.evaluation.tiers import policy_of, tiers

Judged = Mapping[SetName, Sequence[ScoredScenario]]
Spreads = Callable[[Mapping[str, Sequence[float]], Mapping[str, float]], Spread | None]


def weighed(card: Scorecard, rows: Iterable[ScoredScenario], cluster: Gated, *, resamples: int, seed: int) -> Scorecard:
    """The card with everything that says how far its figures can be trusted. `rows` are those it was made of."""
    found: dict[SetName, list[ScoredScenario]] = {name: [] for name in JUDGED}
    for row in rows:
        found.get(row.set, []).append(row)
    weights, gate = capability_weights(cluster), cluster.gate

    def spreads(scores: Mapping[str, Sequence[float]], heavy: Mapping[str, float]) -> Spread | None:
        return spread(scores, heavy, resamples=resamples, seed=seed)

    models = {
        name: _robust(_sets(one, found, name, weights, spreads), found, name, weights, spreads)
        for name, one in card.models.items()
    }
    policy, alpha = policy_of(gate), gate.capability_alpha
    known = card.model_copy(
        update={
            "models": models,
            "comparisons": tuple(seeing(one, alpha=gate.max_p_value, policy=policy) for one in card.comparisons),
            "capability_comparisons": _family(card.capability_comparisons, alpha=alpha, policy=policy),
            "perturbed_comparisons": _family(card.perturbed_comparisons, alpha=alpha, policy=policy),
            "regressions": _lost(card.regressions, found),
            "repeats": card.repeats
            and card.repeats.model_copy(
                update={"interval": _share(card.repeats.share * card.repeats.scenarios, card.repeats.scenarios)}
            ),
            "real_only": _beside(card.real_only, models.get(CANDIDATE)),
        }
    )
    return _tiered(known, tiers(known, gate))


def _sets(model: ModelScores, judged: Judged, name: str, weights: Mapping[str, float], spreads: Spreads) -> ModelScores:
    """The model with intervals on every set."""

    def one(where: SetName, score: SetScore) -> SetScore:
        scores: dict[str, list[float]] = {}
        for row in judged[where]:
            if name in row.scores:
                scores.setdefault(row.capability, []).append(row.scores[name])
        around = spreads(scores, dict.fromkeys(scores, 1.0) if where is SetName.GENERAL else weights)
        outcomes = with_intervals(score.outcomes)
        added = {
            "pass_interval": _share(score.passed, score.scenarios),
            "interval": around and around.composite,
            "capability_intervals": around.capabilities if around else {},
            "outcomes": outcomes,
            "detection": detection(outcomes),
        }
        return score.model_copy(update=added)

    return model.model_copy(update={"sets": {where: one(where, score) for where, score in model.sets.items()}})


def _robust(
    model: ModelScores, judged: Judged, name: str, weights: Mapping[str, float], spreads: Spreads
) -> ModelScores:
    """The model with an interval on its composite under each perturbation."""
    found = {}
    for kind in model.robustness:
        scores: dict[str, list[float]] = {}
        for row in judged[SetName.CORE]:
            if name in row.perturbed.get(kind, {}):
                scores.setdefault(row.capability, []).append(row.perturbed[kind][name])
        around = spreads(scores, weights)
        if around is not None:
            found[kind] = around.composite
    return model.model_copy(update={"robustness_intervals": found})


def _family(found: Mapping[str, Comparison], *, alpha: float, policy: SignificancePolicy) -> dict[str, Comparison]:
    """Comparisons that are looked at together: what each could have seen is computed at Holm's strictest level."""
    return {name: seeing(one, alpha=alpha / len(found), policy=policy) for name, one in found.items()}


def seeing(one: Comparison, *, alpha: float, policy: SignificancePolicy) -> Comparison:
    """The comparison with what it could have seen at `alpha`."""
    if not one.scenarios:
        return one
    discordance = (one.gained + one.lost) / one.scenarios
    seen = Detectable(
        difference=detectable(one.scenarios, discordance=discordance, alpha=alpha, wanted=policy.power),
        discordance=round(discordance, 9),
        alpha=alpha,
        power=policy.power,
        effect=policy.effect,
        scenarios=pairs_needed(policy.effect, discordance=discordance, alpha=alpha, wanted=policy.power),
    )
    return one.model_copy(update={"detectable": seen})


def _lost(found: Regressions, judged: Judged) -> Regressions:
    runs = repeat_runs(judged)
    rows = [row for name in ASSESSED for row in judged[name]]
    first = {row.scenario: row.passed["incumbent"] for row in rows if "incumbent" in row.passed}
    candidate = {row.scenario: row.passed[CANDIDATE] for row in rows if CANDIDATE in row.passed}
    beyond = round(excess(candidate, (first, *runs)), 9) if runs else None
    return found.model_copy(update={"interval": _share(found.count, found.of), "p_value": beyond})


def _beside(found: RealOnly | None, candidate: ModelScores | None) -> RealOnly | None:
    heldout = candidate.sets.get(SetName.HELDOUT) if candidate else None
    if found is None or heldout is None:
        return found
    around = heldout.pass_interval if found.metric == "accuracy" else heldout.interval
    return found.model_copy(update={"interval": around})


def _tiered(card: Scorecard, found: Mapping[str, str]) -> Scorecard:
    def named(group: str, comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
        return {name: one.model_copy(update={"tier": found[f"{group}/{name}"]}) for name, one in comparisons.items()}

    heldout = named("heldout", {one.against: one for one in card.comparisons})
    return card.model_copy(
        update={
            "comparisons": tuple(heldout.values()),
            "capability_comparisons": named("capability", card.capability_comparisons),
            "perturbed_comparisons": named("perturbed", card.perturbed_comparisons),
        }
    )


def _share(part: float, whole: int) -> Interval:
    low, high = wilson(part, whole)
    return Interval(low=low, high=high)
