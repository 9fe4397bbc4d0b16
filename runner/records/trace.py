"""Production traces: as they come through the door (redacted), and as signals."""

from enum import StrEnum

from pydantic import Field

from runner.records.base import Count, Positive, Record, Sha256, Sparse, Text
from runner.records.conversation import Conversation, ToolCall


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
    """Who sent it, and to which workload: `submitter/workload`. Users and sessions stand as pseudonyms."""
    redactions: dict[str, int] = {}
    """How many of each kind were replaced at the door."""
    flags: tuple[Flag, ...] = ()
    """Of what the user and the tools said."""


class Signal(Record):
    """A trace with its fingerprint, structured for diagnosis."""

    id: Text
    """`signal-` and the first 16 hex digits of the fingerprint."""
    fingerprint: Sha256
    """sha256 of the normalised last user text, what tools have said since, the response and the tools it asks for."""
    trace: Trace
    failed: bool


class Tail(StrEnum):
    """Why a unique signal stands out: its measure is among the highest hundredth."""

    RECURRING = "recurring"
    RARE = "rare"
    """Its words stand in few other signals."""
    COSTLY = "costly"
    """The exchange is long."""


class Held(StrEnum):
    """Why a unique signal steers nothing and its text is used for nothing (`FROZEN` counts as a failure still)."""

    FLAGGED = "flagged"
    """It speaks to a model, or holds characters that no reader sees."""
    TRIGGER = "trigger"
    """A phrase in it goes with one answer, and nothing else of the text does: see `rules.data.poisoning`."""
    FROZEN = "frozen"
    """It stands in a frozen set."""


class UniqueSignal(Sparse):
    """A signal that stands for its exact and near duplicates."""

    SPARSE = frozenset({"tail", "sources", "left_out", "held", "why", "like"})

    signal: Signal
    count: Positive
    members: tuple[Text, ...]
    first_seen: str
    last_seen: str
    tail: tuple[Tail, ...] = ()
    sources: dict[str, int] = {}
    """How many of its traces each submitter sent."""
    left_out: dict[str, int] = {}
    """Of these, how many are over the submitter's quota and so count for nothing."""
    held: Held | None = None
    why: str = ""
    """In words, why it is held."""
    like: str = ""
    """The signal whose words differ and that may say the same: an embedding model's proposal, no duplicate."""

    @property
    def counted(self) -> int:
        """How many of its traces count as failures seen."""
        return 0 if self.held in (Held.FLAGGED, Held.TRIGGER) else self.count - sum(self.left_out.values())

    @property
    def usable(self) -> bool:
        """Whether its text may be shown, proposed as a scenario or taken into the log channel."""
        return self.held is None and self.counted > 0


class QuarantinedLine(Record):
    """A line of a log that could not be read. Nothing of its text is kept: it was not redacted."""

    line: int = Field(ge=0)
    """0 for a model call whose messages stand on several lines."""
    reason: Text
    file: str = ""


class IngestedFile(Record):
    """What became of a log's records: read = kept + duplicate + quarantined. Blank lines do not count."""

    cluster: str
    read: Count
    kept: Count
    duplicate: Count
    quarantined: tuple[QuarantinedLine, ...]
    """The first of them, at most 1,000."""
    more_quarantined: Count = 0
    """Those after the first 1,000; they stand in the report beside the data."""
    other: Count = 0
    """Records that are no model calls, and not read as such: other spans, verdicts, messages of a call."""
    unmatched: Count = 0
    """Verdicts on model calls that are not in the files."""
    redactions: dict[str, int]
    """Of the records kept, by kind."""
    flags: dict[str, int] = {}
    """Of the records kept, how many carry each flag."""
