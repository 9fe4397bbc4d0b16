"""Settings to the edges of a review: two commits, and what is at hand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from runner import survey_files
from runner import workspace as workspaces
from runner.edges.git import GitObjects
from runner.edges.git_command import git
from runner.edges.logs.kept import Log
from runner.edges.logs.store import Evaluations
from runner.edges.readers import CommitReader
from runner.edges.simulated import MemoryArtifacts
from runner.edges.yaml_files import line_of, parse
from runner.errors import DataError, GitError, HallmarkError, RecordError
from runner.ports import LanguageModels, Progress, Reader, silent
from runner.records.change import PathChange
from runner.records.change_review import ChangeReview, Place, Preview, Refusal, What
from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.intake import Intake
from runner.records.score import GradedAnswer
from runner.records.terms import SetName
from runner.rules.evaluation.scoring import AS_WRITTEN
from runner.rules.repository.layout import PARAMS
from runner.rules.review.change import NO_ANSWERS, Change, review
from runner.rules.review.overlaps import compared, new_scenarios
from runner.rules.review.regrading import Stored, concerned
from runner.rules.review.scenarios import scenario_changes
from runner.rules.review.side import Side, withheld
from runner.rules.review.signing import touched_clusters
from runner.wiring import evaluate, flywheel, logs
from runner.workspace import Inputs, Tray, Workspace

EXTRA = "needs the extra `{}`: pip install 'hallmark-flywheel[{}]'"
IN_STORE = "those of {} are in the data store: {}"
UNREADABLE = "what is kept of evaluations, or the cluster before the change, cannot be read; hallmark check says why"
NOT_YET = "the cluster is not on the base yet, and so no model serves it"
BROKEN = "its files cannot be read after the change; hallmark check says why"
LATEST = 20
"""Run branches that are looked at."""
ANSWERED_BY = ("candidate", "incumbent", "base")
"""Whose answers of an iteration are graded again, the best first."""


def reviewed(
    path: Path,
    base: str,
    head: str = "HEAD",
    *,
    preview: bool = False,
    models: LanguageModels | None = None,
    progress: Progress = silent,
) -> ChangeReview:
    """What changes from `base`, or from where `head` left it, to `head`. With `preview` the incumbent is asked the new
    and changed scenarios, by the engine that the cluster serves with or by `models`. Raises `GitError` for a commit
    that there is not."""
    top = flywheel.root(path)
    new = flywheel.commit(top, head)
    old = _fork(top, flywheel.commit(top, base), new)
    with GitObjects(top) as objects:
        paths = objects.diff(old, new)
    earlier = CommitReader(top, old)
    readers = earlier, CommitReader(top, new, beside=earlier)
    clusters = _clusters(paths, readers)
    before, after = (_side(reader, clusters) for reader in readers)
    change = Change(base=old, head=new, paths=paths, before=before, after=after, clusters=clusters)
    asked = [name for name in clusters if concerned(before, after, name)]
    fresh = [name for name in clusters if new_scenarios(before, after, name)]
    change = replace(
        change,
        stored={name: _stored(top, readers[0], name) for name in asked},
        gold={name: rows for name in fresh if (rows := _gold(top, name)) is not None},
    )
    previews = [_preview(top, readers, change, name, models, progress) for name in clusters] if preview else []
    return review(change, problems=_problems(readers[1]), previews=[one for one in previews if one])


def _fork(top: Path, base: str, head: str) -> str:
    """Where `head` left `base`; what `base` gained since is no part of the change."""
    try:
        return git(top, "merge-base", base, head) or base
    except GitError:
        return base


def _clusters(paths: Sequence[PathChange], readers: Sequence[Reader]) -> tuple[str, ...]:
    """The clusters that the change may concern: all of them where it touches rubrics or knobs, which they share."""
    touched = touched_clusters(paths)
    shared = any(one.path.startswith("rubrics/") or one.path == PARAMS for one in paths)
    everywhere = {name for reader in readers for name in workspaces.clusters(reader)} if shared else set()
    problems = {one.path.split("/")[1] for one in paths if one.path.startswith("clusters/")}
    return tuple(sorted({*touched, *everywhere, *problems}))


def _side(reader: Reader, clusters: Sequence[str]) -> Side:
    """The records of one commit; files that cannot be read are left out, `_problems` tells of them."""
    wanted = [path for start in ("rubrics/", PARAMS, "policy/trust.yaml") for path in reader.paths(start)]
    for name in clusters:
        home = f"clusters/{name}/"
        files = ("cluster.yaml", "problem.md", "benchmark.lock", "promotions/")
        wanted += [path for file in files for path in reader.paths(home + file)]
        wanted += reader.paths(f"scenarios/{name}/")
    signers, revoked = (reader.read(path) if reader.paths(path) else b"" for path in workspaces.POLICY[:2])
    tray = Tray(reader, parse)
    return Side(tray.these(wanted), partial(_line, reader), signers, revoked, tray.broken)


def _line(reader: Reader, path: str, field: str) -> int:
    try:
        return line_of(reader.read(path), field, path=path)
    except RecordError:
        return 1


def _problems(reader: Reader) -> list[Refusal]:
    """What `hallmark check` finds in the whole tree after the change."""
    found = survey_files.survey(reader, parse=parse, locate=line_of).problems
    return [_refusal(one) for one in found]


def _refusal(problem: RecordError) -> Refusal:
    """A problem may quote the file: of a set that is withheld it is only said that there is one."""
    at = Place(path=problem.path or "(the repository)", line=problem.line or 1)
    if withheld(problem.path):
        return Refusal(at=at, problem="does not hold what it must", hint=f"hallmark check {problem.path}")
    said = f"{problem.field}: {problem.problem}" if problem.field else problem.problem
    return Refusal(at=at, problem=said, hint=problem.hint)


def _stored(top: Path, reader: Reader, cluster: str) -> Stored | str:
    """The answers of the last evaluation at hand, else of the iteration that the files before the change began; or why
    there are none."""
    try:
        runs = sorted(Evaluations(top).listed(cluster), key=lambda run: (str(run.measured.get("started", "")), run.id))
        iteration = _iteration(top, reader, cluster)
    except HallmarkError:  # it may quote held-out
        return UNREADABLE
    names = [run.id for run in reversed(runs)] + [f"{iteration}/{model}" for model in ANSWERED_BY if iteration]
    elsewhere = ""
    for name in names:
        try:
            found = _answers(top, name)
        except ImportError:
            return IN_STORE.format(name, EXTRA.format("data", "data"))
        except DataError:
            elsewhere = elsewhere or name
            continue
        if found is not None:
            return found
    return IN_STORE.format(elsewhere, "run hallmark review where that can be read") if elsewhere else NO_ANSWERS


def _iteration(top: Path, reader: Reader, cluster: str) -> str:
    """The iteration that is pinned to the tree, the one worked on last of several: triggers may have begun some of the
    same files. Empty where none of those at hand is."""
    homes = (f"refs/heads/runs/{cluster}/", f"refs/remotes/origin/runs/{cluster}/")
    refs = git(top, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", *homes).splitlines()
    if not refs:
        return ""
    from runner.phases.p01_intake import pin

    pins = pin(workspaces.load(reader, cluster, parse=parse)).pins
    found = (_intake(top, ref, cluster) for ref in refs[:LATEST])
    return next((one.iteration for one in found if one is not None and one.pins == pins), "")


def _intake(top: Path, ref: str, cluster: str) -> Intake | None:
    """What the run branch was pinned to; none where it does not say."""
    try:
        return Intake.model_validate_json(git(top, "show", f"{ref}:clusters/{cluster}/run/intake.json"))
    except (GitError, ValidationError):
        return None


def _answers(top: Path, name: str) -> Stored | None:
    """The answers of an evaluation or an iteration's model; None where it has none. Raises `DataError` where their
    bytes are not here and cannot be brought, and `ImportError` without the extra `data`."""
    try:
        log: Log = logs.log_of(top, name)
    except DataError:
        raise
    except (HallmarkError, KeyError):
        return None
    told = [one for one in log.samples() if not one.withheld and one.set in tuple(SetName)]
    kind = log.run.model.kind
    rows = [
        GradedAnswer(model=kind, set=SetName(one.set), perturbation=one.perturbation, grade=one.grade, tokens=0)
        for one in told
    ]
    asked = {one.grade.scenario: last_user_text(one.input) for one in told if one.perturbation == AS_WRITTEN}
    known = {name: text for name, text in asked.items() if text}
    return Stored(f"{log.run.model.name} ({log.run.id})", rows, known) if rows else None


def _gold(top: Path, cluster: str) -> tuple[Example, ...] | None:
    """The cluster's human training data; None where they are not in the work tree as they were recorded."""
    try:
        data = flywheel.data_of(top, cluster)
        return data.rows("gold", Example) if data.exists("gold") else None
    except HallmarkError:
        return None


def _preview(
    top: Path,
    readers: tuple[CommitReader, CommitReader],
    change: Change,
    cluster: str,
    models: LanguageModels | None,
    progress: Progress,
) -> Preview | None:
    """The incumbent's answers to what the cluster gains; None where it gains nothing that a model is asked."""
    from runner.phases.trial import NEVER_ASKED, Shown, previewed

    found, hidden = change.after.scenarios(cluster), compared(change.before, change.after, cluster, ()).hidden
    chosen = [
        Shown(one.at, one.set, found[one.id].scenario)
        for one in scenario_changes(change.before, change.after, cluster)
        if one.what is not What.REMOVED and one.set is not NEVER_ASKED and one.id not in hidden
    ]
    if not chosen:
        return None
    was, now = (_readable(reader, cluster) for reader in readers)
    if was is None or now is None:
        return Preview(cluster=cluster, why_not=NOT_YET if was is None else BROKEN)
    try:
        space = _asked_as(was, now)
        ports = flywheel.ports(top, space, progress=progress)
        ports = replace(ports, models=models) if models is not None else ports
        model = evaluate.choose(top, was, ports, "incumbent")
        inputs = Inputs(space, MemoryArtifacts({"base": model.model.weights}))
        return previewed(inputs, ports, model.model, chosen, name=model.who.name)
    except ImportError:
        return Preview(cluster=cluster, why_not=EXTRA.format("train", "train"))
    except HallmarkError as error:
        return Preview(cluster=cluster, why_not=str(error))


def _asked_as(was: Workspace, now: Workspace) -> Workspace:
    """The scenarios and rubrics of the change; where models and judges are, and how they are asked, as before it. A
    change that nobody merged yet must not say what this machine connects to or loads."""
    return replace(now, cluster=was.cluster, params=was.params, judges=was.judges, calibrations=was.calibrations)


def _readable(reader: Reader, cluster: str) -> Workspace | None:
    """The cluster; None where there is none, or where it cannot be read: why may quote held-out."""
    try:
        return workspaces.load(reader, cluster, parse=parse)
    except RecordError:
        return None
