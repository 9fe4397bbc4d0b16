"""People's decisions on candidates: `clusters/<cluster>/triage/<iteration>.yaml`."""

from __future__ import annotations

from enum import StrEnum

from runner.records.base import Record, Slug, Text
from runner.records.conversation import Conversation
from runner.records.scenario import Origin


class Choice(StrEnum):
    UNDECIDED = "undecided"
    ACCEPT = "accept"
    REJECT = "reject"
    EDIT = "edit"


class Decision(Record):
    """One candidate, as the reviewer saw it, and what the reviewer decided."""

    candidate: Text
    capability: Slug
    origin: Origin
    input: Conversation
    answer: Text
    decision: Choice = Choice.UNDECIDED
    edited_input: str = ""
    """With `edit`: the last user message as it should read; empty to leave it."""
    edited_answer: str = ""
    """With `edit`: the answer as it should be; empty to leave it."""
    reason: str = ""


class TriageFile(Record):
    """Prefilled by CI with every candidate undecided; merged by people with none."""

    cluster: Slug
    iteration: Slug
    reviewer: str = ""
    decisions: tuple[Decision, ...]


class TriageResult(Record):
    """What phase 9 passed on, and by whose decision."""

    reviewer: str
    accepted: int
    edited: int
    rejected: int
