"""`triggers:` in cluster.yaml: what starts another iteration though nobody merged anything (docs/triggers.md)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.records.base import Record


class RealData(StrEnum):
    """Data that people wrote."""

    GOLD = "gold"
    SIGNALS = "signals"


class GeneratorTrigger(Record):
    """What writes candidates is another version, or is new."""

    kind: Literal["generator"]


class RealDataTrigger(Record):
    """So many rows that were not there before."""

    kind: Literal["real-data"]
    of: RealData
    rows: Annotated[int, Field(ge=1, le=1_000_000_000)]


class TaskTrigger(Record):
    """The task is defined or graded otherwise: problem.md, instruction, capabilities, domain rules, rubrics, judges."""

    kind: Literal["task"]


class ScoreDropTrigger(Record):
    """Production says so much more often than before that an answer was wrong, and chance is no explanation."""

    kind: Literal["score-drop"]
    drop: Annotated[float, Field(gt=0, lt=1)]
    """The share of judged signals by which the score must have fallen, at the lower end of its interval."""
    days: Annotated[int, Field(ge=1, le=365)] = 14
    """How many of the last days are held against the time before them."""
    confidence: Annotated[float, Field(ge=0.8, lt=1)] = 0.99
    """That the score fell by more than `drop`, of one look."""
    min_signals: Annotated[int, Field(ge=20, le=1_000_000)] = 100
    """Signals that somebody judged, which both times must have."""


class AgeTrigger(Record):
    """The iteration that serves began so many days ago, and so did the last one."""

    kind: Literal["age"]
    days: Annotated[int, Field(ge=1, le=3650)]


class BaseTrigger(Record):
    """The base is another model, revision or pre-training."""

    kind: Literal["base"]


Trigger = Annotated[
    GeneratorTrigger | RealDataTrigger | TaskTrigger | ScoreDropTrigger | AgeTrigger | BaseTrigger,
    Field(discriminator="kind"),
]


def trigger_name(trigger: Trigger) -> str:
    """What tells it from the cluster's other triggers: its kind, and the data that it counts."""
    return f"{trigger.kind} {trigger.of}" if isinstance(trigger, RealDataTrigger) else trigger.kind
