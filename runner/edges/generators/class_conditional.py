"""Rows from the cluster's base in the class-conditioned direction, which a tiny base is pre-trained in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.ports import GenerationTask, LanguageModels, Progress, silent
from runner.records.dataset import Channel, Generator
from runner.rules.data.generation import LONGEST, UNTAUGHT, Draft, Numbering
from runner.rules.text.conversations import generation_prompt


class ClassConditionalWriter:
    """A base that fails on a capability can neither write nor recognise it: it is asked with the adapter that the
    task fits on the targets' human rows, in both directions, where there are enough of them."""

    channel = Channel.LLM
    checked = True

    def __init__(self, task: GenerationTask, *, models: LanguageModels) -> None:
        self._task, self._models = task, models
        self._model, self._made_by = task.fitted()
        self._numbers = Numbering()

    @property
    def made_by(self) -> Generator:
        return self._made_by

    def parameters(self, capability: str) -> dict[str, str | int | float | bool]:
        task, aim = self._task, self._task.aims[capability]
        asked: dict[str, str | int] = {"label": aim.answers[0]} if aim.fixed else {"answers": len(aim.answers)}
        return {
            **asked,
            "temperature": task.temperature,
            "attempts": task.attempts,
            "tokens": LONGEST,
        }

    def write(self, wanted: Mapping[str, int], *, turn: int, progress: Progress = silent) -> Sequence[Draft]:
        task = self._task
        rows = [(name, task.aims[name].answer(number)) for name, number in self._numbers.of(wanted)]
        progress(f"sampling {len(rows)} messages", turn / task.attempts)
        texts = self._models.sample(
            self._model,
            [generation_prompt(answer) for _, answer in rows],
            temperature=task.temperature,
            seed=task.seed + turn,
            max_new_tokens=LONGEST,
        )
        parents = {name: tuple(sorted(row.id for row in aim.human)) or UNTAUGHT for name, aim in task.aims.items()}
        return [Draft(name, text, answer, parents[name]) for (name, answer), text in zip(rows, texts, strict=True)]

    @property
    def measured(self) -> dict[str, Any]:
        return {}
