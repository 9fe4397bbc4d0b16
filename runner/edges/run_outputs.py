"""What a finished iteration left on its run branch, from git's objects, and the adapter that its DVC pointer names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runner.edges.adapter_store import SAFE_NAME, DvcAdapterStore
from runner.edges.git import GitObjects
from runner.errors import DataError, RecordError
from runner.ports import Tree
from runner.records.artifact import ARTIFACTS
from runner.records.pointer import PointerOut


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

    def tree(self, name: str) -> dict[str, bytes]:
        """The files of a directory that git keeps, by relative path."""
        home = self._path(name)
        found = self._git.files(self.tip, home)
        return {path.removeprefix(f"{home}/"): self._git.blob(file.blob) for path, file in found.items()}

    def measured(self, phase: str) -> Mapping[str, Any]:
        """What the phase measured, from its step on the branch."""
        step = json.loads(self._git.read(self.tip, f"clusters/{self._cluster}/run/steps/{phase}.json"))
        measured: Mapping[str, Any] = step["measured"]
        return measured

    def pointer(self, name: str) -> PointerOut:
        """The DVC pointer of a directory that DVC keeps, from `dvc.lock`."""
        path = self._path(name)
        lock = yaml.safe_load(self._git.read(self.tip, "dvc.lock"))
        for stage in lock.get("stages", {}).values():
            for out in stage.get("outs", ()):
                if out.get("path") == path and "md5" in out:
                    fields = {key: out[key] for key in ("md5", "size", "nfiles", "path") if key in out}
                    return PointerOut.model_validate(fields)
        raise DataError(f"{self.branch}: dvc.lock has no {path}")

    def adapter(self, store: DvcAdapterStore, digest: str) -> dict[str, bytes]:
        """The adapter's files. Raises `DataError` unless they are the ones with this digest."""
        files = store.directory(self.pointer("adapter").md5, where=self.branch)
        if Tree(files).digest != digest or not all(SAFE_NAME.match(name) for name in files):
            raise DataError(f"{self.branch}: the adapter in DVC is not the one that was trained")
        return files


def work_tree_store(home: Path) -> DvcAdapterStore:
    """The adapters in the cache or at the default remote of the repository at `home`."""
    texts = [file.read_bytes() for name in ("config", "config.local") if (file := home / ".dvc" / name).is_file()]
    return DvcAdapterStore(b"\n".join(texts), home=home, caches=(home / ".dvc" / "cache",))


def folder_store(folder: Path) -> DvcAdapterStore:
    """The adapters in one DVC storage directory, for a bare server."""
    config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {folder.resolve()}\n"
    return DvcAdapterStore(config.encode(), home=folder.resolve())
