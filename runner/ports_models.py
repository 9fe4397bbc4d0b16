"""Models, as the inside sees them: what a language model can be asked, and what writes candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from runner.errors import ModelError
from runner.rules.tree import Tree as Tree

if TYPE_CHECKING:  # the gate starts without the records of training
    from runner.records.cluster import Base
    from runner.records.conversation import Conversation
    from runner.records.dataset import Channel, Example, Generator
    from runner.records.evaluation_policy import GeneralTask
    from runner.records.generation import GeneratorChoice, Server
    from runner.records.judging import JudgeFile
    from runner.records.params import BaseRecipe, TrainRecipe
    from runner.records.training import TrainingRow
    from runner.rules.data.generation import Aim, Draft
    from runner.rules.evaluation.answer_key import Identity
    from runner.rules.judges.asking import Question
    from runner.rules.text.semantic import Vectors

Progress = Callable[[str, float], None]
"""Told what is being done and what share of it is done, 0 to 1."""


def silent(message: str, share: float) -> None:
    """A `Progress` that says nothing."""


Keep = Callable[[int, str, int], None]
"""Told of each answer as soon as it is had: which prompt's it is, its text, its tokens."""


def forget(index: int, text: str, tokens: int) -> None:
    """A `Keep` that keeps nothing."""


@dataclass(frozen=True)
class Model:
    """A base and, perhaps, an adapter on it. `weights` holds a tiny base's files; it is empty for `path` and `hub`."""

    base: Base
    weights: Tree
    adapter: Tree | None = None


@dataclass(frozen=True)
class Answers:
    """Greedy answers in the order of the prompts; `tokens` counts the generated ones.

    `seconds` is measured, of the answers alone that were generated for this call: those at `remembered` were not.
    """

    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    seconds: float = 0.0
    remembered: frozenset[int] = frozenset()

    @property
    def generated(self) -> int:
        """How many answers `seconds` were spent on."""
        return len(self.texts) - len(self.remembered)

    @property
    def generated_tokens(self) -> int:
        """How many tokens they have."""
        return sum(count for index, count in enumerate(self.tokens) if index not in self.remembered)


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
    def usage(self) -> Mapping[str, int]:
        """What servers have been asked for since this was made: `requests`, `sent_again`, `prompt_tokens` and
        `completion_tokens`. Empty where no server answers."""

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

    def identity(self, model: Model) -> Identity:
        """All that decides what `model` answers here, had without answering: what a cache of answers is keyed by."""

    def answer(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        choices: Sequence[str] = (),
        progress: Progress = silent,
        keep: Keep = forget,
        fresh: bool = False,
    ) -> Answers:
        """Greedy. With `choices`, among these alone: at each token the likeliest of those with which one of them can
        still be said (the first by id where equal). `fresh` asks the model also where an answer is remembered."""

    def sample(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        temperature: float,
        seed: int,
        max_new_tokens: int,
        top_p: float = 0.95,
    ) -> tuple[str, ...]:
        """One text a prompt, drawn by nucleus sampling. All prompts belong to one draw."""

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


@dataclass(frozen=True)
class GenerationTask:
    """What candidates are wanted for, and what may be used to write them."""

    aims: Mapping[str, Aim]
    """By capability, the most urgent first."""
    title: str
    """What the specialist is for."""
    base: Model
    base_digest: str
    """What the base is: the digest of its artifact, or of its pin."""
    fitted: Callable[[], tuple[Model, Generator]]
    """The base, with an adapter fitted on the targets' human rows where there are enough; made when first asked for."""
    servers: Sequence[Server]
    temperature: float
    attempts: int
    seed: int


class RowWriter(Protocol):
    """One generator, opened for a task: it is what `made_by` says, and the same task gives the same drafts again."""

    @property
    def made_by(self) -> Generator: ...

    @property
    def channel(self) -> Channel: ...

    @property
    def checked(self) -> bool:
        """Whether the model must answer a draft's message with the draft's answer before it is taken."""

    def parameters(self, capability: str) -> Mapping[str, str | int | float | bool]:
        """How rows of `capability` are written, for their provenance."""

    def write(self, wanted: Mapping[str, int], *, turn: int, progress: Progress = silent) -> Sequence[Draft]:
        """Drafts towards `wanted` rows of each capability: perhaps more, or fewer, and of those that could not be read
        as rows what was written instead. Raises `ModelError`; what a server had answered by then is kept."""

    @property
    def measured(self) -> Mapping[str, Any]:
        """What does not repeat: requests sent, tokens used."""


class Generators(Protocol):
    def open(self, choice: GeneratorChoice, task: GenerationTask) -> RowWriter:
        """Raises `ModelError` where the generator cannot be had: an unknown server, a key that is not set."""


@dataclass(frozen=True)
class Embedded:
    """Vectors, a row a text, and the digest of the files of the model that made them."""

    vectors: Vectors
    model: str


class TextEmbeddings(Protocol):
    """Sentence embeddings by a model at a path."""

    def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """Raises `ModelError` where there is no such model."""


class NoEmbeddings:
    """Where no model can be loaded."""

    def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        raise ModelError(f"no embedding model can be loaded here: {model}")


class GeneralTasks(Protocol):
    """Tasks of another harness, for what a specialist must not forget."""

    def ready(self, tasks: Sequence[GeneralTask]) -> None:
        """Raises `ModelError` where there is no harness for them: before anything is trained, not after."""

    def score(
        self, model: Model, tasks: Sequence[GeneralTask], *, seed: int, progress: Progress = silent
    ) -> Mapping[str, Mapping[str, float]]:
        """Task to sample to score, 0 to 1; the same samples for the same tasks, whatever the model.

        Raises `ModelError` where the harness, a task or its data is not there.
        """


class NoGeneralTasks:
    """Where there is no harness."""

    def ready(self, tasks: Sequence[GeneralTask]) -> None:
        raise ModelError(f"no harness can be run here: {', '.join(task.task for task in tasks)}")

    def score(
        self, model: Model, tasks: Sequence[GeneralTask], *, seed: int, progress: Progress = silent
    ) -> Mapping[str, Mapping[str, float]]:
        self.ready(tasks)
        return {}


class Judges(Protocol):
    """Models that say whether an answer meets a criterion."""

    def ask(self, judge: JudgeFile, questions: Sequence[Question], *, progress: Progress = silent) -> Sequence[str]:
        """What the judge says to each question, in their order; empty where it says nothing. A question that it has
        answered before is not asked again. Raises `ModelError`; what was answered by then is kept."""


class NoJudges:
    """Where no judge can be asked."""

    def ask(self, judge: JudgeFile, questions: Sequence[Question], *, progress: Progress = silent) -> Sequence[str]:
        raise ModelError(f"no judge can be asked here: {judge.id}")
