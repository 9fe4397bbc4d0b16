"""From grades to composites, and from two models' grades to a paired comparison."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from runner.errors import RecordError
from runner.records.gated import Gated
from runner.records.scorecard import Comparison, Regressions, SetScore
from runner.records.significance import Interval
from runner.records.terms import SetName
from runner.rules.evaluation.statistics import bootstrap_interval, mcnemar

if TYPE_CHECKING:  # the gate has scores, and no answers
    from runner.records.score import Grade, GradedAnswer

DIGITS = 9
"""Figures are rounded to this many decimals, so that the order of summation cannot show."""
AS_WRITTEN = "none"
"""The perturbation of a scenario that was not perturbed."""


class Graded(Protocol):
    """A grade, as far as figures are made of it."""

    @property
    def scenario(self) -> str: ...

    @property
    def capability(self) -> str: ...

    @property
    def score(self) -> float: ...

    @property
    def passed(self) -> bool: ...


def capability_weights(cluster: Gated) -> dict[str, float]:
    return {capability.id: capability.weight for capability in cluster.capabilities}


def weights_of(name: SetName, grades: Iterable[Graded], weights: Mapping[str, float]) -> Mapping[str, float]:
    """What a set's capabilities weigh: as in the cluster, but for the general set, whose own weigh the same."""
    return dict.fromkeys((grade.capability for grade in grades), 1.0) if name is SetName.GENERAL else weights


def composite(scores: Iterable[tuple[str, float]], weights: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """The mean score per capability, weighted by `weights`, and those means.

    `scores` are (capability, score) pairs; a capability without scores does not count. No scores give (0, {}).
    Raises `RecordError` for a capability that has no weight.
    """
    by_capability: dict[str, list[float]] = defaultdict(list)
    for capability, score in scores:
        if capability not in weights:
            raise RecordError(f"capability {capability!r} has no weight", hint="declare it in cluster.yaml")
        by_capability[capability].append(score)
    means = {name: round(math.fsum(values) / len(values), DIGITS) for name, values in sorted(by_capability.items())}
    total = math.fsum(weights[name] for name in means)
    if not means:
        return 0.0, {}
    return round(math.fsum(weights[name] * mean for name, mean in means.items()) / total, DIGITS), means


def set_score(grades: Sequence[Graded], weights: Mapping[str, float]) -> SetScore:
    """One model's score on one set."""
    value, capabilities = composite(((grade.capability, grade.score) for grade in grades), weights)
    passed = sum(grade.passed for grade in grades)
    return SetScore(scenarios=len(grades), passed=passed, composite=value, capabilities=capabilities)


def grades_by_set(
    rows: Iterable[GradedAnswer], model: str, perturbation: str = AS_WRITTEN
) -> dict[SetName, list[Grade]]:
    """The grades of one model under one perturbation, by set."""
    found: dict[SetName, list[Grade]] = {}
    for row in rows:
        if row.model == model and row.perturbation == perturbation:
            found.setdefault(row.set, []).append(row.grade)
    return found


def compare(
    candidate: Sequence[Graded], other: Sequence[Graded], *, against: str, resamples: int, seed: int
) -> Comparison:
    """Paired comparison over the same scenarios; no resamples give the interval (0, 0).

    Raises `RecordError` where the two do not cover the same ones.
    """
    theirs = {grade.scenario: grade.passed for grade in other}
    if {grade.scenario for grade in candidate} != set(theirs):
        raise RecordError(f"the candidate and {against} were not run on the same scenarios")
    ordered = sorted(candidate, key=lambda grade: grade.scenario) if resamples else candidate
    differences = [int(grade.passed) - int(theirs[grade.scenario]) for grade in ordered]
    gained, lost = differences.count(1), differences.count(-1)
    low, high = bootstrap_interval(differences, resamples=resamples, seed=seed) if resamples else (0.0, 0.0)
    return Comparison(
        against=against,
        scenarios=len(differences),
        gained=gained,
        lost=lost,
        difference=round((gained - lost) / len(differences), DIGITS) if differences else 0.0,
        interval=Interval(low=low, high=high),
        p_value=mcnemar(gained, lost),
    )


def regressions(
    candidate: Sequence[Graded], incumbent: Sequence[Graded], *, again: Sequence[Mapping[str, bool]] = ()
) -> Regressions:
    """Scenarios the incumbent passed and the candidate fails. One the candidate never saw counts as failed.

    `again` says what each repeat of the incumbent passed: what one of them fails is no regression, but flipping.
    """
    passed = {grade.scenario for grade in candidate if grade.passed}
    before = {grade.scenario for grade in incumbent if grade.passed}
    steady = {name for name in before if all(run.get(name, False) for run in again)} if again else before
    lost, flipping = tuple(sorted(steady - passed)), tuple(sorted(before - steady - passed))
    return Regressions(count=len(lost), of=len(steady), scenarios=lost, flipping=flipping)
