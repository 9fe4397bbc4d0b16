"""A scenario: one thing the model must do, in words that a domain owner can read and challenge."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from runner.records.base import Record, Slug, Text
from runner.records.conversation import Conversation


class SetName(StrEnum):
    """The four sets of a benchmark. `heldout` is frozen: it yields scores and nothing else."""

    CORE = "core"
    DEV = "dev"
    HELDOUT = "heldout"
    REPRESENTATIVE = "representative"


class OutcomeType(StrEnum):
    """What kind of right answer a scenario asks for. Mixing them keeps a model from gaming the benchmark."""

    TP = "tp"
    TN = "tn"
    FP_GUARD = "fp-guard"
    FN_GUARD = "fn-guard"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Origin(StrEnum):
    """Who made a text. `corrected` is synthetic, mended by a person. It never changes afterwards."""

    HUMAN = "human"
    SYNTHETIC = "synthetic"
    CORRECTED = "corrected"


class Scenario(Record):
    """One file under `scenarios/<cluster>/<set>/`; the file's name is its id."""

    id: Slug
    capability: Slug
    outcome_type: OutcomeType
    lens: Slug
    severity: Severity
    origin: Origin
    objective: Text
    input: Conversation = Field(min_length=1)
    reference: Text
    rubric: Slug
    pass_criteria: tuple[Text, ...] = Field(min_length=1)
    fail_criteria: tuple[Text, ...] = Field(min_length=1)
