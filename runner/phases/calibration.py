"""Calibration of a judge on people's labels: it is asked about every labelled answer, as it is when grading."""

from __future__ import annotations

from runner.errors import RecordError, RecordErrors
from runner.phases.judging import refuse_unfit, votes
from runner.ports import Ports
from runner.records.judge import Vote
from runner.records.judging import Calibration, JudgeFile, JudgeLabels
from runner.records.scenario import SetName
from runner.rules.canonical import digest
from runner.rules.judges.asking import wording
from runner.rules.judges.calibration import agreements, items, label_problems
from runner.rules.judges.identity import judge_digest
from runner.rules.repository.benchmark import set_digest
from runner.workspace import Workspace

LABELLED = (SetName.CORE, SetName.DEV)
"""The sets whose scenarios people may read, and so label."""


def calibrate(
    space: Workspace, judge: JudgeFile, labels: JudgeLabels, ports: Ports, *, before: Calibration | None = None
) -> Calibration:
    """How `judge` agrees with `labels`. Answers that `before` has votes on, of the same judge asked in the same words
    about the same scenarios, are not asked about again. Raises `RecordErrors` for labels that name nothing, and
    for a judge that may not judge this cluster or not be shown those scenarios."""
    scenarios = {one.id: one for name in LABELLED for one in space.scenarios[name]}
    labelled = {label.scenario for label in labels.labels}
    seen = [name for name in LABELLED if any(one.id in labelled for one in space.scenarios[name])]
    refuse_unfit(space, {judge.id: seen})
    rubric_of = {name: one.rubric for name, one in scenarios.items()}
    path = f"rubrics/judges/{judge.id}/{space.cluster.id}.labels.yaml"
    problems = [
        RecordError(problem, path=path, field=field, hint=hint)
        for field, problem, hint in label_problems(labels, rubric_of, space.rubrics)
    ]
    if problems:
        raise RecordErrors(problems)
    found = items(labels, rubric_of, space.rubrics)
    as_now = (judge_digest(judge), wording(), set_digest(scenarios[name] for name in {item.scenario for item in found}))
    as_then = (before.sha256, before.wording, before.scenarios) if before is not None else ()
    known: dict[str, tuple[Vote, ...]] = dict(before.votes) if before is not None and as_then == as_now else {}
    fresh = [item for item in found if item.key not in known]
    cast = votes(ports, judge, [item.case(scenarios[item.scenario]) for item in fresh])
    known |= {item.key: each for item, each in zip(fresh, cast, strict=True)}
    kept = {key: known[key] for key in sorted(item.key for item in found)}
    return Calibration(
        judge=judge.id,
        cluster=space.cluster.id,
        sha256=as_now[0],
        wording=as_now[1],
        labels=digest(labels),
        scenarios=as_now[2],
        votes=kept,
        criteria=agreements(found, kept),
    )
