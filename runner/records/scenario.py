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
    """The file's name without its ending."""
    capability: Slug
    """What of the cluster's capabilities it asks for."""
    outcome_type: OutcomeType
    """`tp`: something is to be found. `tn`: nothing is. `fp-guard` and `fn-guard`: easily taken for the other."""
    lens: Slug
    """From whose point of view it is asked: a role, a department. Coverage is counted by it."""
    severity: Severity
    """How bad a wrong answer is. Targets with failures of high severity come first."""
    origin: Origin
    """Who wrote it; for ever."""
    objective: Text
    """What it tests, in words."""
    input: Conversation = Field(min_length=1)
    """The conversation that the model is to answer."""
    reference: Text
    """The right answer."""
    rubric: Slug
    """The rubric that grades the answer, by id."""
    pass_criteria: tuple[Text, ...] = Field(min_length=1)
    """When a person would call an answer right."""
    fail_criteria: tuple[Text, ...] = Field(min_length=1)
    """When a person would call it wrong, and what harm that does."""
    tools: tuple[Tool, ...] = ()
    """What the model may call. It is told of them in the system message."""
    source: str = ""
    """Where an import found it: the file and line, or the entry, that the import's record names."""
