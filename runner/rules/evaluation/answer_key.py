"""Which question an answer is the answer to: a key over everything that decides what a model says.

Two askings with one key get one answer. What is left out of a key is what a cache would credit to the wrong model, so
each part of `Identity` and `Sampling` counts, the prompt with all its roles and tool calls counts, and a key of
another form (`FORM`) is another key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.records.conversation import Conversation, Message
from runner.rules.canonical import digest

FORM = "hallmark answer 1"


class Identity(NamedTuple):
    """What answers: the model and all that stands between a conversation and its tokens."""

    base: str
    """The digest of the base, or what pins it."""
    adapter: str
    """The digest of the adapter; empty for none."""
    tokenizer: str
    template: str
    """Digests of the tokenizer and of the chat template; empty where the base's digest covers them and they cannot be
    had without loading it."""
    engine: str
    version: str
    """Of the engine and the libraries that compute."""
    setting: str
    """What else changes the last bits of a number, and so an answer that two tokens nearly tie for: the processor or
    device, the number type, threads."""


class Sampling(NamedTuple):
    """How tokens are chosen. Greedy where the temperature is 0."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    choices: tuple[str, ...] = ()
    """The closed set of answers; empty where anything may be said."""


def answer_keys(identity: Identity, sampling: Sampling, prompts: Sequence[Conversation]) -> list[str]:
    """A sha256 for each prompt, in their order."""
    how = [[name, repr(value)] for name, value in sampling._asdict().items()]
    asked = digest([[FORM], [*identity], *how])
    return [digest([[asked], *(_said(message) for message in prompt)]) for prompt in prompts]


def _said(message: Message) -> list[str]:
    """Everything of a message, as text; no two messages give the same row."""
    calls = [part for call in message.tool_calls for part in (call.id, call.name, call.arguments)]
    return [message.role.value, message.content, message.tool_call_id, *calls]
