"""What the loop hands to people where it stops itself: what was tried, what the failures share, what could change.

Everything is read from what the iterations recorded: diagnoses of core, sweeps on dev, and scores. No held-out text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from runner.records.cluster import Cluster
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.ledger import Entry, EntryKind
from runner.records.plateau import Escalation, Option, Plateau, Shared, Tried, TriedArm
from runner.records.score import Comparison, Scorecard
from runner.records.significance import Tier
from runner.records.terms import SetName
from runner.records.training import Arm, CurveShape, Sweep
from runner.rules.evaluation.comparison_words import seen, sentence

NEAR = 0.02
"""Composites that differ by less over the iterations are called the same."""


class Told(NamedTuple):
    """What one iteration of the plateau left in git."""

    iteration: str
    entries: Sequence[Entry]
    diagnosis: Diagnosis | None
    sweep: Sweep | None
    scorecard: Scorecard | None


def escalation(cluster: Cluster, found: Plateau, told: Sequence[Told]) -> Escalation:
    """`told` are the iterations of the plateau, oldest first."""
    tries = tuple(_tried(one) for one in told)
    common = tuple(shared(one.diagnosis for one in told))
    options = tuple(_options(cluster, told, tries, common))
    return Escalation(cluster=cluster.id, plateau=found, tried=tries, shared=common, options=options)


def _tried(one: Told) -> Tried:
    last = [entry for entry in one.entries if entry.kind is EntryKind.PHASE][-1]
    arm = _chosen(one.sweep)
    candidate = one.scorecard.models.get("candidate") if one.scorecard else None
    heldout = _against(one.scorecard, "incumbent")
    scores = {name: candidate.sets[name].composite for name in candidate.sets} if candidate else {}
    return Tried(
        iteration=one.iteration,
        refused_at=last.phase,
        reasons=tuple(f"{reason.step}: {reason.problem}" for reason in last.verdict.reasons),
        arms=tuple(_arm(arm) for arm in one.sweep.arms) if one.sweep else (),
        chosen=arm.name if arm and one.scorecard else "",
        rows=f"{arm.human_rows} human, {arm.synthetic_rows} synthetic, {arm.replay_rows} replayed rows" if arm else "",
        core=scores.get(SetName.CORE),
        heldout=scores.get(SetName.HELDOUT),
        verdict=sentence(heldout) if heldout else "",
    )


def _arm(arm: Arm) -> TriedArm:
    dev = arm.dev.composite if arm.mean is None else arm.mean
    return TriedArm(name=arm.name, synthetic_share=arm.synthetic_share, dev=dev)


def _chosen(sweep: Sweep | None) -> Arm | None:
    return next((arm for arm in sweep.arms if arm.name == sweep.chosen), None) if sweep else None


def _against(card: Scorecard | None, name: str) -> Comparison | None:
    return next((one for one in card.comparisons if one.against == name), None) if card else None


def shared(diagnoses: Iterable[Diagnosis | None]) -> Iterator[Shared]:
    """The failures that more than one diagnosis found, by capability and pattern: the most persistent first."""
    found: dict[tuple[str, str], list[FailureCluster]] = {}
    for diagnosis in diagnoses:
        for failure in diagnosis.failures if diagnosis else ():
            found.setdefault((failure.capability, failure.pattern), []).append(failure)
    again = [each for each in found.values() if len(each) > 1]
    for each in sorted(again, key=lambda each: (-len(each), -each[-1].priority, each[-1].id)):
        last = each[-1]
        always = set(each[0].scenarios).intersection(*(one.scenarios for one in each))
        yield Shared(
            capability=last.capability,
            pattern=last.pattern,
            lenses=last.lenses,
            severity=last.severity,
            iterations=len(each),
            frequency=last.frequency,
            scenarios=tuple(sorted(always)),
            covered=last.covered,
            next_target=last.next_target,
        )


def _options(
    cluster: Cluster, told: Sequence[Told], tries: Sequence[Tried], common: Sequence[Shared]
) -> Iterator[Option]:
    """What people could change; each is offered where a figure speaks for it."""
    yield from _rubrics(common)
    yield from _scenarios(cluster, told, common)
    yield from _gold(told, common)
    yield from _base(tries)
    yield from _thresholds(cluster, tries)


def _rubrics(common: Sequence[Shared]) -> Iterator[Option]:
    uncovered = sorted({one.capability for one in common if not one.covered})
    if uncovered:
        why = f"Failures of {', '.join(uncovered)} were found again and again, and no approved rubric covers them."
        yield Option(what="Rubrics: approve one, so that these failures can be aimed at", why=why)


def _scenarios(cluster: Cluster, told: Sequence[Told], common: Sequence[Shared]) -> Iterator[Option]:
    stubborn = sorted({name for one in common for name in one.scenarios})
    if stubborn:
        listed = ", ".join(stubborn[:10]) + (f" and {len(stubborn) - 10} more" if len(stubborn) > 10 else "")
        why = f"{len(stubborn)} core scenarios fail with what serves, every time: {listed}."
        yield Option(what="Scenarios: read whether they ask what is meant, and are rightly answered", why=why)
    compared = [one for each in told if (one := _against(each.scorecard, "incumbent"))]
    blind = [one for one in compared if one.tier is Tier.INSUFFICIENT_DATA]
    if blind:
        could = seen(blind[-1].detectable, blind[-1].scenarios)
        why = f"{len(blind)} of {len(compared)} comparisons could not tell: {could}."
        yield Option(what="Scenarios: more real held-out ones, as a new benchmark version", why=why)
    noisy = [one for one in compared if one.tier is Tier.UNRELIABLE_BASELINE]
    if noisy:
        why = f"In {len(noisy)} of {len(compared)} assessments the incumbent differed too much from itself."
        yield Option(what=f"The engine of {cluster.id}: one that answers the same when asked again", why=why)


def _gold(told: Sequence[Told], common: Sequence[Shared]) -> Iterator[Option]:
    sweeps = [each.sweep for each in told if each.sweep]
    idle = [one for one in sweeps if one.shape in (CurveShape.SYNTHETIC_DOES_NOT_HELP, CurveShape.PLATEAU)]
    if idle:
        counts = Counter(one.shape.value for one in idle)
        listed = ", ".join(f"{count} {shape}" for shape, count in sorted(counts.items()))
        arm = _chosen(idle[-1])
        rows = f" The last chosen arm had {arm.human_rows} human rows." if arm else ""
        why = f"Synthetic rows brought nothing in {len(idle)} of {len(sweeps)} sweeps ({listed}).{rows}"
        yield Option(what="Gold data: more human rows, not more synthetic ones", why=why)
    for one in common[:3]:
        why = f"{one.pattern}: found by {one.iterations} iterations, {one.frequency} failures in the last."
        yield Option(what=f"Gold data for {one.capability}: {one.next_target}", why=why)


def _base(tries: Sequence[Tried]) -> Iterator[Option]:
    scores = [one.heldout for one in tries if one.heldout is not None]
    if len(scores) > 1 and max(scores) - min(scores) < NEAR:
        listed = ", ".join(f"{score:.3f}" for score in scores)
        why = f"Held-out stood at {listed}, whatever it was trained on."
        yield Option(what="The base, or the recipe in params.yaml: a larger model, a higher rank, more steps", why=why)


def _thresholds(cluster: Cluster, tries: Sequence[Tried]) -> Iterator[Option]:
    floors = cluster.gate.thresholds
    for name, floor, scores in (
        ("composite", floors.composite, [one.core for one in tries if one.core is not None]),
        ("heldout", floors.heldout, [one.heldout for one in tries if one.heldout is not None]),
    ):
        if scores and max(scores) < floor:
            why = f"The best of {len(scores)} candidates reached {max(scores):.3f}; {floor:.3f} is asked for."
            yield Option(what=f"The threshold `{name}`, if it asks more than the task needs", why=why)
