"""The texts of a cluster that must not leave its boundary: those that git holds, and those that DVC brings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.edges.dvc_objects import DvcObjects
from runner.edges.git import GitObjects
from runner.edges.run_outputs import RunOutputs
from runner.edges.yaml_files import front_matter, load, parse
from runner.errors import HallmarkError, RecordError
from runner.records.pointer import DataPointer

ANSWERS = {"baseline": ("core-answers", "dev-answers", "baseline-answers"), "assess": ("answers",)}
"""What the models of an iteration said, by the phase that asked them."""
LARGEST = 5_000_000


class ForbiddenTexts:
    """Those of the tree at `commit`. What is not at hand is in `missing`, by name, once everything has been read."""

    def __init__(self, git: GitObjects, objects: DvcObjects, *, commit: str, cluster: str) -> None:
        self._git, self._objects, self._commit, self._cluster = git, objects, commit, cluster
        self.missing: list[str] = []

    def reviewed(self) -> Iterator[str]:
        """Every string of the cluster's scenarios: prompts, references, objectives, criteria, ids."""
        yield from self._below(f"scenarios/{self._cluster}")

    def beside(self) -> Iterator[str]:
        """Every string of what else people and phases wrote of the cluster: rubrics, notes, decisions, evidence."""
        for folder in (f"clusters/{self._cluster}", "rubrics", "policy/trust.yaml"):
            yield from self._below(folder)

    def ids(self) -> Iterator[str]:
        """What the cluster's scenarios are called."""
        for path in self._git.files(self._commit, f"scenarios/{self._cluster}"):
            yield path.rpartition("/")[2].removesuffix(".yaml")

    def data(self) -> Iterator[str]:
        """Every string of the rows behind the cluster's data pointers."""
        home = f"clusters/{self._cluster}/data"
        for path, file in self._git.files(self._commit, home).items():
            if path.endswith(".jsonl.dvc"):
                pointer = parse(self._git.blob(file.blob), DataPointer, path=path)
                try:
                    yield from rows(self._objects.file(pointer.outs[0], pointer.meta.sha256, where=path))
                except HallmarkError:
                    self.missing.append(path.removesuffix(".dvc"))

    def answers(self, iteration: str) -> Iterator[str]:
        """Every string of what the models of the iteration were asked and said."""
        try:
            run = RunOutputs(self._git, self._cluster, iteration)
        except RecordError:
            self.missing.append(f"the branch runs/{self._cluster}/{iteration}")
            return
        for phase, names in ANSWERS.items():
            for name in names:
                try:
                    yield from rows(run.bytes_of(name, self._objects, run.step(phase).outputs[name]))
                except (HallmarkError, KeyError):
                    self.missing.append(f"{name} of {iteration}")

    def _below(self, folder: str) -> Iterator[str]:
        files = self._git.files(self._commit, folder)
        contents = self._git.blobs(list(dict.fromkeys(file.blob for file in files.values())))
        for path, file in files.items():
            yield from strings(contents[file.blob], path=path)


def strings(data: bytes, *, path: str) -> Iterator[str]:
    """Every string of a file: of YAML, JSON and JSON lines the leaves, of other text the lines."""
    try:
        if path.endswith((".yaml", ".lock", ".dvc")):
            yield from leaves(load(data, path=path, max_bytes=LARGEST).value)
            return
        if path.endswith((".json", ".dsse.json")):
            yield from leaves(json.loads(data))
            return
        if path.endswith(".jsonl"):
            yield from rows(data)
            return
        if path.endswith(".md") and data.startswith(b"---\n"):
            head, data_after = front_matter(data, path=path)
            yield from leaves(load(head, path=path).value)
            data = data_after.encode()
    except (HallmarkError, ValueError, RecursionError):
        pass  # what it is not, it still says as text
    if not path.endswith((".svg", ".html")):
        yield from (line.strip() for line in data.decode(errors="replace").splitlines() if line.strip())


def rows(data: bytes) -> Iterator[str]:
    """Every string of JSON lines; of a line that is none, the line."""
    for line in data.splitlines():
        try:
            yield from leaves(json.loads(line))
        except (ValueError, RecursionError):
            yield line.decode(errors="replace")


def leaves(value: Any) -> Iterator[str]:
    """Every string in a value; keys are words of the format."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
