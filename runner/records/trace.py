"""Production traces: as they come through the door (redacted), and as signals."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from runner.records.base import Record, Sha256, Text
from runner.records.conversation import Conversation, Sparse, ToolCall


class Rating(StrEnum):
    GOOD = "good"
    BAD = "bad"
    NONE = "none"


class Feedback(Record):
    """What production said of an answer; `correct_answer` is a person's, where one gave it."""

    rating: Rating = Rating.NONE
    correct_answer: str = ""


class Flag(StrEnum):
    """What people should know before they read or use a trace's text. A flagged text is data like any other."""

    INSTRUCTION = "instruction"
    """It speaks to a model or a judge: "ignore all previous instructions", or tokens of a chat template."""
    HIDDEN = "hidden"
    """It holds characters that no reader sees."""


class Trace(Sparse):
    """One request and its response, redacted: a row of `data/signals.jsonl`."""

    SPARSE = frozenset({"tool_calls", "flags"})

    input: Conversation = Field(min_length=1)
    response: str
    tool_calls: tuple[ToolCall, ...] = ()
    """The tools that the model asked for in its response."""
    feedback: Feedback = Feedback()
    timestamp: str = ""
    source: str = "unknown"
    """Who sent it: client or workload id."""
    redactions: dict[str, int] = {}
    """How many of each kind were replaced at the door."""
    flags: tuple[Flag, ...] = ()
    """Of what the user and the tools said."""


class Signal(Record):
    """A trace with its fingerprint, structured for diagnosis."""

    id: Text
    """`signal-` and the first 16 hex digits of the fingerprint."""
    fingerprint: Sha256
    """sha256 of the normalised last user text, the response and the tools it asks for."""
    trace: Trace
    failed: bool


class UniqueSignal(Record):
    """A signal that stands for its exact and near duplicates."""

    signal: Signal
    count: int = Field(gt=0)
    members: tuple[Text, ...]
    first_seen: str
    last_seen: str


class QuarantinedLine(Record):
    """A line of a log that could not be read. Nothing of its text is kept: it was not redacted."""

    line: int = Field(gt=0)
    reason: Text


class IngestedFile(Record):
    """What became of a log's lines: read = kept + duplicate + quarantined. Blank lines do not count."""

    cluster: str
    read: int = Field(ge=0)
    kept: int = Field(ge=0)
    duplicate: int = Field(ge=0)
    quarantined: tuple[QuarantinedLine, ...]
    redactions: dict[str, int]
    """Of the lines kept: `email`, `phone`, `card`."""
