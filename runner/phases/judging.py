"""What judges say of a batch of answers: every question of a batch asked at once, and the verdict of each answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from runner.errors import RecordError, RecordErrors
from runner.ports import Ports
from runner.ports_models import Model
from runner.records.judge import Judged, Vote
from runner.records.judging import JudgeFile
from runner.records.scenario import Scenario, SetName
from runner.rules.evaluation.grading import criterion_slug
from runner.rules.judges.asking import Case, Question, questions, read, tries
from runner.rules.judges.calibration import shown_criteria
from runner.rules.judges.identity import asked, conflicts, unsent
from runner.rules.judges.verdicts import verdict
from runner.workspace import Workspace

Verdicts = Mapping[str, Judged]
"""By criterion."""


class Place(NamedTuple):
    """Where a verdict belongs: whose answer, by its place in the batch, and which criterion."""

    answer: int
    criterion: str
    slug: str


class Asked(NamedTuple):
    """A scenario that was answered, and the set that it stands in."""

    set: SetName
    scenario: Scenario


def judged(
    space: Workspace, ports: Ports, model: Model, asked_of: Sequence[Asked], texts: Sequence[str]
) -> list[Verdicts]:
    """The verdicts on each answer of `model`, in their order. Nothing is asked where no rubric names a judge.

    Raises `RecordErrors` where a judge would judge itself, or be shown what may not leave for it, and `ModelError`
    where it cannot be asked.
    """
    cases = _cases(space, asked_of, texts)
    sees = {name: {asked_of[place.answer].set for place, _ in wanted} for name, wanted in cases.items()}
    refuse_unfit(space, sees, model)
    shown = shown_criteria(space.rubrics.values(), space.judges, space.calibrations)
    found: list[dict[str, Judged]] = [{} for _ in texts]
    for name, wanted in sorted(cases.items()):
        judge = space.judges[name]
        each = votes(ports, judge, [case for _, case in wanted])
        for (place, _), cast in zip(wanted, each, strict=True):
            found[place.answer][place.criterion] = verdict(judge, cast, why_shown=shown.get(place.slug, ""))
    return list(found)


def votes(ports: Ports, judge: JudgeFile, cases: Sequence[Case]) -> list[tuple[Vote, ...]]:
    """The judge's votes on each case, in the order of asking. What is no verdict is asked for again, with another seed,
    and is an abstention in the end."""
    each = [questions(judge, case) for case in cases]
    cast: dict[str, Vote] = {}
    open_ = {question.key: question for asked_once in each for question in asked_once}
    for attempt in range(tries(judge)):
        again: list[Question] = [question.again(attempt) for question in open_.values()]
        said = ports.judges.ask(judge, again, progress=ports.progress) if again else []
        cast |= {key: read(judge.form, open_[key], text) for key, text in zip(open_, said, strict=True)}
        open_ = {key: question for key, question in open_.items() if cast[key] is Vote.NONE}
    return [tuple(cast[question.key] for question in asked_once) for asked_once in each]


def refuse_unfit(space: Workspace, sees: Mapping[str, Collection[SetName]], model: Model | None = None) -> None:
    """Raises `RecordErrors` where a judge, by its id in `sees`, is the cluster's base, `model` or what writes training
    data, or may not be shown a set that it is to see. What files alone tell, `check` and intake have told."""
    weights = model.weights.digest if model is not None and model.weights.files else ""
    adapter = model.adapter.digest if model is not None and model.adapter is not None else ""
    errors = []
    for name, sets in sorted(sees.items()):
        judge, path = space.judges[name], f"rubrics/judges/{name}.yaml"
        for problem in conflicts(judge, space.cluster, weights=weights, adapter=adapter):
            errors.append(RecordError(problem, path=path, field="model", hint="name another model as the judge"))
        for shown in sorted(sets):
            if problem := unsent(judge, shown):
                errors.append(RecordError(problem, path=path, field="model.sends", hint="a judge of this machine may"))
    if errors:
        raise RecordErrors(errors)


def _cases(space: Workspace, asked_of: Sequence[Asked], texts: Sequence[str]) -> dict[str, list[tuple[Place, Case]]]:
    """What is asked of each judge. Raises `RecordError` for one that there is not."""
    found: dict[str, list[tuple[Place, Case]]] = {}
    for number, ((_, scenario), text) in enumerate(zip(asked_of, texts, strict=True)):
        rubric = space.rubrics.get(scenario.rubric)
        for criterion, grader in asked(rubric) if rubric is not None else ():
            if grader.judge not in space.judges:
                raise RecordError(f"the rubric {scenario.rubric} names the judge {grader.judge}, which there is not")
            case = Case(grader.question, scenario.input, scenario.reference, text)
            place = Place(number, criterion.id, criterion_slug(space.rubrics[scenario.rubric], criterion))
            found.setdefault(grader.judge, []).append((place, case))
    return found
