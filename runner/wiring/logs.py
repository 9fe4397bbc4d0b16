"""Settings to the edges of evaluation logs: which log a name means, and what is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.edges.dvc_objects import DvcObjects
from runner.edges.git import GitObjects
from runner.edges.git_command import git
from runner.edges.logs.inspect_file import write_inspect
from runner.edges.logs.inspect_log import read_inspect
from runner.edges.logs.kept import Log
from runner.edges.logs.lm_eval_log import read_lm_eval, write_lm_eval
from runner.edges.logs.store import SUMMARY, Evaluations, Kept, opened
from runner.edges.run_outputs import RunOutputs
from runner.edges.yaml_files import parse
from runner.errors import RecordError
from runner.records.evaluation import EvaluatedModel, EvaluationDiff, EvaluationRun, ModelKind, Sample
from runner.records.score import GradedAnswer
from runner.records.terms import SetName
from runner.rules.evaluation.evaluations import Asked, difference, summary
from runner.rules.evaluation.foreign_logs import Imported, Known, imported
from runner.rules.evaluation.scoring import AS_WRITTEN, capability_weights
from runner.wiring import flywheel
from runner.wiring.boundary import admit

PHASES = {"base": "baseline", "incumbent": "baseline", "control": "assess", "candidate": "assess"}
"""Whose answers an iteration has, and the phase that asked for them."""
ANSWERS = {"baseline": ("core-answers", "dev-answers", "baseline-answers"), "assess": ("answers",)}


def log_of(path: Path, name: str) -> Log:
    """The log that `name` means: a path of a log or a summary, an id or its beginning, or `ITERATION/MODEL`, such as
    `support-desk-0f3a9c1d2e/candidate`. Raises `RecordError` where it means none, or several, and where it would have
    to be brought to a machine outside of the cluster's boundary."""
    iteration, _, model = name.rpartition("/")
    if iteration and model in PHASES and "/" not in iteration and not Path(name).exists():
        return Log.open(_of_iteration(flywheel.root(path), iteration, model).log)
    if "/" in name or name.endswith((".json", ".zst")):
        return opened(Path(name))
    top = flywheel.root(path)
    return Log.open(Evaluations(top).named(name, admit=lambda cluster: admit(top, cluster)).log)


class Shown(NamedTuple):
    """A part of an evaluation: how many scenarios match, and those that are shown."""

    run: EvaluationRun
    matching: int
    samples: Sequence[Sample]


def shown(
    path: Path,
    name: str,
    *,
    failed: bool = False,
    capability: str = "",
    set_name: str = "",
    outcome: str | None = None,
    under: str = AS_WRITTEN,
    limit: int = 20,
) -> Shown:
    """The evaluation, and the samples that match every filter, the first `limit` of them. `under` is a perturbation, or
    `any`."""
    log = log_of(path, name)
    columns = log.index
    wanted = [
        place
        for place in range(log.header.samples)
        if (not failed or not columns.passed[place])
        and capability in ("", columns.capabilities[place])
        and set_name in ("", columns.sets[place])
        and outcome in (None, columns.outcome_types[place])
        and under in ("any", columns.perturbations[place])
    ]
    chosen = frozenset(wanted[:limit])
    return Shown(log.run, len(wanted), list(log.samples(chosen.__contains__)))


def difference_of(path: Path, before: str, after: str) -> EvaluationDiff:
    """What the second evaluation does otherwise than the first. Raises `RecordError` where they share no scenario."""
    marks = [log_of(path, name).marks() for name in (before, after)]
    if not marks[0].by_key.keys() & marks[1].by_key.keys():
        raise RecordError(f"{before} and {after} have no scenario in common", hint="compare two of one benchmark")
    return difference(*marks)


def listed(path: Path, cluster: str = "") -> list[EvaluationRun]:
    return Evaluations(flywheel.root(path)).listed(cluster)


def export(path: Path, name: str, target: Path, *, format: str) -> list[Path]:
    """Write an evaluation as another program's log. The files that were written.

    Raises `RecordError` for an Inspect log that is to be neither `.eval` nor `.json`.
    """
    log = log_of(path, name)
    summary_file = log.path.with_name(f"{log.run.id}{SUMMARY}")
    run = parse(summary_file.read_bytes(), EvaluationRun, path=str(summary_file)) if summary_file.is_file() else log.run
    if format == "lm-eval":
        return write_lm_eval(target, run, list(log.samples()))
    if target.suffix not in {".eval", ".json"}:
        raise RecordError("is no name of an Inspect log", path=str(target), hint="end it in .eval or .json")
    write_inspect(target, run, list(log.samples()))
    return [target]


class Taken(NamedTuple):
    """An evaluation that was imported, and how its scores compare with those that were recorded."""

    kept: Kept
    found: Sequence[Imported]


def import_log(path: Path, cluster: str, file: Path, *, format: str, keep: bool = False) -> Taken:
    """Take another program's log over as an evaluation of the cluster: a set a task, scores computed again.

    Raises `RecordError` for a file that is no such log.
    """
    top = flywheel.root(path)
    space = flywheel.workspace(top, cluster)
    logs = read_lm_eval(file) if format == "lm-eval" else [read_inspect(file)]
    scenarios = {one.id: (name, one) for name, those in space.scenarios.items() for one in those}
    names: dict[str, int] = {}
    found = [imported(log, Known(scenarios, space.rubrics), names) for log in logs]
    samples = [one for each in found for one in each.samples]
    weights = dict.fromkeys((one.grade.capability for one in samples), 1.0) | capability_weights(space.cluster)
    question = Asked(
        cluster=cluster,
        model=EvaluatedModel(kind=ModelKind.IMPORTED, name=logs[0].model),
        engine=logs[0].engine,
        benchmark_version=0,
        benchmark_sha256=None,
        scenarios_sha256={},
        rubrics={},
        source=f"{format}: {file.name}",
    )
    unanswered = sum(not one.recorded for one in samples)
    run = summary(question, samples, weights=weights, unanswered=unanswered)
    store = Evaluations(top)
    kept = store.keep(run, samples, in_git=keep)
    if keep:
        store.publish(kept)
    return Taken(kept, found)


def _of_iteration(top: Path, iteration: str, model: str) -> Kept:
    """The answers of a model in an iteration, from its run branch, as a log of this machine."""
    from runner.phases.logged import asked, samples

    cluster = _cluster_of(top, iteration)
    admit(top, cluster)
    with GitObjects(top) as objects:
        outputs = RunOutputs(objects, cluster, iteration)
        step = outputs.step(PHASES[model])
        found = []
        for name in ANSWERS[PHASES[model]]:
            if name not in step.outputs:
                raise RecordError(f"the phase {PHASES[model]} of {iteration} kept no {name}", path=outputs.branch)
            data = outputs.bytes_of(name, DvcObjects.of_work_tree(top), step.outputs[name])
            found += [row for row in _rows(data, f"{outputs.branch}: {name}") if row.model == model]
        space = flywheel.workspace(top, cluster, outputs.tip)
    sets = [name for name in SetName if any(row.set is name for row in found)]
    kind = ModelKind(model) if model in tuple(ModelKind) else ModelKind.ADAPTER
    who = EvaluatedModel(kind=kind, name=f"{model} of {iteration}")
    question = asked(space, sets, who=who, engine=f"as the phase {PHASES[model]} asked")
    lines = samples(space, found)
    run = summary(question, lines, weights=capability_weights(space.cluster))
    return Evaluations(top, "iterations").keep(run, lines, in_git=False)


def _rows(data: bytes, where: str) -> Iterator[GradedAnswer]:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            yield GradedAnswer.model_validate_json(line)
        except ValueError as error:
            raise RecordError(f"is no graded answer: {error}", path=where, line=number) from error


def _cluster_of(top: Path, iteration: str) -> str:
    """The cluster whose run branch the iteration is. Raises `RecordError` where there is none."""
    listed = git(top, "for-each-ref", "--format=%(refname)", "refs/heads/runs/", "refs/remotes/origin/runs/")
    parts = [ref.split("/") for ref in listed.splitlines()]
    found = sorted({ref[-2] for ref in parts if ref[-1] == iteration})
    if not found:
        raise RecordError(f"there is no iteration {iteration}", hint="fetch its run branch: runs/CLUSTER/ITERATION")
    return found[0]
