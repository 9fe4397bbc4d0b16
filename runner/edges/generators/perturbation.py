"""Rows that are seeded rewrites of human rows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from runner.ports import GenerationTask, Progress, silent
from runner.records.conversation import last_user_text
from runner.records.dataset import Channel, Generator
from runner.rules.data.domain_rules import FEWEST_WORDS
from runner.rules.data.generation import Draft
from runner.rules.text.perturbation import VERSION, generator_digest, rewrite


class PerturbationWriter:
    """Goes round the human rows of a capability, rewriting one at a time."""

    channel = Channel.PERTURBATION
    checked = False
    made_by = Generator(name="runner.rules.perturbation", version=VERSION, sha256=generator_digest())

    def __init__(self, task: GenerationTask) -> None:
        self._task = task

    def parameters(self, capability: str) -> dict[str, str | int | float | bool]:
        return {"attempts": self._task.attempts, "fewest_words": FEWEST_WORDS}

    def write(self, wanted: Mapping[str, int], *, turn: int, progress: Progress = silent) -> Sequence[Draft]:
        """All attempts in the first turn: rewriting costs nothing, and a reader stops when it has enough."""
        if turn:
            return []
        return [draft for name, count in wanted.items() for draft in self._rewrites(name, self._task.attempts * count)]

    def _rewrites(self, name: str, count: int) -> list[Draft]:
        random_ = random.Random(self._task.seed)
        sources = sorted(self._task.aims[name].human, key=lambda row: row.id)
        chosen = [sources[turn % len(sources)] for turn in range(count if sources else 0)]
        rewritten = [rewrite(last_user_text(one.input), random_, answer=one.answer) for one in chosen]
        return [
            Draft(name, text, one.answer, (one.id,), one.input) for text, one in zip(rewritten, chosen, strict=True)
        ]

    @property
    def measured(self) -> dict[str, Any]:
        return {}
