"""Evaluations: the samples of a log from graded answers, the summary that follows from them, and what two differ in.

A summary is made of nothing but the samples and what was asked, so that whoever has the log can make it again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runner.records.conversation import Conversation
from runner.records.evaluation import (
    AnswerCounts,
    CapabilityResult,
    EvaluatedModel,
    EvaluationDiff,
    EvaluationRun,
    Flip,
    Sample,
    StageResult,
)
from runner.records.judging import JudgeReport
from runner.records.scenario import Scenario
from runner.records.score import Comparison, Grade, GradedAnswer, SetScore
from runner.records.significance import Interval
from runner.records.terms import SetName
from runner.rules.canonical import canonical, sha256
from runner.rules.evaluation.composites import spread
from runner.rules.evaluation.outcomes import detection, tallies, with_intervals
from runner.rules.evaluation.scoring import AS_WRITTEN, DIGITS, compare, set_score
from runner.rules.evaluation.significance import seeing
from runner.rules.evaluation.statistics import wilson
from runner.rules.evaluation.tiers import PLAIN, family, tier

WITHHELD = "a held-out scenario yields its score and nothing else"
ALPHA = 0.05
"""The level at which one of several capabilities is called better or worse."""
RESAMPLES, SEED = 2000, 7
Key = tuple[str, str, str]
"""Set, perturbation and scenario: what two evaluations are paired by."""


def sample_of(row: GradedAnswer, scenario: Scenario, prompt: Conversation) -> Sample:
    """A line of the log. Of held-out neither prompt nor reference nor answer stands in it."""
    if row.set is SetName.HELDOUT:
        bare = without_texts(row.grade)
        return Sample(set=row.set, perturbation=row.perturbation, grade=bare, tokens=row.tokens, withheld=True)
    return Sample(
        set=row.set,
        perturbation=row.perturbation,
        grade=row.grade,
        tokens=row.tokens,
        input=prompt,
        reference=(scenario.reference,),
    )


def without_texts(grade: Grade) -> Grade:
    """The grade without what was answered, and without what quotes it."""
    judged = {name: one.model_copy(update={"explanation": WITHHELD}) for name, one in grade.judged.items()}
    return grade.model_copy(update={"answer": "", "explanation": WITHHELD, "judged": judged})


def sample_id(sample: Sample) -> str:
    """The scenario, and what was done to it: one name a sample, in other programs' logs."""
    under = "" if sample.perturbation == AS_WRITTEN else f"@{sample.perturbation}"
    return f"{sample.grade.scenario}{under}"


class Asked(NamedTuple):
    """What was asked, of which model: everything about an evaluation but the answers."""

    cluster: str
    model: EvaluatedModel
    engine: str
    benchmark_version: int
    benchmark_sha256: str | None
    scenarios_sha256: Mapping[str, str]
    rubrics: Mapping[str, str]
    source: str = ""


def summary(
    asked: Asked,
    samples: Sequence[Sample],
    *,
    weights: Mapping[str, float],
    stages: Sequence[StageResult] = (),
    judges: Sequence[JudgeReport] = (),
    unanswered: int = 0,
) -> EvaluationRun:
    """The summary of `samples`. Raises `RecordError` for a capability without a weight."""
    plain = [sample for sample in samples if sample.perturbation == AS_WRITTEN]
    facts: dict[str, Any] = {
        **asked._asdict(),
        "stages": tuple(stages),
        "sets": {name: _set(found, weights) for name, found in _grouped(plain, lambda one: one.set).items()},
        "capabilities": {
            name: CapabilityResult(**_tally(found)._asdict(), score=_mean(found), interval=_interval(found))
            for name, found in _grouped(plain, lambda one: one.grade.capability).items()
        },
        "outcome_types": with_intervals(tallies((one.grade.outcome_type, one.grade.passed) for one in plain)),
        "counts": AnswerCounts(asked=len(samples), unanswered=unanswered, tokens=sum(one.tokens for one in samples)),
        "judges": tuple(judges),
    }
    run = EvaluationRun(id="unnamed", **facts)
    return run.model_copy(update={"id": _name(run, samples)})


def _set(samples: Sequence[Sample], weights: Mapping[str, float]) -> SetScore:
    """One set, with an interval on every figure. The general set's capabilities are its own, and weigh the same."""
    grades = [one.grade for one in samples]
    if samples[0].set == SetName.GENERAL:
        weights = dict.fromkeys((grade.capability for grade in grades), 1.0)
    scores: dict[str, list[float]] = defaultdict(list)
    for grade in grades:
        scores[grade.capability].append(grade.score)
    around = spread(scores, weights, resamples=RESAMPLES, seed=SEED)
    outcomes = with_intervals(tallies((grade.outcome_type, grade.passed) for grade in grades))
    added = {
        "pass_interval": _interval(samples),
        "interval": around and around.composite,
        "capability_intervals": around.capabilities if around else {},
        "outcomes": outcomes,
        "detection": detection(outcomes),
    }
    return set_score(grades, weights).model_copy(update=added)


def sample_line(sample: Sample) -> bytes:
    """The sample as a line of JSON."""
    return sample.model_dump_json().encode() + b"\n"


def _name(run: EvaluationRun, samples: Iterable[Sample]) -> str:
    """The kind of model, and the beginning of a digest of the summary and every sample."""
    lines = sha256(b"".join(map(sample_line, samples)))
    said = run.model_dump(mode="json", exclude={"id", "log", "measured"})
    return f"{run.model.kind}-{sha256(canonical(said) + lines.encode())[:12]}"


class _Count(NamedTuple):
    passed: int
    scenarios: int


def _tally(samples: Sequence[Sample]) -> _Count:
    return _Count(sum(one.grade.passed for one in samples), len(samples))


def _mean(samples: Sequence[Sample]) -> float:
    return round(math.fsum(one.grade.score for one in samples) / len(samples), DIGITS)


def _interval(samples: Sequence[Sample]) -> Interval:
    low, high = wilson(*_tally(samples))
    return Interval(low=low, high=high)


def _grouped(samples: Iterable[Sample], key: Callable[[Sample], str]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = defaultdict(list)
    for one in samples:
        found[key(one)].append(one)
    return dict(sorted(found.items()))


class Mark(NamedTuple):
    """One sample's outcome, as far as two evaluations are compared by it."""

    scenario: str
    """The set and the scenario's id."""
    capability: str
    score: float
    passed: bool


class Marks(NamedTuple):
    """An evaluation's outcomes, without its texts."""

    run: str
    by_key: Mapping[Key, Mark]


def difference(before: Marks, after: Marks) -> EvaluationDiff:
    """What `after` passes that `before` did not, and the other way round, over the prompts that both asked.

    The capabilities are one family (Holm), and so are the sets.
    """
    both = sorted(before.by_key.keys() & after.by_key.keys())
    flips = {
        key: Flip(set=key[0], perturbation=key[1], scenario=key[2], capability=after.by_key[key].capability)
        for key in both
        if before.by_key[key].passed != after.by_key[key].passed
    }
    plain = [key for key in both if key[1] == AS_WRITTEN]

    def paired(keys: Iterable[Key]) -> Comparison:
        mine, theirs = [], []
        for key in keys:
            mine.append(after.by_key[key])
            theirs.append(before.by_key[key])
        return compare(mine, theirs, against=before.run, resamples=RESAMPLES, seed=SEED)

    def grouped(name_of: Callable[[Key], str]) -> dict[str, Comparison]:
        groups: dict[str, list[Key]] = defaultdict(list)
        for key in plain:
            groups[name_of(key)].append(key)
        return _weighed({name: paired(groups[name]) for name in sorted(groups)})

    return EvaluationDiff(
        before=before.run,
        after=after.run,
        overall=_weighed({"overall": paired(plain)})["overall"],
        sets=grouped(lambda key: key[0]),
        capabilities=grouped(lambda key: after.by_key[key].capability),
        gained=tuple(flip for key, flip in flips.items() if after.by_key[key].passed),
        lost=tuple(flip for key, flip in flips.items() if before.by_key[key].passed),
        unmatched=len(before.by_key.keys() ^ after.by_key.keys()),
    )


def _weighed(found: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The comparisons with what each could have seen, and their tiers."""
    significant = family(found, alpha=ALPHA)
    seen = {name: seeing(one, alpha=ALPHA / len(found), policy=PLAIN) for name, one in found.items()}
    return {
        name: one.model_copy(
            update={"tier": tier(one, significant=name in significant, believed=True, detectable=one.detectable)}
        )
        for name, one in seen.items()
    }
