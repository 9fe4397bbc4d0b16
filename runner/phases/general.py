"""What a specialist must not forget: its cluster's own general set, and tasks of lm-evaluation-harness.

Both are asked of the base too, because what the base never could is not forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.phases.asking import Asking
from runner.phases.common import Task
from runner.records.evaluation import Drop
from runner.records.evaluation_policy import GeneralTask
from runner.records.scenario import SetName
from runner.records.score import SetScore
from runner.rules.evaluation.evaluation_stages import Pair
from runner.rules.evaluation.limits import general_drop
from runner.rules.evaluation.scoring import DIGITS, set_score, weights_of
from runner.rules.naming import slug

GENERAL = "general"
"""The name of the cluster's own set among the parts of its stage."""
Found = tuple[dict[str, SetScore], dict[str, Drop], int]


def parts_and_drops(asking: Asking, base: Asking | None) -> Found | None:
    """The model's score on each part, how far each falls below the base's, and how many prompts that took. None where
    there is nothing to ask."""
    space = asking.inputs.workspace
    has_set, tasks = bool(asking.scenarios(SetName.GENERAL)), space.cluster.evaluation_policy.general
    if not has_set and not tasks:
        return None
    found: Found = ({}, {}, 0)
    if has_set:
        found = _together(found, _own_set(asking, base))
    return _together(found, _tasks(asking, base, tasks)) if tasks else found


def _own_set(asking: Asking, base: Asking | None) -> Found:
    work = [Task(SetName.GENERAL, one) for one in asking.scenarios(SetName.GENERAL)]
    grades, asked = asking.ask(work)
    weights = weights_of(SetName.GENERAL, grades, asking.weights)
    drops = {}
    if base is not None:
        before, _ = base.ask(work)
        pairs = [Pair(one.capability, was.score, one.score) for was, one in zip(before, grades, strict=True)]
        limit = general_drop(asking.inputs.workspace.cluster.gate)
        drops[GENERAL] = asking.drop(pairs, weights, below="the base", limit=limit)
    return {GENERAL: set_score(grades, weights)}, drops, asked


def _tasks(asking: Asking, base: Asking | None, tasks: Sequence[GeneralTask]) -> Found:
    after = _scores(asking, tasks)
    before = _scores(base, tasks) if base is not None else {}
    parts, drops = {}, {}
    for task in tasks:
        name, scores = slug(task.task), after[task.task]
        parts[name] = _task_score(scores)
        if before:
            pairs = [Pair(name, before[task.task][one], score) for one, score in sorted(scores.items())]
            drops[name] = asking.drop(pairs, {name: 1.0}, below="the base", limit=task.max_drop)
    return parts, drops, sum(len(scores) for scores in after.values())


def _scores(asking: Asking, tasks: Sequence[GeneralTask]) -> Mapping[str, Mapping[str, float]]:
    """Each task's samples to their scores, timed."""
    ports, seed = asking.ports, asking.inputs.workspace.params.seed
    return asking.watch.time(lambda: ports.general.score(asking.model, tasks, seed=seed, progress=ports.progress))


def _task_score(scores: Mapping[str, float]) -> SetScore:
    """Of a task whose samples have one metric and no capabilities."""
    mean = sum(scores.values()) / len(scores) if scores else 0.0
    passed = sum(score >= 1 for score in scores.values())
    return SetScore(scenarios=len(scores), passed=passed, composite=round(mean, DIGITS), capabilities={})


def _together(one: Found, other: Found) -> Found:
    return {**one[0], **other[0]}, {**one[1], **other[1]}, one[2] + other[2]
