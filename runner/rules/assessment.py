"""The assessment: what per-scenario scores say of the candidate beside base, incumbent and control.

Phase 12 makes it of the answers that it has just graded, the gate of the evidence's grades.jsonl, and both hand it to
`limits.limits`: the two cannot judge differently.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from runner.records.gated import Gated, GateLimits
from runner.records.score import Comparison, ModelScores, Regressions, Scorecard, ScoredScenario
from runner.records.terms import Perturbation, SetName
from runner.rules.scoring import capability_weights, compare, composite, regressions, set_score, weights_of
from runner.rules.statistics import holm

BASE, INCUMBENT, CONTROL, CANDIDATE = "base", "incumbent", "control", "candidate"
ASSESSED = (SetName.CORE, SetName.HELDOUT, SetName.REPRESENTATIVE)
"""The sets that judge. Dev chose the candidate, so it does not."""
JUDGED = (*ASSESSED, SetName.GENERAL)
"""What the gate looks at: beside the sets that judge, the one that shows what was forgotten."""
PERTURBED = (Perturbation.TYPOS, Perturbation.CASING, Perturbation.PUNCTUATION)
"""Under which a candidate must hold where its cluster names nothing else."""
TOLERANCE = 1e-6


class Subject(NamedTuple):
    """What a scorecard is about."""

    iteration: str
    benchmark_version: int
    benchmark_sha256: str


class Mark(NamedTuple):
    """One model's grade of one scenario."""

    scenario: str
    capability: str
    score: float
    passed: bool


Marks = Mapping[SetName, Sequence[Mark]]


def assessed(
    rows: Iterable[ScoredScenario],
    cluster: Gated,
    *,
    subject: Subject,
    adapters: Mapping[str, str | None],
    graded_as: Mapping[str, str] = MappingProxyType({}),
    resamples: int = 0,
    seed: int = 0,
) -> Scorecard:
    """The scorecard that follows from `rows`, over the models that `adapters` names; one in `graded_as` has the grades
    of the model it stands for, whatever the rows say of it.

    A model that lacks a held-out scenario of the candidate's is not compared with, which `limits` refuses. Without
    `resamples`, intervals are (0, 0). Raises `RecordError` for a capability that the cluster does not weigh.
    """
    judged = _by_set(rows)
    read = {name: _marks(judged, name) for name in {graded_as.get(name, name) for name in adapters}}
    marks = {name: read[graded_as.get(name, name)] for name in adapters}
    own, alpha = marks.get(CANDIDATE, {}), cluster.gate.capability_alpha

    def paired(mine: Sequence[Mark], theirs: Sequence[Mark], against: str) -> Iterator[Comparison]:
        if mine and {one.scenario for one in mine} == {one.scenario for one in theirs}:
            yield compare(mine, theirs, against=against, resamples=resamples, seed=seed)

    heldout = own.get(SetName.HELDOUT, ())
    after, before = _flat(own), _flat(marks.get(INCUMBENT, {}))
    each = {
        capability: found
        for capability in sorted({one.capability for one in after})
        for found in paired(_of(after, capability), _of(before, capability), INCUMBENT)
    }
    return Scorecard(
        cluster=cluster.id,
        **subject._asdict(),
        models={name: _scores(judged, marks[name], name, cluster, adapters[name]) for name in adapters},
        comparisons=tuple(
            found
            for name in (BASE, INCUMBENT, CONTROL)
            for found in paired(heldout, marks.get(name, {}).get(SetName.HELDOUT, ()), name)
        ),
        capability_comparisons=each,
        worse_capabilities=worse(each, alpha=alpha),
        regressions=regressions(after, before),
    )


def perturbed(gate: GateLimits) -> tuple[Perturbation, ...]:
    """Under which perturbations the gate asks a candidate to hold. Others that it was run under are reported."""
    return gate.perturbations or PERTURBED


def gaps(rows: Iterable[ScoredScenario], models: Iterable[str], *, kinds: Iterable[str]) -> Iterator[str]:
    """Where a model's grade of an assessed scenario is missing, the base's or candidate's of a general one, or the
    candidate's under a perturbation on core."""
    every, under = sorted(models), sorted(kinds)
    for row in rows:
        if row.set not in JUDGED:
            continue
        for model in every if row.set in ASSESSED else (BASE, CANDIDATE):
            if model not in row.scores or model not in row.passed:
                yield f"{row.set}/{row.scenario} has no grade of the {model}"
        for kind in under if row.set is SetName.CORE else ():
            if CANDIDATE not in row.perturbed.get(kind, {}):
                yield f"{row.set}/{row.scenario} has no grade of the candidate under {kind}"


def worse(each: Mapping[str, Comparison], *, alpha: float) -> tuple[str, ...]:
    """The capabilities significantly worse than with the incumbent, Holm-corrected over all of them."""
    found = holm({name: one.p_value for name, one in each.items()}, alpha)
    return tuple(sorted(name for name in found if each[name].lost > each[name].gained))


def _by_set(rows: Iterable[ScoredScenario]) -> Mapping[SetName, Sequence[ScoredScenario]]:
    """The rows of each set that the gate looks at."""
    found: dict[SetName, list[ScoredScenario]] = {name: [] for name in JUDGED}
    for row in rows:
        if row.set in found:
            found[row.set].append(row)
    return found


def _marks(judged: Mapping[SetName, Sequence[ScoredScenario]], model: str) -> Marks:
    marks = {
        name: [
            Mark(row.scenario, row.capability, row.scores[model], row.passed[model])
            for row in rows
            if model in row.scores and model in row.passed
        ]
        for name, rows in judged.items()
    }
    return {name: found for name, found in marks.items() if found}


def _flat(marks: Marks) -> list[Mark]:
    return list(chain.from_iterable(marks.get(name, ()) for name in ASSESSED))


def _of(marks: Iterable[Mark], capability: str) -> list[Mark]:
    return [one for one in marks if one.capability == capability]


def _scores(
    judged: Mapping[SetName, Sequence[ScoredScenario]], marks: Marks, model: str, cluster: Gated, adapter: str | None
) -> ModelScores:
    """The model on each set, and on core under each perturbation that it was run under."""
    weights = capability_weights(cluster)
    under: dict[str, list[tuple[str, float]]] = {}
    for row in judged[SetName.CORE]:
        for kind, scores in row.perturbed.items():
            if model in scores:
                under.setdefault(kind, []).append((row.capability, scores[model]))
    return ModelScores(
        adapter=adapter,
        sets={name: set_score(marks[name], weights_of(name, marks[name], weights)) for name in JUDGED if name in marks},
        robustness={kind: composite(pairs, weights)[0] for kind, pairs in sorted(under.items())},
    )


def differences(stated: Scorecard, found: Scorecard) -> Iterator[str]:
    """What a scorecard states that does not follow from the grades. Intervals are drawn at random and left out."""
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


def _lost(found: Regressions) -> tuple[int, int, tuple[str, ...]]:
    return found.count, found.of, tuple(sorted(found.scenarios))


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
    if not _near(stated.robustness, found.robustness):
        by_grades, said = _listed(found.robustness), _listed(stated.robustness)
        yield f"the robustness of {model} is {by_grades} by its grades, not {said}"


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
