"""The assessment: what per-scenario scores say of the candidate beside base, incumbent and control.

Phase 12 makes it of the answers that it has just graded, the gate of the evidence's grades.jsonl, and both hand it to
`limits.limits`: the two cannot judge differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from runner.records.gated import Gated, GateLimits
from runner.records.scorecard import Comparison, ModelScores, Scorecard, ScoredScenario, SetScore
from runner.records.significance import RealOnly
from runner.records.terms import OutcomeType, Perturbation, SetName
from runner.rules.evaluation.outcomes import tallies
from runner.rules.evaluation.repeats import repeat_names, repeats
from runner.rules.evaluation.scoring import capability_weights, compare, composite, regressions, set_score, weights_of
from runner.rules.evaluation.statistics import holm

BASE, INCUMBENT, CONTROL, CANDIDATE = "base", "incumbent", "control", "candidate"
ASSESSED = (SetName.CORE, SetName.HELDOUT, SetName.REPRESENTATIVE)
"""The sets that judge. Dev chose the candidate, so it does not."""
JUDGED = (*ASSESSED, SetName.GENERAL)
"""What the gate looks at: beside the sets that judge, the one that shows what was forgotten."""
PERTURBED = (Perturbation.TYPOS, Perturbation.CASING, Perturbation.PUNCTUATION)
"""Under which a candidate must hold where its cluster names nothing else."""


class Subject(NamedTuple):
    """What a scorecard is about."""

    iteration: str
    benchmark_version: int
    benchmark_sha256: str


class RealOnlyRecord(NamedTuple):
    """What problem.md says that real data alone reaches."""

    metric: str
    value: float


class Mark(NamedTuple):
    """One model's grade of one scenario."""

    scenario: str
    capability: str
    score: float
    passed: bool
    outcome_type: OutcomeType | None = None


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
    real_only: RealOnlyRecord | None = None,
) -> Scorecard:
    """The scorecard that follows from `rows`, over the models that `adapters` names; one in `graded_as` has the grades
    of the model it stands for, whatever the rows say of it.

    A model that lacks a held-out scenario of the candidate's is not compared with, which `limits` refuses. Without
    `resamples`, intervals are (0, 0). `significance.weighed` adds the other intervals and the tiers. Raises
    `RecordError` for a capability that the cluster does not weigh.
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
    runs = repeat_runs(judged)
    each = {
        capability: found
        for capability in sorted({one.capability for one in after})
        for found in paired(_of(after, capability), _of(before, capability), INCUMBENT)
    }
    weights = capability_weights(cluster)
    sets = {name: _sets(found, weights) for name, found in read.items()}
    models = {
        name: ModelScores(
            adapter=adapters[name], sets=sets[graded_as.get(name, name)], robustness=_robustness(judged, name, weights)
        )
        for name in adapters
    }
    return Scorecard(
        cluster=cluster.id,
        **subject._asdict(),
        models=models,
        comparisons=tuple(
            found
            for name in (BASE, INCUMBENT, CONTROL)
            for found in paired(heldout, marks.get(name, {}).get(SetName.HELDOUT, ()), name)
        ),
        capability_comparisons=each,
        worse_capabilities=worse(each, alpha=alpha),
        regressions=regressions(after, before, again=runs),
        perturbed_comparisons={
            kind: found
            for kind, sides in _under(judged[SetName.CORE], graded_as.get(INCUMBENT, INCUMBENT)).items()
            for found in paired(*sides, INCUMBENT)
        },
        repeats=repeats({one.scenario: one.passed for one in before}, runs),
        real_only=_beside_real_only(models.get(CANDIDATE), real_only),
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


def repeat_runs(judged: Mapping[SetName, Sequence[ScoredScenario]]) -> tuple[Mapping[str, bool], ...]:
    """What each repeat of the incumbent passed, over the sets that judge."""
    rows = [row for name in ASSESSED for row in judged.get(name, ())]
    return tuple({row.scenario: row.passed[name] for row in rows if name in row.passed} for name in repeat_names(rows))


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
            Mark(row.scenario, row.capability, row.scores[model], row.passed[model], row.outcome_type)
            for row in rows
            if model in row.scores and model in row.passed
        ]
        for name, rows in judged.items()
    }
    return {name: found for name, found in marks.items() if found}


def _under(rows: Iterable[ScoredScenario], incumbent: str) -> dict[str, tuple[list[Mark], list[Mark]]]:
    """Per perturbation the candidate's side and the incumbent's: each passes where it scores higher than the other."""
    found: dict[str, tuple[list[Mark], list[Mark]]] = {}
    for row in rows:
        name, capability = row.scenario, row.capability
        for kind, scores in row.perturbed.items():
            if CANDIDATE in scores and incumbent in scores:
                mine, theirs = scores[CANDIDATE], scores[incumbent]
                candidate, other = found.setdefault(kind, ([], []))
                candidate.append(Mark(name, capability, mine, mine > theirs))
                other.append(Mark(name, capability, theirs, theirs > mine))
    return dict(sorted(found.items()))


def _beside_real_only(candidate: ModelScores | None, recorded: RealOnlyRecord | None) -> RealOnly | None:
    """What problem.md's baseline and the candidate reach, by its metric; the candidate's is on held-out."""
    heldout = candidate.sets.get(SetName.HELDOUT) if candidate else None
    if recorded is None or heldout is None or not heldout.scenarios:
        return None
    share = round(heldout.passed / heldout.scenarios, 9)
    reached = share if recorded.metric == "accuracy" else heldout.composite
    return RealOnly(metric=recorded.metric, recorded=recorded.value, reached=reached)


def _flat(marks: Marks) -> list[Mark]:
    return list(chain.from_iterable(marks.get(name, ()) for name in ASSESSED))


def _of(marks: Iterable[Mark], capability: str) -> list[Mark]:
    return [one for one in marks if one.capability == capability]


def _sets(marks: Marks, weights: Mapping[str, float]) -> dict[SetName, SetScore]:
    """A model on each set that it was asked."""
    return {name: _set(marks[name], weights_of(name, marks[name], weights)) for name in JUDGED if name in marks}


def _robustness(
    judged: Mapping[SetName, Sequence[ScoredScenario]], model: str, weights: Mapping[str, float]
) -> dict[str, float]:
    """The model's composite on core under each perturbation that it was run under."""
    under: dict[str, list[tuple[str, float]]] = {}
    for row in judged[SetName.CORE]:
        for kind, scores in row.perturbed.items():
            if model in scores:
                under.setdefault(kind, []).append((row.capability, scores[model]))
    return {kind: composite(pairs, weights)[0] for kind, pairs in sorted(under.items())}


def _set(marks: Sequence[Mark], weights: Mapping[str, float]) -> SetScore:
    """The score on one set, with the counts of each outcome type where the rows say what type a scenario is of."""
    score = set_score(marks, weights)
    outcomes = tallies((one.outcome_type, one.passed) for one in marks if one.outcome_type is not None)
    return score.model_copy(update={"outcomes": outcomes}) if outcomes else score
