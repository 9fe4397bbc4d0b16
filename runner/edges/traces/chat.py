"""Conversations, an object a line: `messages` in OpenAI's form, or `conversations` in ShareGPT's (`from`, `value`).

The assistant's last message is the response; what stands before it is what was asked. `feedback` (or `rating`),
`correct_answer`, `timestamp`, `client_id`, `user_id`, `session_id` and `workload_id` may stand beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.edges.traces.base import Entry, Part, Store, Verdict
from runner.edges.traces.senders import Sender
from runner.errors import RecordError

_SHARE_GPT = {"gpt": "assistant", "chatgpt": "assistant", "observation": "tool", "function_response": "tool"}


class Chat:
    def recognises(self, document: Mapping[str, Any]) -> bool:
        return "messages" in document or "conversations" in document

    def entries(self, document: Mapping[str, Any], store: Store) -> Iterator[Entry | RecordError | None]:
        messages = document.get("messages", document.get("conversations"))
        if isinstance(messages, list):
            messages = [_plain(message) for message in messages]
        before, response = split(messages)
        yield Entry(
            messages=before,
            response=response,
            feedback=(rating(document),),
            timestamp=document.get("timestamp"),
            sender=Sender(
                document.get("client_id"),
                first(document, ("user_id", "user")),
                first(document, ("session_id", "conversation_id")),
                document.get("workload_id"),
            ),
        )

    def apart(self, document: Mapping[str, Any]) -> Iterator[Verdict | Part]:
        yield from ()


def split(messages: Any) -> tuple[Any, Any]:
    """What was asked, and the assistant's answer to it: the last message, if it is the assistant's."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    if isinstance(last, Mapping) and last.get("role") in ("assistant", "model", "ai"):
        return messages[:-1], last
    return messages, None


def rating(document: Mapping[str, Any]) -> Any:
    """The feedback beside a conversation: an object of its own, or fields of the row."""
    said = document.get("feedback")
    if isinstance(said, Mapping):
        return said
    return {"rating": said if said is not None else document.get("rating"), "correct_answer": _correct(document)}


def first(document: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What stands under the first of these names that says something."""
    return next((document[name] for name in names if document.get(name)), None)


def _correct(document: Mapping[str, Any]) -> Any:
    return document.get("correct_answer") or document.get("correction") or None


def _plain(message: Any) -> Any:
    if not isinstance(message, Mapping) or "from" not in message:
        return message
    role = str(message["from"])
    return {"role": _SHARE_GPT.get(role, role), "content": message.get("value")}
