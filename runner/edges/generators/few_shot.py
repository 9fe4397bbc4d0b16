"""Rows from the cluster's own base, prompted in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.ports import GenerationTask, LanguageModels, Progress, silent
from runner.records.dataset import Channel, Generator
from runner.records.generation import FewShot, Shown
from runner.rules.canonical import digest
from runner.rules.data.generation import Draft, Numbering
from runner.rules.data.prompts import Prompter, template_digest


class FewShotWriter:
    """The base as it is, without an adapter, shown the capability's definition, criteria, rules and examples."""

    channel = Channel.LLM
    checked = True

    def __init__(self, task: GenerationTask, choice: FewShot, *, models: LanguageModels) -> None:
        self._task, self._choice, self._models = task, choice, models
        self._prompter = Prompter(
            task.aims,
            title=task.title,
            choice=choice,
            sources=tuple(Shown),
            redacted=False,
            seed=task.seed,
        )
        self._numbers = Numbering()

    @property
    def made_by(self) -> Generator:
        what = [self._task.base_digest, template_digest(), self._choice.model_dump(mode="json"), self._task.temperature]
        return Generator(name="base-few-shot", version=self._models.version, sha256=digest(what))

    def parameters(self, capability: str) -> dict[str, str | int | float | bool]:
        choice = self._choice
        return {
            "template": template_digest(),
            "output": choice.output.value,
            "examples": choice.examples,
            "failures": choice.failures,
            "temperature": self._task.temperature,
            "top_p": choice.top_p,
            "attempts": self._task.attempts,
            "tokens": choice.max_new_tokens,
        }

    def write(self, wanted: Mapping[str, int], *, turn: int, progress: Progress = silent) -> Sequence[Draft]:
        prompts = [self._prompter.prompt(name, number) for name, number in self._numbers.of(wanted)]
        progress(f"prompting the base for {len(prompts)} rows", turn / self._task.attempts)
        said = self._models.sample(
            self._task.base,
            [one.messages for one in prompts],
            temperature=self._task.temperature,
            top_p=self._choice.top_p,
            seed=self._task.seed + turn,
            max_new_tokens=self._choice.max_new_tokens,
        )
        return [self._prompter.draft(prompt, text) for prompt, text in zip(prompts, said, strict=True)]

    @property
    def measured(self) -> dict[str, Any]:
        return {}
