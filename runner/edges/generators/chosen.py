"""`ports.Generators`: each kind of choice in the reviewed configuration to what opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from runner.edges.generators.class_conditional import ClassConditionalWriter
from runner.edges.generators.few_shot import FewShotWriter
from runner.edges.generators.perturbation import PerturbationWriter
from runner.ports import GenerationTask, LanguageModels, RowWriter
from runner.records.generation import GeneratorChoice, Served

Opener = Callable[[Any, GenerationTask], RowWriter]


class ChosenGenerators:
    def __init__(self, openers: Mapping[str, Opener]) -> None:
        self._openers = openers

    def open(self, choice: GeneratorChoice, task: GenerationTask) -> RowWriter:
        return self._openers[choice.kind](choice, task)


def _served(choice: Served, task: GenerationTask, *, journals: Path) -> RowWriter:
    from runner.edges.generators.served import ServedWriter  # asyncio, which nothing else here waits for

    return ServedWriter(task, choice, journals=journals)


def generators(models: LanguageModels, *, journals: Path) -> ChosenGenerators:
    """Every kind. What servers answer is kept below `journals`."""
    return ChosenGenerators(
        {
            "class-conditional": lambda choice, task: ClassConditionalWriter(task, models=models),
            "few-shot": lambda choice, task: FewShotWriter(task, choice, models=models),
            "server": partial(_served, journals=journals),
            "perturbation": lambda choice, task: PerturbationWriter(task),
        }
    )
