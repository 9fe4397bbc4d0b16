"""The outside, as the inside sees it. `edges/` implements each port for real; `edges/simulated.py` in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import eq
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from runner.ports_models import (
    Answers,
    Fitted,
    GeneralTasks,
    GenerationTask,
    Generators,
    Judges,
    Keep,
    LanguageModels,
    Latency,
    Model,
    NoEmbeddings,
    NoGeneralTasks,
    NoJudges,
    Pretrained,
    Progress,
    RowWriter,
    TextEmbeddings,
    Tree,
    forget,
    silent,
)
from runner.ports_promotion import Verifier
from runner.records.base import Record
from runner.records.verdict import Verdict

if TYPE_CHECKING:  # the gate starts without the records of training
    from runner.records.ledger import Entry
    from runner.records.step import Step
    from runner.records.training import TrainingRecord
    from runner.rules.data.mixture import TrainingKey

__all__ = [
    "Answers",
    "Fitted",
    "GenerationTask",
    "Generators",
    "Keep",
    "LanguageModels",
    "Latency",
    "Model",
    "Pretrained",
    "Progress",
    "RowWriter",
    "Tree",
    "forget",
    "silent",
]
"""What `ports_models` defines and is asked for here."""

R = TypeVar("R", bound=Record)


class Reader(Protocol):
    """One tree of reviewed files: a work tree, or a commit. Paths are relative and POSIX."""

    name: str
    """What is read, for messages: a directory or a commit."""

    def paths(self, prefix: str = "") -> Sequence[str]:
        """Every regular file whose path starts with `prefix`, sorted."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises `RecordError` where there is none."""


class RecordParser(Protocol):
    """Reads a reviewed file as a record: strict YAML, or, where `path` ends in `.md`, the front matter of a text."""

    def __call__(self, data: bytes, kind: type[R], *, path: str) -> R:
        """Raises `RecordErrors` with every problem of the file, each with its line, field and fix."""


class FieldLocator(Protocol):
    """Finds a field in a file that parses."""

    def __call__(self, data: bytes, field: str, *, path: str) -> int:
        """The line of the field, or of the nearest one above it that the file has."""


class Streamed(Sequence[R]):
    """Rows that are made anew each time they are gone through, and never stand in memory together."""

    def __init__(self, make: Callable[[], Iterator[R]], *, count: int) -> None:
        self._make, self._count = make, count

    def __iter__(self) -> Iterator[R]:
        return self._make()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...

    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        place = range(self._count)[index]
        return next(islice(self._make(), place, None))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Streamed) and len(self) == len(other) and all(map(eq, self, other))


class Artifacts(Protocol):
    """An iteration's files by name (`records.artifact.ARTIFACTS`). A missing one is a `DataError`."""

    def record(self, name: str, kind: type[R]) -> R: ...

    def rows(self, name: str, kind: type[R]) -> tuple[R, ...]: ...

    def stream(self, name: str, kind: type[R]) -> Iterator[R]:
        """The rows one at a time, for what is too large to hold."""

    def tree(self, name: str) -> Tree: ...

    def digest(self, name: str) -> str:
        """sha256 of the file, or of the tree."""


class TextClassifier(Protocol):
    """Light text classifiers: what a batch teaches, and how it can be told from real rows."""

    def correct(
        self, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], *, seed: int
    ) -> Sequence[bool]:
        """Which of `test` (text, label) a classifier trained on `train` gets right."""

    def told_apart(
        self, rows: Sequence[str], real: Sequence[str], *, seed: int
    ) -> tuple[Sequence[float], Sequence[float]]:
        """Scores of `rows` and of `real` by classifiers that did not see the text they score (cross-validation),
        higher for the likes of `rows`."""

    def nearest(self, rows: Sequence[str], real: Sequence[str]) -> tuple[Sequence[float], Sequence[float]]:
        """Distance of each of `rows` to its nearest of `real`, and of each of `real` to its nearest other, 0 to 1."""


class NearDuplicates(Protocol):
    """A fast first look for near-duplicates among many texts; what it finds is compared word by word afterwards."""

    def suspects(self, texts: Sequence[str], *, threshold: float, size: int) -> Collection[int]:
        """Positions of texts that may have a near-duplicate: Jaccard of word `size`-shingles at `threshold` or above.
        It may name too many and, rarely, miss a pair near the threshold; the same texts give the same answer."""


@dataclass(frozen=True)
class MachineFacts:
    host: str
    cpus: int
    memory_gib: float
    gpu: bool
    boundaries: tuple[str, ...] = ()
    """Those that the machine declares itself inside of."""


class Machine(Protocol):
    def facts(self) -> MachineFacts: ...


class Clock(Protocol):
    def now(self) -> str:
        """The time, ISO 8601 in UTC to the second."""

    def monotonic(self) -> float: ...


class Adapters(Protocol):
    """The adapters of merged promotions."""

    def fetch(self, sequence: int) -> Tree:
        """The promoted adapter's files, checked against the record's sha256. Raises `DataError` where they are not."""


class LedgerStore(Protocol):
    """The ledger branch. `append` is a compare-and-swap: it raises `LedgerRace` if another writer was first."""

    def read(self, cluster: str) -> tuple[Entry, ...]: ...

    def append(self, entry: Entry) -> None: ...


@dataclass(frozen=True)
class KeptArm:
    """An adapter that a sweep has trained, and what it took."""

    adapter: Tree
    record: TrainingRecord
    seconds: float


class ArmStore(Protocol):
    """Adapters that sweeps of the cluster trained on this machine, for an arm that would be the same again."""

    def find(self, key: TrainingKey) -> KeptArm | None:
        """What was trained with exactly that key; none where nothing was, or its bytes are no longer the recorded."""

    def keep(self, arm: KeptArm) -> None: ...


class NoArms:
    """Nothing is at hand: every arm is trained."""

    def find(self, key: TrainingKey) -> KeptArm | None:
        return None

    def keep(self, arm: KeptArm) -> None:
        """Forgotten."""


@dataclass(frozen=True)
class Ports:
    """What a phase may use of the outside."""

    models: LanguageModels
    generators: Generators
    classifier: TextClassifier
    near_duplicates: NearDuplicates
    machine: Machine
    clock: Clock
    adapters: Adapters
    verifier: Verifier
    dump_yaml: Callable[[Any], bytes]
    """A JSON value as a reviewed file's text (strict YAML, UTF-8)."""
    progress: Progress = silent
    arms: ArmStore = field(default_factory=NoArms)
    embeddings: TextEmbeddings = field(default_factory=NoEmbeddings)
    judges: Judges = field(default_factory=NoJudges)
    general: GeneralTasks = field(default_factory=NoGeneralTasks)


@dataclass(frozen=True)
class Output:
    """What a phase made: artifacts by name (a record, rows or a tree), its verdict, and what was measured."""

    artifacts: Mapping[str, Record | Sequence[Record] | Tree]
    verdict: Verdict = field(default_factory=Verdict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    """What cannot repeat. `compute_s` is the seconds spent training and generating."""
    seen: frozenset[str] = frozenset()
    """The scenario sets that it looked into. `pipeline.perform` says so, not the phase."""


class Run(Protocol):
    """One iteration's branch, `runs/<cluster>/<iteration>`, checked out. What is not committed may be lost."""

    @property
    def reader(self) -> Reader: ...

    @property
    def artifacts(self) -> Artifacts: ...

    def steps(self) -> Mapping[str, Step]:
        """The phases committed on the branch, by name."""

    def restore(self, digests: Mapping[str, str]) -> None:
        """Bring every named artifact as it was recorded. Raises `DataError` where the bytes are not those."""

    def bring(self, path: str, data: bytes) -> None:
        """Take over a reviewed file that main gained since the branch was cut (the triage decisions)."""

    def write(self, artifacts: Mapping[str, Record | Sequence[Record] | Tree]) -> None: ...

    def commit(self, step: Step, stages: Sequence[str]) -> None:
        """Hash the stages' outputs into `dvc.lock`, push them, commit and push the branch."""


class Runs(Protocol):
    def open(self, cluster: str, iteration: str) -> Run:
        """The iteration's branch: taken up where it is, or cut from the tree that is read."""

    def recorded(self, cluster: str, iteration: str, name: str, kind: type[R]) -> R | None:
        """An artifact that git keeps, as the iteration's branch has it; None where it did not get that far."""


class PullRequests(Protocol):
    def open(self, branch: str, files: Mapping[str, bytes | None], *, title: str, body: str) -> str:
        """Push `branch`, the tree that is read with `files` written over it; None deletes. One that is open stays as it
        is."""
