"""Messages between a person and a model, in the field's chat form."""

from __future__ import annotations

from enum import StrEnum

from runner.records.base import Record, Text


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Message(Record):
    role: Role
    content: Text


Conversation = tuple[Message, ...]


def last_user_text(conversation: Conversation) -> str:
    """The text of the last user message: what near-duplicate and leakage checks compare. Empty if there is none."""
    return next((m.content for m in reversed(conversation) if m.role is Role.USER), "")
