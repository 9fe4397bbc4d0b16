"""A change to the reviewed files, judged: everything that a review says, from the records of both sides alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.records.change import PathChange
from runner.records.change_review import ChangeReview, Preview, Refusal, Regrading
from runner.records.dataset import Example
from runner.records.scenario import Scenario
from runner.rules.review.covering import coverage_change
from runner.rules.review.governed import governed_changes, policy_changes, rubric_changes
from runner.rules.review.overlaps import compared, new_scenarios
from runner.rules.review.regrading import Stored, concerned, regrade
from runner.rules.review.scenarios import scenario_changes
from runner.rules.review.side import Side
from runner.rules.review.signing import frozen_touched, gate_refusals, signatures

NO_ANSWERS = "no stored answers are at hand; hallmark evaluate CLUSTER --keep keeps them for the next review"


@dataclass(frozen=True)
class Change:
    """Both sides of a change, and what is at hand beside them, by cluster."""

    base: str
    head: str
    paths: Sequence[PathChange]
    before: Side
    after: Side
    clusters: Sequence[str]
    """Those whose files the change may concern."""
    stored: Mapping[str, Stored | str] = field(default_factory=dict)
    """The last evaluation's answers, or why there are none."""
    gold: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    """Human training data, where they are at hand."""


def review(change: Change, *, problems: Sequence[Refusal] = (), previews: Sequence[Preview] = ()) -> ChangeReview:
    """What the change means. `problems` are what `hallmark check` finds in it."""
    before, after, clusters = change.before, change.after, change.clusters
    graded = Counter(one.rubric for one in after.all(Scenario).values())
    covered = [coverage_change(before, after, name) for name in clusters]
    found = {name: compared(before, after, name, change.gold.get(name, ())) for name in clusters}
    return ChangeReview(
        base=change.base,
        head=change.head,
        files=len(change.paths),
        scenarios=tuple(
            one for name in clusters for one in scenario_changes(before, after, name, hidden=found[name].hidden)
        ),
        rubrics=rubric_changes(before, after, graded),
        regraded=tuple(_regraded(change, name) for name in clusters if concerned(before, after, name)),
        settings=governed_changes(before, after),
        policy=policy_changes(before, after),
        frozen=frozen_touched(change.paths, before, after),
        signatures=signatures(change.paths, before),
        no_policy=before.trust is None,
        refusals=(*problems, *gate_refusals(change.paths, before, after)),
        overlaps=tuple(one for name in clusters for one in found[name].overlaps),
        without_gold=tuple(n for n in clusters if n not in change.gold and new_scenarios(before, after, n)),
        coverage=tuple(one for one in covered if one is not None),
        previews=tuple(previews),
    )


def _regraded(change: Change, cluster: str) -> Regrading:
    stored = change.stored.get(cluster, NO_ANSWERS)
    if isinstance(stored, str):
        return Regrading(cluster=cluster, why_not=stored)
    return regrade(change.before, change.after, cluster, stored)
