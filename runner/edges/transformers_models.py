"""`ports.LanguageModels` with transformers: bases and adapters from bytes, greedy batched answers, samples, latency."""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.edges import generation_loop, lora, tiny_base
from runner.edges.bases import accelerator, base_digest, identity_of, network_of, tokenizer_of
from runner.edges.generation_loop import Setting
from runner.edges.latency import latency
from runner.edges.machine import processor
from runner.ports import Answers, Fitted, Keep, Latency, Model, Pretrained, Progress, Tree, forget, silent
from runner.records.conversation import Conversation
from runner.records.dataset import Example
from runner.records.params import BaseRecipe, TrainRecipe
from runner.records.training import TrainingRow
from runner.rules.evaluation.answer_key import Identity
from runner.rules.text.conversations import with_instruction

MODELING, ADAPTERS, TRAINING = "transformers.modeling_utils", "peft", "trl.trainer.sft_trainer"
"""The libraries that take seconds to import, by what they are needed for."""
COMPUTE = ("transformers", "torch", "tokenizers", "peft")
"""The libraries between a conversation and its answer, by the names of their distributions."""
DEV_NEW_TOKENS = 16
"""Tokens of an answer on dev while a base is pre-trained, unless a right answer is longer."""


class TransformersModels:
    """Models in this process. The last base stays loaded; adapters are put on it and taken off again."""

    usage: Mapping[str, int] = {}

    def __init__(self, *, threads: int = 2) -> None:
        self.threads = threads
        self._import_seconds = 0.0
        self._imported: set[str] = set()
        self._loaded: tuple[str, Any, Any] | None = None

    @property
    def version(self) -> str:
        from importlib.metadata import version

        return f"transformers {version('transformers')}, torch {version('torch')}"

    @property
    def import_seconds(self) -> float:
        return self._import_seconds

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
    ) -> Pretrained:
        self._settle(threads)

        def accuracy(model: Any, tokenizer: Any, rows: Sequence[Example]) -> float:
            prompts = [with_instruction(row.input, instruction) for row in rows]
            longest = max((len(tokenizer(row.answer)["input_ids"]) + 1 for row in rows), default=0)
            most = max(DEV_NEW_TOKENS, longest)
            answers = generation_loop.answer(model, tokenizer, prompts, Setting(most))
            right = sum(text == row.answer for text, row in zip(answers.texts, rows, strict=True))
            return right / len(rows) if rows else 0.0

        return tiny_base.pretrain(
            examples, dev, instruction=instruction, recipe=recipe, seed=seed, accuracy=accuracy, progress=progress
        )

    def identity(self, model: Model) -> Identity:
        """Of a tiny base, which stays on the CPU, without importing torch."""
        from importlib.metadata import version

        return identity_of(
            model,
            engine="transformers",
            version=", ".join([*(f"{name} {version(name)}" for name in COMPUTE), generation_loop.VERSION]),
            setting=", ".join([f"{self.threads} threads", processor(), *accelerator(model)]),
        )

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
        setting = Setting(max_new_tokens, choices)
        with self._ready(model) as (network, tokenizer):
            return generation_loop.answer(network, tokenizer, prompts, setting, progress=progress, keep=keep)

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
        from transformers import set_seed

        with self._ready(model) as (network, tokenizer):
            set_seed(seed)
            how = {"do_sample": True, "temperature": temperature, "top_p": top_p}
            return generation_loop.drawn(network, tokenizer, prompts, max_new_tokens=max_new_tokens, **how)

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
        self._settle(threads, ADAPTERS, TRAINING)
        network, tokenizer = self._base(model)
        return lora.fit(
            network,
            tokenizer,
            rows,
            adapter=model.adapter,
            base_digest=base_digest(model),
            instruction=instruction,
            recipe=recipe,
            seed=seed,
            progress=progress,
        )

    def strengthen(self, adapter: Tree, factor: float) -> Tree:
        self._settle(self.threads)
        return lora.strengthen(adapter, factor)

    def latency(self, model: Model, prompts: Sequence[Conversation], *, max_new_tokens: int) -> Latency:
        taken = []
        with self._ready(model) as (network, tokenizer):
            for prompt in prompts:
                started = time.perf_counter()
                generation_loop.answer(network, tokenizer, [prompt], Setting(max_new_tokens))
                taken.append(time.perf_counter() - started)
        return latency(taken, peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    @contextlib.contextmanager
    def _ready(self, model: Model) -> Iterator[tuple[Any, Any]]:
        """The base with its adapter, if any; the base is as it was afterwards."""
        self._settle(self.threads, *([] if model.adapter is None else [ADAPTERS]))
        network, tokenizer = self._base(model)
        if model.adapter is None:
            yield network, tokenizer
            return
        adapted = lora.with_adapter(network, model.adapter)
        try:
            yield adapted, tokenizer
        finally:
            adapted.unload()

    def _base(self, model: Model) -> tuple[Any, Any]:
        key = base_digest(model)
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = None
            self._loaded = (key, network_of(model), tokenizer_of(model))
        return self._loaded[1], self._loaded[2]

    def _settle(self, threads: int, *libraries: str) -> None:
        """Import torch, transformers and `libraries` (once, and timed), and fix what could make a run differ from its
        repeat. Answers of a base alone wait for no library that adapters or training need."""
        started = time.monotonic()
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        import torch
        import transformers

        wanted = {MODELING, *libraries} - self._imported
        if wanted:
            for library in sorted(wanted):
                importlib.import_module(library)
            self._imported |= wanted
            transformers.logging.set_verbosity_error()
            warnings.filterwarnings("ignore", module="(torch|transformers|trl|peft|accelerate)")
            self._import_seconds += time.monotonic() - started
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.use_deterministic_algorithms(True, warn_only=True)
