"""A scenario: one thing the model must do, in words that a domain owner can read and challenge."""

from pydantic import Field

from runner.records.base import Slug, Sparse, Text
from runner.records.conversation import Conversation
from runner.records.expected_calls import Tool
from runner.records.terms import Origin as Origin
from runner.records.terms import OutcomeType as OutcomeType
from runner.records.terms import SetName as SetName
from runner.records.terms import Severity as Severity


class Scenario(Sparse):
    """One file under `scenarios/<cluster>/<set>/`; the file's name is its id."""

    SPARSE = frozenset({"tools", "source"})

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
    tools: tuple[Tool, ...] = ()
    """What the model may call. It is told of them in the system message."""
    source: str = ""
    """Where an import found it: the file and line, or the entry, that the import's record names."""
