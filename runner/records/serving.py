"""What answers for a cluster: transformers in this process, a vLLM server that the runner starts, or an endpoint."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from runner.records.base import Amount, Currency, Positive, PositiveAmount, Record, Sparse, Text
from runner.records.endpoint import Asking, Endpoint


class VllmServer(Record):
    """The vLLM server that the runner starts on its own machine."""

    concurrency: Positive = 64
    """Requests under way at once."""
    timeout_s: PositiveAmount = 120.0
    """How long one answer may take, after which the server is taken to hang."""
    start_s: PositiveAmount = 600.0
    """How long it may take until the server answers; weights are read, and on a GPU compiled for, in that time."""
    context: Positive | None = None
    """Tokens of a prompt and its answer at most; what the base can take where nothing is said."""
    memory: Annotated[float, Field(gt=0, lt=1)] = 0.45
    """The share of a GPU's memory that it takes. Training on the same GPU needs the rest."""


class PromptForm(StrEnum):
    """How a prompt is sent to an endpoint."""

    TOKENS = "tokens"
    """As the ids of its tokens (`/completions`): the base's chat template and our truncation, to the token."""
    TEXT = "text"
    """As the text that the base's chat template gives (`/completions`), which the endpoint makes into tokens."""
    CHAT = "chat"
    """As messages (`/chat/completions`), put into the endpoint's own template."""


class Adapters(StrEnum):
    """How an endpoint serves an adapter."""

    NONE = "none"
    """Not at all: only the base can be asked there."""
    NAMED = "named"
    """Under the name `MODEL-DIGEST`, where somebody has put it: the first 16 hex digits of the adapter's digest."""
    LOADED = "loaded"
    """By `/load_lora_adapter` (vLLM), from a directory of this machine that the endpoint reads too."""


class ServingEndpoint(Endpoint, Asking):
    """An OpenAI-compatible endpoint that serves the cluster's base, and that every scenario may be sent to."""

    prompts: PromptForm = PromptForm.CHAT
    adapters: Adapters = Adapters.NONE


def each_once(choices: tuple[str, ...]) -> tuple[str, ...]:
    """Raises `ValueError` for one that stands twice."""
    twice = sorted({one for one in choices if choices.count(one) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands twice")
    return choices


class Serving(Sparse):
    SPARSE = frozenset({"vllm", "endpoint", "choices"})

    engine: Literal["transformers", "vllm", "openai"] = "transformers"
    target: Text
    max_new_tokens: Positive = 16
    choices: Annotated[tuple[Text, ...], AfterValidator(each_once)] = ()
    """The closed set of answers: decoding says one of them and nothing else. Anything may be said where it is empty."""
    cost_per_hour: Amount = 0.0
    """What an hour of the serving machine costs, in `currency`; the cost of a decision is computed from it."""
    currency: Currency = "EUR"
    vllm: VllmServer | None = None
    """How the server of the engine `vllm` is set up; the defaults where it is left out."""
    endpoint: ServingEndpoint | None = None
    """The server of the engine `openai`."""

    @model_validator(mode="after")
    def _the_engine_has_what_it_needs(self) -> Self:
        if self.engine == "openai" and self.endpoint is None:
            raise ValueError("the engine openai needs an endpoint: say its id, url and model under serving.endpoint")
        for engine, said in (("openai", self.endpoint), ("vllm", self.vllm)):
            if said is not None and self.engine != engine:
                raise ValueError(f"this block is for the engine {engine}, and the engine is {self.engine}")
        return self
