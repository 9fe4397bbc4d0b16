"""The outside, as the inside sees it. `edges/` implements each port for real; `edges/simulated.py` in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from runner.records.base import Record
from runner.records.verdict import Verdict
from runner.rules.canonical import tree_digest

if TYPE_CHECKING:  # the gate starts without the records of training
    from runner.records.cluster import Base
    from runner.records.conversation import Conversation
    from runner.records.dataset import Example
    from runner.records.ledger import Entry
    from runner.records.params import BaseRecipe, TrainRecipe
    from runner.records.step import Step
    from runner.records.training import TrainingRow

R = TypeVar("R", bound=Record)
Progress = Callable[[str, float], None]
"""Told what is being done and what share of it is done, 0 to 1."""


def silent(message: str, share: float) -> None:
    """A `Progress` that says nothing."""


@dataclass(frozen=True)
class Tree:
    """A directory of small files as a value: relative POSIX path to bytes."""

    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """sha256 over the canonical list of [path, sha256], sorted by path."""
        return tree_digest(self.files)


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


class Artifacts(Protocol):
    """An iteration's files by name (`records.artifact.ARTIFACTS`). A missing one is a `DataError`."""

    def record(self, name: str, kind: type[R]) -> R: ...

    def rows(self, name: str, kind: type[R]) -> tuple[R, ...]: ...

    def tree(self, name: str) -> Tree: ...

    def digest(self, name: str) -> str:
        """sha256 of the file, or of the tree."""


@dataclass(frozen=True)
class Model:
    """A base and, perhaps, an adapter on it. `weights` holds a tiny base's files; it is empty for `path` and `hub`."""

    base: Base
    weights: Tree
    adapter: Tree | None = None


@dataclass(frozen=True)
class Answers:
    """Greedy answers in the order of the prompts; `tokens` counts the generated ones. Seconds are measured."""

    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    seconds: float = 0.0


@dataclass(frozen=True)
class Pretrained:
    weights: Tree
    parameters: int
    steps: int
    dev_by_steps: Mapping[int, float]
    loss: tuple[float, ...]


@dataclass(frozen=True)
class Fitted:
    adapter: Tree
    tokens: int
    steps: int
    loss: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Latency:
    """One request at a time, in milliseconds; memory is the process's peak."""

    p50_ms: float
    p95_ms: float
    peak_memory_mib: float


class LanguageModels(Protocol):
    """Causal language models: pre-train a tiny base, answer, sample, fit an adapter. Every method is deterministic
    for its arguments on one CPU type and thread count; `instruction` is the system message, none where empty."""

    @property
    def version(self) -> str: ...

    @property
    def import_seconds(self) -> float:
        """What importing the model libraries has taken in this process; 0 before."""

    def pretrain(
        self,
        examples: Sequence[Example],
        dev: Sequence[Example],
        *,
        instruction: str,
        recipe: BaseRecipe,
        seed: int,
        threads: int,
        progress: Progress = silent,
    ) -> Pretrained: ...

    def answer(
        self, model: Model, prompts: Sequence[Conversation], *, max_new_tokens: int, progress: Progress = silent
    ) -> Answers:
        """Greedy, batched, length-sorted, left-padded."""

    def sample(
        self, model: Model, labels: Sequence[str], *, temperature: float, seed: int, max_new_tokens: int
    ) -> tuple[str, ...]:
        """One user message per label, sampled from the class-conditioned model."""

    def fit(
        self,
        model: Model,
        rows: Sequence[TrainingRow],
        *,
        instruction: str,
        recipe: TrainRecipe,
        seed: int,
        threads: int,
        progress: Progress = silent,
    ) -> Fitted:
        """TRL SFT with LoRA from the base (or from `model.adapter`), completion-only loss, replay rows known by use."""

    def strengthen(self, adapter: Tree, factor: float) -> Tree:
        """The adapter with its update scaled by `factor`."""

    def latency(self, model: Model, prompts: Sequence[Conversation], *, max_new_tokens: int) -> Latency: ...


class TextClassifier(Protocol):
    """A light text classifier, for utility."""

    def accuracy(self, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], *, seed: int) -> float:
        """Share of `test` (text, label) that a classifier trained on `train` gets right."""


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
class Ports:
    """What a phase may use of the outside."""

    models: LanguageModels
    classifier: TextClassifier
    near_duplicates: NearDuplicates
    machine: Machine
    clock: Clock
    adapters: Adapters
    dump_yaml: Callable[[Any], bytes]
    """A JSON value as a reviewed file's text (strict YAML, UTF-8)."""
    progress: Progress = silent


@dataclass(frozen=True)
class Output:
    """What a phase made: artifacts by name (a record, rows or a tree), its verdict, and what was measured."""

    artifacts: Mapping[str, Record | Sequence[Record] | Tree]
    verdict: Verdict = field(default_factory=Verdict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    """What cannot repeat. `compute_s` is the seconds spent training and generating."""


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


class PullRequests(Protocol):
    def open(self, branch: str, files: Mapping[str, bytes], *, title: str, body: str) -> str:
        """Push `branch`, the tree that is read plus `files`. Opening it again with the same files changes nothing."""
