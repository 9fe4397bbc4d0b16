"""Examples that train a model, and the provenance without which none may be written."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from runner.records.base import Count, Record, Sha256, Slug, Sparse, Text
from runner.records.conversation import Conversation
from runner.records.funnel import Funnel, FunnelStep
from runner.records.scenario import Origin


class Example(Record):
    """One row of human data: what was asked, and the right answer."""

    id: Text
    capability: Slug
    input: Conversation = Field(min_length=1)
    answer: Text
    origin: Origin = Origin.HUMAN


class Channel(StrEnum):
    LOG = "log"
    LLM = "llm"
    PERTURBATION = "perturbation"
    SIMULATOR = "simulator"
    EXTERNAL = "external"
    HUMAN = "human"


class Generator(Record):
    """What made a batch: its name, version, and the digest of whatever it ran on (model, code or file)."""

    name: Text
    version: Text
    sha256: Sha256


class Provenance(Record):
    """How a batch was made."""

    channel: Channel
    generator: Generator
    parameters: dict[str, str | int | float | bool]
    seed: int
    target: Slug
    """The failure cluster this batch aims at."""
    parents: tuple[Text, ...]
    """Ids of the examples and signals the rows were made from."""
    count: Count


class Batch(Sparse):
    """A batch of candidates. It cannot be made without saying how its rows came to be."""

    SPARSE = frozenset({"funnel"})

    id: Slug
    provenance: Provenance
    rejected: dict[str, int] = {}
    """Rows the generator made and its own filters dropped, by cause."""
    funnel: Funnel | None = None
    """From generated to consistent; None of a batch from before there were funnels."""

    @model_validator(mode="after")
    def _funnel_ends_in_its_rows(self) -> Self:
        if self.funnel is not None and (self.funnel.kept, self.funnel.rejected) != (
            self.provenance.count,
            self.rejected,
        ):
            raise ValueError("a batch's funnel ends in as many rows as it has, and rejects what it rejected")
        return self


class Rejected(Record):
    """A row that became no candidate. None vanishes: it is kept as it was written, with its cause."""

    batch: Slug
    """The batch it would have been in."""
    capability: Slug
    step: FunnelStep
    """The step of the funnel that it did not come through."""
    cause: Slug
    text: str
    """What the generator wrote, or what it answered where that could not be read as a row."""
    detail: str = ""
    request: str = ""
    """The id of the request that a server answered with it."""


class Candidate(Record):
    """A row that may become training data: an example, the batch it belongs to, and its parents."""

    example: Example
    batch: Slug
    parents: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _log_is_human(self) -> Self:
        if self.example.origin is Origin.SYNTHETIC and not self.parents:
            raise ValueError("a synthetic candidate names its parents")
        return self
