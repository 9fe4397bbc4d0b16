"""A repository in memory: the ledger, run branches and pull requests, for tests that turn all thirteen phases.

What is committed stays; what is not is gone when a run is opened again, as after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from runner.edges.artifacts import record_bytes, rows_bytes
from runner.edges.simulated import MemoryArtifacts
from runner.errors import DataError, LedgerRace, RecordError
from runner.ports import Artifacts, Reader, Tree
from runner.records.base import Record
from runner.records.ledger import Entry
from runner.records.step import Step

R = TypeVar("R", bound=Record)
Value = Record | Sequence[Record] | Tree


class MemoryReader:
    """`ports.Reader` over a mapping of paths to bytes."""

    def __init__(self, files: Mapping[str, bytes], name: str = "memory") -> None:
        self.files, self.name = files, name

    def paths(self, prefix: str = "") -> Sequence[str]:
        return sorted(path for path in self.files if path.startswith(prefix))

    def read(self, path: str) -> bytes:
        try:
            return self.files[path]
        except KeyError:
            raise RecordError("no such file", path=path) from None


class MemoryLedger:
    """`ports.LedgerStore`: a compare-and-swap on the sequence."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[Entry, ...]] = {}

    def read(self, cluster: str) -> tuple[Entry, ...]:
        return self.entries.get(cluster, ())

    def append(self, entry: Entry) -> None:
        before = self.read(entry.cluster)
        if entry.sequence != len(before) + 1:
            raise LedgerRace(f"{entry.cluster}: entry {entry.sequence} is taken")
        self.entries[entry.cluster] = (*before, entry)


class MemoryRun:
    """`ports.Run`: a working copy of what its branch has committed."""

    def __init__(self, branch: MemoryBranch) -> None:
        self.branch = branch
        self.files = dict(branch.files)
        self.values = dict(branch.values)

    @property
    def reader(self) -> Reader:
        return MemoryReader(self.files)

    @property
    def artifacts(self) -> Artifacts:
        return MemoryArtifacts(self.values)

    def steps(self) -> Mapping[str, Step]:
        return dict(self.branch.steps)

    def restore(self, digests: Mapping[str, str]) -> None:
        wrong = [name for name, digest in digests.items() if self.artifacts.digest(name) != digest]
        if wrong:
            raise DataError(f"{', '.join(wrong)}: the bytes are not those that were recorded")

    def bring(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def write(self, artifacts: Mapping[str, Value]) -> None:
        self.values.update(artifacts)

    def commit(self, step: Step, stages: Sequence[str]) -> None:
        self.branch.files, self.branch.values = dict(self.files), dict(self.values)
        self.branch.steps[step.phase] = step


class MemoryBranch:
    def __init__(self, files: Mapping[str, bytes], values: Mapping[str, Value]) -> None:
        self.files, self.values = dict(files), dict(values)
        self.steps: dict[str, Step] = {}


class MemoryRuns:
    """`ports.Runs`: branches cut from `files` and the data in `values`."""

    def __init__(self, files: Mapping[str, bytes], values: Mapping[str, Value]) -> None:
        self.files, self.values = files, values
        self.branches: dict[tuple[str, str], MemoryBranch] = {}

    def open(self, cluster: str, iteration: str) -> MemoryRun:
        branch = self.branches.setdefault((cluster, iteration), MemoryBranch(self.files, self.values))
        return MemoryRun(branch)

    def recorded(self, cluster: str, iteration: str, name: str, kind: type[R]) -> R | None:
        branch = self.branches.get((cluster, iteration))
        return MemoryArtifacts(branch.values).record(name, kind) if branch and name in branch.values else None


class MemoryPullRequests:
    """`ports.PullRequests`: the branches that were opened, and their files."""

    def __init__(self) -> None:
        self.branches: dict[str, dict[str, bytes]] = {}

    def open(self, branch: str, files: Mapping[str, bytes], *, title: str, body: str) -> str:
        self.branches.setdefault(branch, dict(files))
        return branch


def value_bytes(value: Value) -> bytes:
    """What a value would be as a file; a tree is its digest."""
    if isinstance(value, Tree):
        return value.digest.encode()
    return record_bytes(value) if isinstance(value, Record) else rows_bytes(value)
