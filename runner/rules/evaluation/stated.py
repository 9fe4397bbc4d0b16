"""What a scorecard states, held against the one that the grades give."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from runner.records.gated import GateLimits
from runner.records.scorecard import Comparison, ModelScores, Regressions, Scorecard, SetScore
from runner.rules.evaluation.tiers import tiers

TOLERANCE = 1e-6


def differences(stated: Scorecard, found: Scorecard, gate: GateLimits) -> Iterator[str]:
    """What a scorecard states that does not follow from the grades. Intervals are drawn at random and left out.

    What a scorecard of an earlier release leaves out need not be there: outcome types, repeats, comparisons under
    perturbation, tiers. Tiers follow from counts, p-values and repeats, taken with what each could have seen as stated.
    """
    spoken = (stated.cluster, stated.iteration, stated.benchmark_version, stated.benchmark_sha256)
    if spoken != (found.cluster, found.iteration, found.benchmark_version, found.benchmark_sha256):
        yield "the scorecard is of another cluster, iteration or benchmark"
    for model in sorted({*stated.models, *found.models}):
        if model not in found.models or model not in stated.models:
            yield f"the scorecard {'lacks' if model in found.models else 'invents'} the {model}"
        else:
            yield from _model_differences(model, stated.models[model], found.models[model])
    here, there = ({one.against: one for one in card.comparisons} for card in (stated, found))
    yield from _comparison_differences("on held-out", here, there)
    if len(here) != len(stated.comparisons):
        yield "the scorecard compares twice with one model"
    mine, theirs = stated.capability_comparisons, found.capability_comparisons
    yield from _comparison_differences("against the incumbent", mine, theirs)
    if stated.worse_capabilities != found.worse_capabilities:
        yield f"the grades say that {', '.join(found.worse_capabilities) or 'nothing'} is significantly worse"
    if _lost(stated.regressions) != _lost(found.regressions):
        said, is_ = (f"{one.count} regressions of {one.of}" for one in (stated.regressions, found.regressions))
        yield f"the scorecard states {said}, and the grades say {is_}"
    if stated.perturbed_comparisons:
        yield from _comparison_differences(
            "under perturbation", stated.perturbed_comparisons, found.perturbed_comparisons
        )
    yield from _repeat_differences(stated, found)
    yield from _tier_differences(stated, found, gate)


def _lost(found: Regressions) -> tuple[int, int, tuple[str, ...], tuple[str, ...]]:
    return found.count, found.of, tuple(sorted(found.scenarios)), tuple(sorted(found.flipping))


def _repeat_differences(stated: Scorecard, found: Scorecard) -> Iterator[str]:
    mine, theirs = (card.repeats and card.repeats.model_copy(update={"interval": None}) for card in (stated, found))
    if mine != theirs:
        said = "none" if theirs is None else f"{theirs.flipped} of {theirs.scenarios} turned in {theirs.runs}"
        yield f"the incumbent's repeats are, by the grades: {said}"
    if found.real_only is not None and stated.real_only is not None:
        one, other = (card.model_copy(update={"interval": None}) for card in (stated.real_only, found.real_only))
        if one != other:
            yield f"beside real data alone the candidate reaches {other.reached:.4f} by its grades"


def _tier_differences(stated: Scorecard, found: Scorecard, gate: GateLimits) -> Iterator[str]:
    said = {
        **{f"heldout/{one.against}": one.tier for one in stated.comparisons},
        **{f"capability/{name}": one.tier for name, one in stated.capability_comparisons.items()},
        **{f"perturbed/{name}": one.tier for name, one in stated.perturbed_comparisons.items()},
    }
    if any(said.values()):
        for name, tier in tiers(stated.model_copy(update={"repeats": found.repeats}), gate).items():
            if said[name] is not tier:
                yield f"the scorecard calls {name} {said[name] or 'nothing'}, and by its figures it is {tier}"


def _model_differences(model: str, stated: ModelScores, found: ModelScores) -> Iterator[str]:
    if stated.adapter != found.adapter:
        yield f"the scorecard's {model} is another adapter than the promotion's"
    for name in sorted({*stated.sets, *found.sets}):
        mine, theirs = stated.sets.get(name), found.sets.get(name)
        if mine is None or theirs is None:
            yield f"{model} on {name} is {'in the grades alone' if theirs else 'in the scorecard alone'}"
            continue
        counts = (mine.scenarios, mine.passed) == (theirs.scenarios, theirs.passed)
        near = _close(mine.composite, theirs.composite)
        if not (counts and near and _near(mine.capabilities, theirs.capabilities)):
            said = f"{theirs.composite:.6f} by its grades, not {mine.composite:.6f}"
            yield f"the composite of {model} on {name} is {said}, or what it is made of is other"
        if mine.outcomes and _outcomes(mine) != _outcomes(theirs):
            yield f"the counts of {model} on {name} by outcome type do not follow from the grades"
    if not _near(stated.robustness, found.robustness):
        by_grades, said = _listed(found.robustness), _listed(stated.robustness)
        yield f"the robustness of {model} is {by_grades} by its grades, not {said}"


def _outcomes(found: SetScore) -> dict[str, tuple[int, int]]:
    return {kind: (one.passed, one.scenarios) for kind, one in found.outcomes.items()}


def _comparison_differences(
    said: str, stated: Mapping[str, Comparison], found: Mapping[str, Comparison]
) -> Iterator[str]:
    for name in sorted({*stated, *found}):
        mine, theirs = stated.get(name), found.get(name)
        if mine is None or theirs is None or not _same(mine, theirs):
            yield f"the scorecard's comparison {said}, {name}, does not follow from the grades"


def _same(mine: Comparison, theirs: Comparison) -> bool:
    counts = (mine.against, mine.scenarios, mine.gained, mine.lost)
    if counts != (theirs.against, theirs.scenarios, theirs.gained, theirs.lost):
        return False
    return _near(
        {"difference": mine.difference, "p": mine.p_value}, {"difference": theirs.difference, "p": theirs.p_value}
    )


def _near(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return set(one) == set(other) and all(_close(one[name], other[name]) for name in one)


def _close(one: float, other: float) -> bool:
    """Relatively, because a p-value of 1e-9 is not one of 1e-6."""
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)


def _listed(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in sorted(shares.items())) or "nothing"
