"""How well a judge agrees with people, and whether its criteria may count.

A criterion of a judge's counts only where the judge was calibrated as it is now, on enough labels, and the lower end
of kappa's interval reaches the judge's own floor. Anything else is for show: the verdict is recorded and shown, and
is no part of score or passing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.judge import Judge, Vote
from runner.records.judging import Agreement, Bounded, Calibration, Confusion, Floor, JudgeFile, JudgeLabels, Label
from runner.records.rubric import Rubric, RubricStatus
from runner.records.scenario import Scenario
from runner.rules.canonical import digest
from runner.rules.evaluation.grading import criterion_slug
from runner.rules.judges.asking import Case, wording
from runner.rules.judges.identity import asked, judge_digest
from runner.rules.judges.verdicts import DIGITS, decided, swaps
from runner.rules.triage.agreement import cohens_kappa
from runner.rules.triage.sampling import wilson

Calibrations = Mapping[str, Calibration]
"""Of one cluster, by judge."""


class Item(NamedTuple):
    """One labelled answer."""

    key: str
    slug: str
    """`<rubric>-<criterion>`."""
    question: str
    scenario: str
    answer: str
    met: bool | None
    """What most people say; None where as many say the one as the other."""

    def case(self, scenario: Scenario) -> Case:
        return Case(self.question, scenario.input, scenario.reference, self.answer)


def items(labels: JudgeLabels, rubric_of: Mapping[str, str], rubrics: Mapping[str, Rubric]) -> tuple[Item, ...]:
    """Each labelled answer once, in the order of its first label. `rubric_of` names the rubric of every scenario of
    core and dev. Labels that name nothing are left out: `label_problems` has told of them."""
    said: dict[tuple[str, str, str], Counter[bool]] = defaultdict(Counter)
    for label in labels.labels:
        said[label.scenario, label.criterion, label.answer][label.met] += 1
    found = []
    for (name, criterion, answer), votes in said.items():
        for slug, grader in _graders(rubrics.get(rubric_of.get(name, "")), criterion, labels.judge):
            met = None if votes[True] == votes[False] else votes[True] > votes[False]
            key = digest([name, criterion, grader.question, answer])
            found.append(Item(key, slug, grader.question, name, answer, met))
    return tuple(found)


def label_problems(
    labels: JudgeLabels, rubric_of: Mapping[str, str], rubrics: Mapping[str, Rubric]
) -> Iterator[tuple[str, str, str]]:
    """(field, problem, hint) of each label that names nothing, and of one person's second word on an answer."""
    seen: set[tuple[str, str, str, str]] = set()
    for number, label in enumerate(labels.labels):
        field = f"labels[{number}]"
        if label.scenario not in rubric_of:
            hint = "label answers to scenarios of core or dev: nobody reads what is held out"
            yield f"{field}.scenario", f"there is no scenario {label.scenario} in core or dev", hint
        elif not list(_graders(rubrics.get(rubric_of[label.scenario]), label.criterion, labels.judge)):
            problem = f"the rubric of {label.scenario} has no criterion {label.criterion} of the judge {labels.judge}"
            yield f"{field}.criterion", problem, "name a criterion whose grader is this judge"
        key = (label.scenario, label.criterion, label.answer, label.by)
        if key in seen:
            yield field, f"{label.by} labels this answer twice", "keep one of the two"
        seen.add(key)


def agreements(found: Sequence[Item], votes: Mapping[str, Sequence[Vote]]) -> dict[str, Agreement]:
    """How people and the judge agree, by criterion, over the items that have votes."""
    by_slug: dict[str, list[Item]] = defaultdict(list)
    for item in found:
        if item.key in votes:
            by_slug[item.slug].append(item)
    return {slug: _agreement(by_slug[slug], votes) for slug in sorted(by_slug)}


def with_labels(judge: str, cluster: str, there: Sequence[Label], more: Iterable[Label]) -> JudgeLabels | None:
    """The labels that are there, and those of `more` that are not among them; None where there are none at all."""
    known = set(there)
    fresh = [label for label in dict.fromkeys(more) if label not in known]
    found = (*there, *fresh)
    return JudgeLabels(judge=judge, cluster=cluster, labels=found) if found else None


def calibration_reasons(judge: JudgeFile, calibration: Calibration, rubrics: Iterable[Rubric]) -> dict[str, str]:
    """Each criterion of the judge's, and why it may not count; empty where it may."""
    return {
        criterion_slug(rubric, criterion): why_shown(
            judge, calibration, criterion_slug(rubric, criterion), grader.question
        )
        for rubric in rubrics
        for criterion, grader in asked(rubric)
        if grader.judge == judge.id
    }


def in_words(calibration: Calibration, why: Mapping[str, str]) -> Iterator[str]:
    """A line a criterion: how people and the judge agree, and whether it counts."""
    for slug, reason in sorted(why.items()):
        found = calibration.criteria.get(slug)
        counts = f"for show: {reason}" if reason else "counts"
        if found is None:
            yield f"{calibration.judge}  {slug}  {counts}"
            continue
        kappa = f"{found.kappa.value:.2f} ({found.kappa.low:.2f} to {found.kappa.high:.2f})" if found.kappa else "none"
        right = f"{found.accuracy.value:.2f} ({found.accuracy.low:.2f} to {found.accuracy.high:.2f})"
        table = found.confusion
        wrong = f"{table.judge_alone} met by the judge alone, {table.people_alone} by people alone"
        yield (
            f"{calibration.judge}  {slug}  {found.answers} answers  kappa {kappa}  accuracy {right}  {wrong}, "
            f"{table.abstained} without a verdict, {found.flip_rate:.0%} of swaps turn it  {counts}"
        )


def why_shown(judge: JudgeFile, calibration: Calibration | None, slug: str, question: str) -> str:
    """Why a criterion of the judge's may not count; empty where it may."""
    if calibration is None:
        return "it was never calibrated on people's labels"
    if calibration.sha256 != judge_digest(judge):
        return "the judge has changed since it was calibrated"
    if calibration.wording != wording():
        return "it was calibrated with prompts that are worded otherwise"
    agreement = calibration.criteria.get(slug)
    if agreement is None:
        return "no labels of this criterion"
    if agreement.question != question:
        return "its question has changed since the judge was calibrated"
    return _below(agreement, judge.floor)


def shown_criteria(
    rubrics: Iterable[Rubric], judges: Mapping[str, JudgeFile], calibrations: Calibrations
) -> dict[str, str]:
    """Every criterion that a judge decides and that may not count, by `<rubric>-<criterion>`, and why."""
    found = {}
    for rubric in rubrics:
        for criterion, grader in asked(rubric):
            slug, judge = criterion_slug(rubric, criterion), judges.get(grader.judge)
            calibration = calibrations.get(grader.judge)
            why = why_shown(judge, calibration, slug, grader.question) if judge else "there is no such judge"
            if why:
                found[slug] = why
    return found


def refused(
    rubrics: Iterable[Rubric], judges: Mapping[str, JudgeFile], calibrations: Calibrations
) -> Iterator[tuple[Rubric, str, str]]:
    """(rubric, field, problem) of each approved rubric that asks for what may not count, and of each that is left with
    nothing, by which nothing can be graded."""
    for rubric in rubrics:
        shown = shown_criteria((rubric,), judges, calibrations)
        approved = rubric.status is RubricStatus.APPROVED
        for number, criterion in enumerate(rubric.criteria):
            why = shown.get(criterion_slug(rubric, criterion)) if isinstance(criterion.grader, Judge) else None
            if why and criterion.required and approved:
                yield rubric, f"criteria[{number}].required", f"requires {criterion.id}, which may not count: {why}"
        if len(shown) == len(rubric.criteria):
            yield rubric, "criteria", "every criterion is decided by a judge that may not count"


def _graders(rubric: Rubric | None, criterion: str, judge: str) -> Iterator[tuple[str, Judge]]:
    """The criterion's slug and grader, where it is this judge's."""
    if rubric is not None:
        for one, grader in asked(rubric):
            if one.id == criterion and grader.judge == judge:
                yield criterion_slug(rubric, one), grader


def _agreement(found: Sequence[Item], votes: Mapping[str, Sequence[Vote]]) -> Agreement:
    settled = [(item.met, decided(votes[item.key])) for item in found if item.met is not None]
    counts = Counter(settled)
    people = [Vote.MET if met else Vote.UNMET for met, _ in settled]
    right = counts[True, Vote.MET] + counts[False, Vote.UNMET]
    kappa = cohens_kappa(people, [said for _, said in settled])
    low, high = wilson(right, len(settled))
    return Agreement(
        question=found[0].question,
        answers=len(settled),
        disputed=len(found) - len(settled),
        confusion=Confusion(
            both_met=counts[True, Vote.MET],
            judge_alone=counts[False, Vote.MET],
            people_alone=counts[True, Vote.UNMET],
            both_unmet=counts[False, Vote.UNMET],
            abstained=counts[True, Vote.NONE] + counts[False, Vote.NONE],
        ),
        accuracy=Bounded(value=round(right / len(settled), DIGITS) if settled else 0.0, low=low, high=high),
        kappa=Bounded(**kappa._asdict()) if kappa else None,
        flip_rate=swaps(votes[item.key] for item in found).rate,
    )


def _below(found: Agreement, floor: Floor) -> str:
    """What an agreement does not hold; empty where it holds the floor."""
    if found.answers < floor.min_labels:
        return f"{found.answers} labelled answers, of {floor.min_labels} asked for"
    if found.kappa is None:
        return "kappa says nothing: people or the judge say the same of every answer"
    table = found.confusion
    fewest = min(table.both_met + table.people_alone, table.both_unmet + table.judge_alone)
    if fewest < floor.min_each:
        return f"{fewest} of the judged answers are of the rarer kind of label, of {floor.min_each} asked for"
    if found.kappa.low < floor.min_kappa:
        interval = f"{found.kappa.low:.2f} to {found.kappa.high:.2f}"
        return f"kappa with people is {found.kappa.value:.2f} ({interval}); its lower end must be {floor.min_kappa:g}"
    if found.flip_rate > floor.max_flip_rate:
        return f"the order turns {found.flip_rate:.0%} of its votes, more than {floor.max_flip_rate:.0%}"
    abstained = table.abstained / found.answers
    if abstained > floor.max_abstentions:
        return f"it gives no verdict on {abstained:.0%}, more than {floor.max_abstentions:.0%}"
    return ""
