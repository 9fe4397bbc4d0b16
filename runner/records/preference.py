"""Preferences that people's decisions state, in the column names of TRL's preference formats."""

from enum import StrEnum

from pydantic import Field

from runner.records.base import Record, Slug, Text
from runner.records.conversation import Conversation
from runner.records.scenario import Origin


class Ground(StrEnum):
    """Why one answer is preferred to another."""

    EDITED = "edited"
    """A person's edit over the answer as it was."""
    ACCEPTED = "accepted"
    """An accepted answer over a rejected one to the same input."""
    RANKED = "ranked"
    """By one person's ranks among the candidates for one input."""


class PreferencePair(Record):
    """One answer over another to the same prompt."""

    prompt: Conversation = Field(min_length=1)
    chosen: Conversation = Field(min_length=1)
    """The assistant's message."""
    rejected: Conversation = Field(min_length=1)
    capability: Slug
    candidate: Text
    """Whose answer is chosen."""
    over: Text
    """Whose answer is not: the same candidate where the edit is preferred to what it was."""
    ground: Ground
    reviewers: tuple[Text, ...] = Field(min_length=1)


class SupervisedRow(Record):
    """A conversation that people let in, to train on as it stands."""

    messages: Conversation = Field(min_length=2)
    capability: Slug
    candidate: Text
    origin: Origin
    reviewers: tuple[Text, ...]
    """None where it passed unread, by the sample of its batch."""


class UnpairedPreference(Record):
    """An answer to a prompt, and whether people let it in as it is."""

    prompt: Conversation = Field(min_length=1)
    completion: Conversation = Field(min_length=1)
    label: bool
    capability: Slug
    candidate: Text
    reviewers: tuple[Text, ...] = Field(min_length=1)
