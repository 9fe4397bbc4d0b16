"""Who passed which item: the bundles on run branches, promotions' evidence, and evaluations that were kept.

A run counts where it was asked the items as they now stand and graded by the rubrics as they now stand; the digests
that intake, the record and the evaluation pinned say so. What does not count is named, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from runner.edges.dvc_objects import DvcObjects
from runner.edges.git import GitObjects
from runner.edges.git_command import git
from runner.edges.logs.kept import SUFFIX, Log
from runner.edges.logs.store import Evaluations
from runner.edges.run_outputs import RunOutputs
from runner.edges.yaml_files import read
from runner.errors import HallmarkError, RecordError
from runner.ports import Reader
from runner.records.evidence import EvidenceFile
from runner.records.intake import Intake
from runner.records.promotion import PromotionRecord
from runner.records.score import GradedAnswer, Scorecard, ScoredScenario
from runner.records.terms import SetName
from runner.records.training import Training
from runner.rules.evaluation.repeats import is_repeat
from runner.rules.evaluation.scoring import AS_WRITTEN
from runner.rules.workbench.items import Sitting
from runner.rules.workbench.rubrics import Graded

NEEDED = (EvidenceFile.GRADES, EvidenceFile.SCORECARD)
ANSWERS = {"baseline": ("core-answers", "dev-answers", "baseline-answers"), "assess": ("answers",)}
"""The rows of graded answers that an iteration has, by the phase that wrote them."""


@dataclass(frozen=True)
class Present:
    """The benchmark as it now stands, by digests: each set's, the rubrics' together and one by one, the lock's."""

    sets: Mapping[str, str]
    rubrics: str
    each_rubric: Mapping[str, str]
    lock: str
    frozen: frozenset[str]


@dataclass
class History:
    """What was found."""

    sittings: list[Sitting] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    """Iterations whose graded answers may be asked for, the newest last."""
    logs: dict[str, set[str]] = field(default_factory=dict)
    """Evaluations whose log is here, with the sets that they count for."""
    discordance: float | None = None
    """Of the candidate and the base on held-out, in the last bundle."""


def history(top: Path, reader: Reader, cluster: str, present: Present) -> History:
    """Every run of the cluster's history in the repository at `top`."""
    found = History()
    done = _iterations(top, cluster, present, found)
    _promotions(reader, cluster, present, found, done)
    _evaluations(top, cluster, present, found, done)
    return found


def graded(top: Path, cluster: str, found: History) -> Iterator[Graded]:
    """The graded answers of the last iteration that counts, whose rows are in the DVC cache or remote, and those of the
    evaluations that count.

    What is not at hand is passed over: a report of grades need not bring anything.
    """
    with GitObjects(top) as objects:
        for iteration in found.answered[-1:]:
            try:
                yield from _answers(RunOutputs(objects, cluster, iteration), top)
            except (HallmarkError, ValidationError):
                continue
    for log in (log for log in _logs(top, cluster) if log.run.id in found.logs):
        for sample in log.samples():
            if sample.set in found.logs[log.run.id] and sample.perturbation == AS_WRITTEN:
                yield Graded(f"{sample.set}/{sample.grade.scenario}", sample.grade)


def _answers(outputs: RunOutputs, top: Path) -> Iterator[Graded]:
    objects = DvcObjects.of_work_tree(top)
    for phase, names in ANSWERS.items():
        step = outputs.step(phase)
        for name in (one for one in names if one in step.outputs):
            for line in outputs.bytes_of(name, objects, step.outputs[name]).splitlines():
                row = GradedAnswer.model_validate_json(line)
                if row.perturbation == AS_WRITTEN and not is_repeat(row.model):
                    yield Graded(f"{row.set}/{row.grade.scenario}", row.grade)


def _iterations(top: Path, cluster: str, present: Present, found: History) -> set[str]:
    """The bundles on the run branches. The iterations that were looked at."""
    prefixes = [f"refs/heads/runs/{cluster}/", f"refs/remotes/origin/runs/{cluster}/"]
    listed = git(top, "for-each-ref", "--sort=committerdate", "--format=%(refname)", *prefixes)
    names = list(dict.fromkeys(ref.rpartition("/")[2] for ref in listed.splitlines()))
    with GitObjects(top) as objects:
        for name in names:
            try:
                outputs = RunOutputs(objects, cluster, name)
                pins = outputs.record("intake", Intake).pins
                files = outputs.tree("bundle")
            except HallmarkError as error:
                found.left_out.append(f"iteration {name}: {str(error).splitlines()[0]}")
                continue
            if not all(one in files for one in NEEDED):
                found.left_out.append(f"iteration {name}: it has no bundle yet")
            elif pins.get("rubrics") != present.rubrics:
                found.left_out.append(f"iteration {name}: graded by other rubrics than the present ones")
            else:
                same = {one for one, sha256 in present.sets.items() if pins.get(f"scenarios/{one}") == sha256}
                _bundle(f"iteration {name}", files, same, found)
                if set(present.sets) <= same | {SetName.GENERAL, SetName.RESERVE}:
                    found.answered.append(name)
    return set(names)


def _promotions(reader: Reader, cluster: str, present: Present, found: History, done: set[str]) -> None:
    """Evidence whose run branch is not here: of it the frozen sets alone are known to be the present ones."""
    home = f"clusters/{cluster}/promotions/"
    for path in reader.paths(home):
        if not path.endswith("/record.yaml"):
            continue
        record = read(reader.read(path), PromotionRecord, path=path)
        if not record.assessed or record.run.iteration in done:
            continue
        name = f"promotion {record.sequence}"
        if record.benchmark.sha256 != present.lock:
            found.left_out.append(f"{name}: it is of another benchmark, and its run branch is not here")
            continue
        folder = path.removesuffix("record.yaml") + "evidence/"
        files = {one.removeprefix(folder): reader.read(one) for one in reader.paths(folder)}
        if all(one in files for one in NEEDED):
            _bundle(name, files, set(present.frozen), found)


def _bundle(name: str, files: Mapping[str, bytes], same: set[str], found: History) -> None:
    """The sittings of a bundle, over the sets in `same`."""
    try:
        scorecard = Scorecard.model_validate_json(files[EvidenceFile.SCORECARD])
        rows = [ScoredScenario.model_validate_json(line) for line in files[EvidenceFile.GRADES].splitlines()]
    except ValidationError as error:
        first = error.errors()[0]
        found.left_out.append(f"{name}: its evidence cannot be read: {first['msg']}")
        return
    base = _base(files)
    changed = sorted({row.set for row in rows} - same)
    if changed:
        found.left_out.append(f"{name}: {', '.join(changed)} had other scenarios then")
    models = dict.fromkeys(model for row in rows for model in row.passed)
    for model in models:
        of = "incumbent" if is_repeat(model) else model
        adapter = scorecard.models[of].adapter if of in scorecard.models else None
        if model == "incumbent" and adapter is None:
            continue  # the base's own answers, under another name
        passed = {
            f"{row.set}/{row.scenario}": row.passed[model] for row in rows if row.set in same and model in row.passed
        }
        found.sittings.append(Sitting(run=name, name=f"{model}, {name}", model=adapter or base, passed=passed))
    last = [one for one in scorecard.comparisons if one.against == "base" and one.scenarios]
    if last:
        found.discordance = (last[0].gained + last[0].lost) / last[0].scenarios


def _base(files: Mapping[str, bytes]) -> str:
    """What tells this base from another: its digest, where the training record is there."""
    try:
        return Training.model_validate_json(files[EvidenceFile.TRAINING]).record.base
    except (KeyError, ValidationError):
        return "base"


def _evaluations(top: Path, cluster: str, present: Present, found: History, done: set[str]) -> None:
    """Evaluations whose log is here, but for those that are an iteration's own answers: its bundle counts already."""
    here = {log.run.id: log for log in _logs(top, cluster)}
    for run in Evaluations(top).listed(cluster):
        if run.model.name.rpartition(" of ")[2] in done:
            continue
        if run.id not in here:
            found.left_out.append(f"evaluation {run.id}: its log is not here; `dvc pull` brings a kept one")
            continue
        if any(present.each_rubric.get(name) != sha256 for name, sha256 in run.rubrics.items()):
            found.left_out.append(f"evaluation {run.id}: graded by other rubrics than the present ones")
            continue
        same = {name for name, sha256 in run.scenarios_sha256.items() if present.sets.get(name) == sha256}
        columns = here[run.id].index
        rows = zip(columns.sets, columns.perturbations, columns.scenarios, columns.passed, strict=True)
        passed = {f"{one}/{name}": good for one, how, name, good in rows if one in same and how == AS_WRITTEN}
        if not passed:
            found.left_out.append(f"evaluation {run.id}: none of its sets is a present one")
            continue
        found.logs[run.id] = same
        model = run.model.adapter or run.model.base or run.model.name
        name = f"{run.model.name}, evaluation {run.id}"
        found.sittings.append(Sitting(run=run.id, name=name, model=model, passed=passed))


def _logs(top: Path, cluster: str) -> Iterator[Log]:
    """The evaluations' logs that lie in this work tree, by id."""
    folders = (top / "clusters" / cluster / "evaluations", top / ".hallmark" / "evaluations" / cluster)
    seen: set[str] = set()
    for path in (path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))):
        if path.name not in seen:
            seen.add(path.name)
            try:
                yield Log.open(path)
            except (RecordError, json.JSONDecodeError):
                continue
