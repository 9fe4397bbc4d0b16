"""Conversations as a server's requests: with the base's chat template and our truncation, wherever it lets us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from runner.edges.bases import base_digest, prompt_ids, tokenizer_of
from runner.edges.chat.client import ChatClient, Request
from runner.ports import Model
from runner.records.conversation import Conversation
from runner.records.serving import PromptForm
from runner.rules.canonical import sha256
from runner.rules.evaluation.answer_key import Sampling


class Prompts:
    """Writes requests in one form. The last base's tokenizer stays loaded."""

    def __init__(self, form: PromptForm) -> None:
        self._form = form
        self._loaded: tuple[str, Any] = ("", None)

    def requests(
        self,
        client: ChatClient,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        name: str,
        samplings: Sequence[Sampling],
        context: int,
    ) -> list[Request]:
        """One for each prompt and its sampling; `name` is what the server calls the model, and a prompt that leaves
        no room for its answer in `context` tokens loses its start."""
        if self._form is PromptForm.CHAT:
            pairs = zip(prompts, samplings, strict=True)
            return [client.request(prompt, sampling=sampling, model=name) for prompt, sampling in pairs]
        longest = context - max((sampling.max_new_tokens for sampling in samplings), default=0)
        tokenizer = self._tokenizer(model)
        ids = prompt_ids(tokenizer, prompts, longest=longest)
        shown: Sequence[str | list[int]] = ids if self._form is PromptForm.TOKENS else _texts(tokenizer, ids)
        return [
            client.completion(prompt, sampling=sampling, model=name)
            for prompt, sampling in zip(shown, samplings, strict=True)
        ]

    def _tokenizer(self, model: Model) -> Any:
        digest = base_digest(model)
        if self._loaded[0] != digest:
            self._loaded = (digest, tokenizer_of(model))
        return self._loaded[1]


def draws(sampling: Sampling, count: int) -> Iterator[Sampling]:
    """`sampling` with a seed for each of `count` prompts, so that two alike are not answered alike."""
    for index in range(count):
        yield sampling._replace(seed=int(sha256(f"{sampling.seed} {index}".encode())[:7], 16))


def _texts(tokenizer: Any, ids: Sequence[Sequence[int]]) -> list[str]:
    """What a server's tokenizer makes into these ids: without the first token where it adds that one itself."""
    adds = tokenizer.bos_token is not None and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    shown = tokenizer.batch_decode(ids, skip_special_tokens=False)
    return [text.removeprefix(tokenizer.bos_token) if adds else text for text in shown]
