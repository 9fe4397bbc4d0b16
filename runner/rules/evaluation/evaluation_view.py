"""An evaluation in words: the block that `hallmark evaluate` prints, a failing scenario, and a difference of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.records.evaluation import EvaluationDiff, EvaluationRun, Flip, Sample, StageOutcome, StageResult
from runner.records.gated import Thresholds
from runner.records.score import Comparison
from runner.rules.evaluation.foreign_logs import Imported
from runner.rules.text.shown import shorten

Lines = Iterator[tuple[str, str]]
LONGEST = 160
"""Characters of a text that a line of the terminal shows."""


def block(run: EvaluationRun, thresholds: Thresholds | None) -> Lines:
    """(name, value) for each line of the summary, figures beside their floors."""
    yield "evaluation", run.id
    yield "cluster", f"{run.cluster}, benchmark version {run.benchmark_version}"
    yield "model", run.model.name + (f", adapter {run.model.adapter[:12]}" if run.model.adapter else "")
    yield "engine", run.engine
    for name, score in run.sets.items():
        floor = _floor(name, thresholds)
        reached = f"{score.composite:.3f}" + (f" / {floor:.3f}" if floor is not None else "")
        around = f" ({score.interval.low:.3f} to {score.interval.high:.3f})" if score.interval else ""
        yield name, f"{reached}{around}  {score.passed:,} of {score.scenarios:,} passed"
    for name, one in run.capabilities.items():
        around = f"({one.interval.low:.3f} to {one.interval.high:.3f})"
        yield f"  {name}", f"{one.score:.3f}  {one.passed:,} of {one.scenarios:,} passed {around}"
    if run.outcome_types:
        said = ", ".join(f"{kind} {one.passed:,} of {one.scenarios:,}" for kind, one in run.outcome_types.items())
        yield "outcome types", said
    for stage in run.stages:
        yield from _stage(stage)
    for judge in run.judges:
        kappas = [f"{name} {one.kappa.value:.2f}" for name, one in judge.criteria.items() if one.kappa]
        known = f"kappa with people: {', '.join(kappas)}" if kappas else "not calibrated: it counts for nothing"
        yield f"judge {judge.judge}", f"{judge.flip_rate:.1%} of its votes turned with the order, {known}"
    failed = sum(one.scenarios - one.passed for one in run.capabilities.values())
    yield "failed", f"{failed:,}" + (f", {run.counts.unanswered:,} of them unanswered" if run.counts.unanswered else "")


def _stage(stage: StageResult) -> Lines:
    """The parts of a stage, how far each falls, and how the stage ended where it did not pass."""
    if stage.outcome is not StageOutcome.PASSED or stage.parts:
        yield stage.stage, f"{stage.outcome}: {stage.reason}" if stage.reason else str(stage.outcome)
    for name, score in stage.parts.items():
        drop = stage.drops.get(name)
        fall = f"  {0.0 - drop.drop:+.3f} beside {drop.below}" if drop else ""
        limit = f", {drop.limit:.3f} may be lost" if drop and drop.limit is not None else ""
        yield f"  {name}", f"{score.composite:.3f}{fall}{limit}"


def row(run: EvaluationRun) -> tuple[str, str]:
    """An evaluation in one line."""
    scores = ", ".join(f"{name} {score.composite:.3f}" for name, score in run.sets.items())
    return run.id, f"{run.cluster}  {scores}  {run.measured.get('started', '')}".rstrip()


def imported_lines(found: Imported) -> Lines:
    """How the scores of an imported log compare with those that it records."""
    for name, count in found.recomputed.items():
        yield name, f"{count:,} scores computed again"
    for name, count in found.taken.items():
        yield name, f"{count:,} scores taken over: this scorer is not known here"
    yield "recorded", f"{len(found.differing):,} differ" if found.differing else "every score is the recorded one"
    for line in found.differing[:20]:
        yield "differs", line


def _floor(name: str, thresholds: Thresholds | None) -> float | None:
    if thresholds is None:
        return None
    return {"core": thresholds.composite, "heldout": thresholds.heldout}.get(name)


def sample_lines(sample: Sample) -> Iterator[str]:
    """A scenario's failure: what was asked, what is right, what was answered and which criterion that missed."""
    grade = sample.grade
    under = f", under {sample.perturbation}" if sample.perturbation != "none" else ""
    yield f"{sample.set}/{grade.scenario}  {grade.capability}, {grade.outcome_type}{under}, score {grade.score:.3f}"
    if not sample.withheld:
        yield f"  asked     {shorten(sample.input[-1].content if sample.input else '', longest=LONGEST)}"
        yield f"  right     {shorten(' | '.join(sample.reference), longest=LONGEST)}"
        yield f"  answered  {shorten(grade.answer, longest=LONGEST)}"
    if grade.missed:
        yield f"  missed    {', '.join(grade.missed)}"
    yield f"  because   {shorten(grade.explanation, longest=2 * LONGEST)}"


def difference_lines(found: EvaluationDiff) -> Iterator[str]:
    """Two evaluations, figure by figure, then every scenario that turned."""
    yield f"{found.before} → {found.after}: {_compared(found.overall)}"
    for name, one in found.sets.items():
        yield f"  {name}: {_compared(one)}"
    for name, one in found.capabilities.items():
        if one.gained or one.lost:
            yield f"    {name}: {_compared(one)}"
    yield from _flips("gained", found.gained)
    yield from _flips("lost", found.lost)
    if found.unmatched:
        yield f"{found.unmatched:,} prompts were asked in one of the two alone, and count for nothing here"


def _compared(one: Comparison) -> str:
    interval = f"{one.interval.low:+.3f} to {one.interval.high:+.3f}"
    turned = f"gained {one.gained}, lost {one.lost} of {one.scenarios}"
    return f"{one.tier}: {one.difference:+.3f} ({interval}), {turned}, p {one.p_value:.2g}"


def _flips(word: str, flips: Sequence[Flip]) -> Iterator[str]:
    for flip in flips:
        under = f" under {flip.perturbation}" if flip.perturbation != "none" else ""
        yield f"{word:<7} {flip.set}/{flip.scenario}{under}  {flip.capability}"
