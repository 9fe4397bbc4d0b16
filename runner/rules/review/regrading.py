"""What a change of rubrics and right answers would do to the scores of answers given before. No model is asked.

Both gradings are made now, by the files before and after: what an evaluation recorded may be older than both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runner.errors import RecordError
from runner.records.change_review import Regrading, SetRegraded
from runner.records.cluster import Cluster
from runner.records.conversation import last_user_text
from runner.records.rubric import Rubric
from runner.records.score import Grade, GradedAnswer
from runner.records.terms import SetName
from runner.rules.evaluation.grading import grade
from runner.rules.evaluation.scoring import AS_WRITTEN, capability_weights, set_score, weights_of
from runner.rules.review.scenarios import reworded
from runner.rules.review.side import Placed, Side


class Stored(NamedTuple):
    """Answers at hand: of which evaluation, and whose."""

    source: str
    rows: Sequence[GradedAnswer]
    asked: Mapping[str, str] = {}
    """What each scenario said as it was answered, where that is known: the evaluation may be older than the change."""


SCORED = ("rubric", "reference", "capability")
"""The fields of a scenario that a score depends on, its message aside."""


class Both(NamedTuple):
    """One answer, graded by the files before and after."""

    set: SetName
    before: Grade
    after: Grade


def concerned(before: Side, after: Side, cluster: str) -> bool:
    """Whether the change may move the score of an answer that was given before."""
    rubrics = [_by_id(side) for side in (before, after)]
    clusters = [side.one(f"clusters/{cluster}/cluster.yaml", Cluster) for side in (before, after)]
    if clusters[0] and clusters[1] and capability_weights(clusters[0]) != capability_weights(clusters[1]):
        return True
    old, new = before.scenarios(cluster), after.scenarios(cluster)
    return any(
        any(getattr(was.scenario, field) != getattr(now.scenario, field) for field in SCORED)
        or rubrics[0].get(was.scenario.rubric) != rubrics[1].get(now.scenario.rubric)
        for name, now in new.items()
        if (was := old.get(name)) is not None
    )


def regrade(before: Side, after: Side, cluster: str, stored: Stored) -> Regrading:
    """The stored answers graded twice, by set. Answers under a perturbation are left out."""
    olds, news = before.scenarios(cluster), after.scenarios(cluster)
    rubrics = _by_id(before), _by_id(after)
    found: list[Both] = []
    otherwise = ungraded = 0
    for row in stored.rows:
        if row.perturbation != AS_WRITTEN:
            continue
        old, new = olds.get(row.grade.scenario), news.get(row.grade.scenario)
        if old is None or new is None or old.set != row.set or reworded(old, new) or _older(old, stored):
            otherwise += 1
            continue
        both = [_graded(row, one, known) for one, known in zip((old, new), rubrics, strict=True)]
        if both[0] is None or both[1] is None:
            ungraded += 1
            continue
        found.append(Both(new.set, both[0], both[1]))
    clusters = [side.one(f"clusters/{cluster}/cluster.yaml", Cluster) for side in (before, after)]
    sets = tuple(one for name in SetName if (one := _set(name, [row for row in found if row.set is name], clusters)))
    return Regrading(cluster=cluster, source=stored.source, sets=sets, asked_otherwise=otherwise, ungraded=ungraded)


def _older(placed: Placed, stored: Stored) -> bool:
    """Whether the answer is to an earlier wording. Another program's log may have a prompt's marks around the text."""
    said = stored.asked.get(placed.scenario.id)
    return said is not None and last_user_text(placed.scenario.input).strip() not in said


def _by_id(side: Side) -> dict[str, Rubric]:
    return {one.id: one for one in side.all(Rubric).values()}


def _graded(row: GradedAnswer, placed: Placed, rubrics: dict[str, Rubric]) -> Grade | None:
    """None where the rubric is not there, or asks a judge what it has not been asked."""
    rubric = rubrics.get(placed.scenario.rubric)
    if rubric is None:
        return None
    try:
        return grade(placed.scenario, rubric, row.grade.answer, judged=row.grade.judged)
    except RecordError:
        return None


def _set(name: SetName, rows: Sequence[Both], clusters: Sequence[Cluster | None]) -> SetRegraded | None:
    if not rows:
        return None
    before = _score(name, [row.before for row in rows], clusters[0])
    after = _score(name, [row.after for row in rows], clusters[1])
    return SetRegraded(
        set=name,
        answers=len(rows),
        before=before[0],
        after=after[0],
        passed_before=before[1],
        passed_after=after[1],
        gained=_turned(row.after.scenario for row in rows if row.after.passed and not row.before.passed),
        lost=_turned(row.after.scenario for row in rows if row.before.passed and not row.after.passed),
    )


def _turned(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _score(name: SetName, grades: Sequence[Grade], cluster: Cluster | None) -> tuple[float, int]:
    """Composite, and how many passed. A capability that the cluster does not have weighs 1."""
    weights = dict.fromkeys((one.capability for one in grades), 1.0)
    weights |= capability_weights(cluster) if cluster is not None else {}
    score = set_score(grades, weights_of(name, grades, weights))
    return score.composite, score.passed
