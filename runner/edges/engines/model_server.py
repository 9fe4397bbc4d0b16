"""Where models are served, as the engines see it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from runner.edges.chat.client import ChatClient
from runner.ports import Model, Progress
from runner.records.serving import PromptForm
from runner.rules.evaluation.answer_key import Identity


class Opened(NamedTuple):
    """A model that a server is ready to be asked for."""

    client: ChatClient
    name: str
    """What the server calls the model."""


class ModelServer(Protocol):
    """A server of bases and of adapters on them. Every method raises `ModelError`."""

    @property
    def version(self) -> str:
        """The engine, its version, and what its numbers are in; had without starting anything."""

    @property
    def form(self) -> PromptForm:
        """How it is sent prompts."""

    @property
    def constrains(self) -> bool:
        """Whether it can hold an answer to a closed set (vLLM's `structured_outputs`)."""

    def identity(self, model: Model) -> Identity:
        """All that decides what `model` answers there."""

    def context(self, model: Model) -> int:
        """Tokens of a prompt and its answer at most."""

    def open(self, model: Model, *, one_by_one: bool = False, progress: Progress) -> Opened:
        """Make ready to ask for `model`: the server runs and has the adapter. With `one_by_one` requests are not sent
        beside each other."""

    def mend(self, problem: str, *, progress: Progress) -> bool:
        """After a call that ended with `problem` for want of answers: whether it is worth opening the model again."""

    def explain(self, problem: str) -> str:
        """`problem` with what is known of why."""

    def peak_memory_mib(self) -> float:
        """0 where it cannot be seen."""
