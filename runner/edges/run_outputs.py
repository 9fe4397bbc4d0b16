"""What a finished iteration left on its run branch, from git's objects, and the adapter that its DVC pointer names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from runner.edges.dvc_lock import locked
from runner.edges.dvc_objects import DvcObjects
from runner.edges.git import GitObjects
from runner.errors import DataError, RecordError, RecordErrors
from runner.records.artifact import ARTIFACTS
from runner.records.base import Record
from runner.records.pointer import PointerOut
from runner.records.step import Step
from runner.rules.repository.problems import explain
from runner.rules.tree import Tree

R = TypeVar("R", bound=Record)
REMAKE = "the run branch was edited by hand: run the iteration again"


class RunOutputs:
    """The run branch of one iteration. Raises `RecordError` where there is none."""

    def __init__(self, git: GitObjects, cluster: str, iteration: str) -> None:
        self.branch = f"runs/{cluster}/{iteration}"
        self._git, self._cluster = git, cluster
        refs = (f"refs/heads/{self.branch}", f"refs/remotes/origin/{self.branch}")
        tip = next((found for ref in refs if (found := git.resolve(ref))), None)
        if tip is None:
            raise RecordError(f"there is no branch {self.branch}", hint="fetch it, or run `hallmark iterate` first")
        self.tip = tip

    def _path(self, name: str) -> str:
        return f"clusters/{self._cluster}/{ARTIFACTS[name].path}"

    def file(self, name: str) -> bytes:
        """A record's or rows' file that git keeps."""
        return self._git.read(self.tip, self._path(name))

    def record(self, name: str, kind: type[R]) -> R:
        """A record's file. Raises `RecordErrors` that name file and field."""
        return self.parsed(self.file(name), kind, path=self._path(name))

    def parsed(self, data: bytes, kind: type[R], *, path: str) -> R:
        """What `data`, of the file at `path`, says."""
        try:
            return kind.model_validate_json(data)
        except ValidationError as error:
            where = f"{self.branch}:{path}"
            raise RecordErrors(
                RecordError(one.problem, path=where, field=one.field, hint=one.hint or REMAKE)
                for one in explain(error, kind)
            ) from None

    def tree(self, name: str) -> dict[str, bytes]:
        """The files of a directory that git keeps, by relative path."""
        home = self._path(name)
        found = self._git.files(self.tip, home)
        return {path.removeprefix(f"{home}/"): self._git.blob(file.blob) for path, file in found.items()}

    def measured(self, phase: str) -> Mapping[str, Any]:
        """What the phase measured, from its step on the branch."""
        return self.step(phase).measured

    def step(self, phase: str) -> Step:
        """What the phase did. Raises `RecordError` where it has not run."""
        path = f"clusters/{self._cluster}/run/steps/{phase}.json"
        return self.parsed(self._git.read(self.tip, path), Step, path=path)

    def pointer(self, name: str) -> PointerOut:
        """The DVC pointer of what DVC keeps, from `dvc.lock`."""
        path = self._path(name)
        found = locked(self._git.read(self.tip, "dvc.lock")).get(path)
        if found is None:
            raise DataError(f"{self.branch}: dvc.lock has no {path}")
        return found

    def adapter(self, objects: DvcObjects, digest: str) -> Mapping[str, bytes]:
        """The adapter's files. Raises `DataError` unless they are the ones with this digest."""
        return self.tree_of("adapter", objects, digest).files

    def tree_of(self, name: str, objects: DvcObjects, digest: str) -> Tree:
        """A directory that DVC keeps. Raises `DataError` unless it is the one with this digest."""
        return objects.tree(self.pointer(name), digest, where=f"{self.branch}: the {name}")

    def bytes_of(self, name: str, objects: DvcObjects, digest: str) -> bytes:
        """A file that DVC keeps. Raises `DataError` unless it is the one with this digest."""
        return objects.file(self.pointer(name), digest, where=f"{self.branch}: {name}")
