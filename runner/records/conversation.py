"""Messages between a person, a model and its tools, in the field's chat form."""

from enum import StrEnum

from pydantic import ValidationInfo, field_validator

from runner.records.base import Sparse, Text


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class ToolCall(Sparse):
    """A tool that the model asks for."""

    SPARSE = frozenset({"id"})

    name: Text
    arguments: str
    """JSON as the model wrote it, which need not be valid."""
    id: str = ""


class Message(Sparse):
    SPARSE = frozenset({"tool_calls", "tool_call_id"})

    role: Role
    tool_calls: tuple[ToolCall, ...] = ()
    """What an assistant asks of tools, with or without words."""
    content: str
    tool_call_id: str = ""
    """The call that a tool's message answers: its id or, where the log gave none, the tool's name."""

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: str, info: ValidationInfo) -> str:
        if not content and not info.data.get("tool_calls"):
            raise ValueError("says nothing, and calls no tool")
        return content


Conversation = tuple[Message, ...]


def last_user_text(conversation: Conversation) -> str:
    """The text of the last user message: what near-duplicate and leakage checks compare. Empty if there is none."""
    return next((m.content for m in reversed(conversation) if m.role is Role.USER), "")
