"""How a cluster's models are evaluated: where an evaluation stops early, what is reported, how held-out rotates."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from runner.records.base import Count, Positive, Record, Share
from runner.records.terms import Perturbation, SetName


class Smoke(Record):
    """The first stage: a few scenarios of core, to see whether it is worth while to ask the rest."""

    per_capability: Count = 5
    """Drawn by the seed, as many of each capability; 0 for no such stage."""
    risk: Annotated[float, Field(gt=0, le=0.1)] = 0.001
    """The chance that a model is given up on that core, asked whole, would have let through. It is a bound (Hoeffding
    and Serfling), so that the true chance is smaller."""


class GeneralTask(Record):
    """A task of lm-evaluation-harness, which the specialist must not forget."""

    task: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    metric: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "acc"
    """One that is 0 to 1 for each sample, more being better."""
    limit: Positive | None = None
    """Samples at most; all where nothing is said."""
    few_shot: Count | None = None
    """Solved examples in the prompt; the task's own number where nothing is said."""
    chat: bool = False
    """Whether prompts go through the base's chat template."""
    max_drop: Share = 0.05
    """How far below the base the candidate may be."""


class Source(StrEnum):
    """Where fresh held-out scenarios may come from."""

    RESERVE = "reserve"
    """`scenarios/<cluster>/reserve/`, written for this."""
    REFERENCE = "reference"
    """People's examples in `data/reference.jsonl`, which nothing is trained on."""


class Rotation(Record):
    """What `hallmark benchmark rotate` proposes."""

    retire_to: Literal[SetName.CORE, SetName.REPRESENTATIVE] = SetName.CORE
    """Where used held-out scenarios go, so that the leak check goes on to keep them out of training."""
    sources: tuple[Source, ...] = (Source.RESERVE, Source.REFERENCE)
    """In this order."""
    per_capability: Positive | None = None
    """Fresh scenarios of each capability; as many as are retired where nothing is said."""


class EvaluationPolicy(Record):
    """`evaluation` in `cluster.yaml`."""

    early_stop: bool = True
    """Whether a candidate that the gate would refuse anyway is asked no further: it takes no look at held-out then."""
    smoke: Smoke = Smoke()
    perturbations: tuple[Perturbation, ...] = tuple(Perturbation)
    """What models are run under on core. What the gate judges (`gate.perturbations`) is always run."""
    general: tuple[GeneralTask, ...] = ()
    rotation: Rotation = Rotation()

    @field_validator("general")
    @classmethod
    def _told_apart(cls, tasks: tuple[GeneralTask, ...]) -> tuple[GeneralTask, ...]:
        """Scores and limits are found by a task's name as a slug, beside those of the cluster's own set."""
        names = [re.sub(r"[^a-z0-9]+", "-", one.task.lower()).strip("-") for one in tasks]
        if len({*names, str(SetName.GENERAL)}) <= len(names):
            raise ValueError("two tasks have one name, but for case and marks, or one is called as the general set is")
        return tasks
