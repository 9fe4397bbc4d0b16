"""Where an iteration's candidates come from, read off its run branch, its gold and the rubrics of a work tree.

What cannot be had (no such branch, no network, an object that DVC lacks) is left out, and said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from runner import workspace
from runner.edges.dvc_objects import DvcObjects
from runner.edges.git import GitObjects
from runner.edges.git_command import attempt, has_remote
from runner.edges.readers import DirectoryReader
from runner.edges.run_outputs import RunOutputs
from runner.edges.yaml_files import parse
from runner.errors import DataError, HallmarkError
from runner.records.artifact import ARTIFACTS
from runner.records.base import Record
from runner.records.dataset import Batch, Candidate, Example
from runner.records.failure import Diagnosis
from runner.records.pointer import DataPointer
from runner.records.step import Step
from runner.records.trace import UniqueSignal
from runner.records.validation import ValidationReport
from runner.rules.triage.background import Background

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def background(main: Path, top: Path, cluster: str, iteration: str, *, admit: Callable[[], None]) -> Background:
    """The repository is at `main`, the reviewed files that count at `top`. `admit` raises where this machine may not
    bring the cluster's data. Never raises a `HallmarkError`: what cannot be had is named."""
    missing: list[str] = []

    def had(what: str, get: Callable[[], T]) -> T | None:
        try:
            return get()
        except HallmarkError as error:
            missing.append(f"{what} cannot be had: {error}")
            return None

    space = had("the rubrics", lambda: workspace.load(DirectoryReader(top), cluster, parse=parse))
    with GitObjects(main) as git:
        outputs = had("what the iteration wrote", lambda: _outputs(main, git, cluster, iteration, admit))
        found = Background()
        if outputs is not None:
            run = _Run(git, outputs, DvcObjects.of_work_tree(main), cluster)
            report = had("validation", lambda: run.record("validation", ValidationReport))
            diagnosis = had("the diagnosis", lambda: run.record("diagnosis", Diagnosis))
            found = Background(
                batches={one.id: one for one in had("batches", lambda: run.rows("batches", Batch)) or ()},
                validations={one.batch: one for one in report.batches} if report else {},
                failures={one.id: one for one in diagnosis.failures} if diagnosis else {},
                signals={one.signal.id: one for one in had("production traces", run.unique) or ()},
                candidates={one.example.id: one for one in had("candidates", run.candidates) or ()},
                gold={one.id: one for one in had("gold", run.gold) or ()},
            )
    return replace(
        found,
        rubrics=tuple(space.rubrics.values()) if space else (),
        capabilities={one.id: one for one in space.cluster.capabilities} if space else {},
        missing=tuple(missing),
    )


def _outputs(main: Path, git: GitObjects, cluster: str, iteration: str, admit: Callable[[], None]) -> RunOutputs:
    """The run branch as origin has it, or as it was last fetched."""
    admit()
    branch = f"runs/{cluster}/{iteration}"
    if has_remote(main):
        attempt(main, "fetch", "--quiet", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}")
    return RunOutputs(git, cluster, iteration)


class _Run:
    """What a run branch kept in git, and what DVC kept of it, checked by sha256."""

    def __init__(self, git: GitObjects, outputs: RunOutputs, objects: DvcObjects, cluster: str) -> None:
        self._git, self._outputs, self._objects, self._cluster = git, outputs, objects, cluster

    def record(self, name: str, kind: type[R]) -> R:
        return self._outputs.record(name, kind)

    def rows(self, name: str, kind: type[R]) -> tuple[R, ...]:
        return _rows(self._outputs.file(name), kind, where=f"{self._outputs.branch}: {name}")

    def kept(self, name: str, phase: str, kind: type[R]) -> tuple[R, ...]:
        """Rows that `phase` wrote and DVC kept."""
        where, path = f"{self._outputs.branch}: {name}", f"clusters/{self._cluster}/run/steps/{phase}.json"
        step = self._outputs.parsed(self._git.read(self._outputs.tip, path), Step, path=path)
        data = self._objects.file(self._outputs.pointer(name), step.outputs[name], where=where)
        return _rows(data, kind, where=where)

    def unique(self) -> tuple[UniqueSignal, ...]:
        return self.kept("unique", "deduplicate", UniqueSignal)

    def candidates(self) -> tuple[Candidate, ...]:
        return self.kept("candidates", "expand", Candidate)

    def gold(self) -> tuple[Example, ...]:
        path = f"clusters/{self._cluster}/{ARTIFACTS['gold'].path}"
        pointer = parse(self._git.read(self._outputs.tip, f"{path}.dvc"), DataPointer, path=f"{path}.dvc")
        data = self._objects.file(pointer.outs[0], pointer.meta.sha256, where=path)
        return _rows(data, Example, where=path)


def _rows(data: bytes, kind: type[R], *, where: str) -> tuple[R, ...]:
    try:
        return tuple(kind.model_validate_json(line) for line in data.splitlines())
    except ValidationError as error:
        raise DataError(f"{where}: is not made of {kind.__name__}s: {error}") from error
