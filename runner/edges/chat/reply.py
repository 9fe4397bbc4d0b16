"""What an OpenAI-compatible server says: completions, errors, and when to come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import ModelError
from runner.rules.strict_json import strict_json
from runner.rules.text.shown import shorten

if TYPE_CHECKING:
    from aiohttp import ClientResponse

UNREADABLE, REFUSED, TRUNCATED, FILTERED = "unreadable", "refused", "truncated", "filtered"
"""Why a reply holds no text, or not the whole of one."""
KEPT = 2000
"""Bytes kept of what is no completion."""
LONGEST = 2**24
"""Bytes of a reply that are read; more are no completion."""
MOST_TOKENS = 2**40


class UnansweredError(ModelError):
    """A server was busy, failing, out of reach or answered no completion, as often as it may be asked. Whoever has
    started it may start it again; one that refuses would go on to refuse."""


class Reply(NamedTuple):
    """What a server answered to one request, for ever."""

    id: str
    """The request's."""
    text: str
    cause: str = ""
    """Why it holds no text that could be a row; empty where it may."""
    detail: str = ""
    model: str = ""
    """What the server says answered: model and fingerprint."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


async def bytes_of(response: ClientResponse) -> bytes:
    """What came; of a reply that is longer than is read its start, which is no JSON."""
    data = bytearray()
    async for part in response.content.iter_any():
        data += part
        if len(data) > LONGEST:
            break
    return bytes(data[:LONGEST])


def reply_of(name: str, data: bytes) -> Reply:
    """What a 200 says, of a chat or of a prompt to complete; where it is no completion, its first words and why."""
    try:
        said = strict_json(data)
        choice = said["choices"][0]
        message = choice["message"] if "message" in choice else {"content": choice["text"]}
        if not message.keys() & {"content", "tool_calls", "refusal"}:
            raise KeyError("content")
        usage = said.get("usage") or {}
        text, end = message.get("content") or _called(message), choice.get("finish_reason") or "stop"
        cause = {"length": TRUNCATED, "content_filter": FILTERED}.get(end, "")
        model = "/".join(str(said[key]) for key in ("model", "system_fingerprint") if said.get(key))
        tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        if not isinstance(text, str):
            raise TypeError("its content is no text")
        refusal = message.get("refusal")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return Reply(
            name, data[:KEPT].decode(errors="replace"), UNREADABLE, shorten(f"{type(error).__name__}: {error}")
        )
    if refusal:
        return Reply(name, text, REFUSED, shorten(str(refusal), longest=200), model, *tokens)
    return Reply(name, text, cause, f"finish_reason is {end}" if cause else "", model, *tokens)


def _count(said: Any) -> int:
    """Tokens as a server counts them, kept within what a million long answers could add up to."""
    return min(max(0, int(said or 0)), MOST_TOKENS)


def _called(message: dict[str, Any]) -> str:
    """Calls of tools, in the form in which a model writes them as text (`evaluation.tool_calls`); empty for none."""
    calls = [one["function"] for one in message.get("tool_calls") or []]
    said = [{"name": one["name"], "arguments": strict_json(one["arguments"].encode())} for one in calls]
    return json.dumps({"tool_calls": said}, ensure_ascii=False) if said else ""


def problem_of(data: bytes) -> str:
    """The error's message, as OpenAI's form or a plain text has it."""
    try:
        said = json.loads(data)
        found = said.get("error", said.get("detail", said))
        return str(found.get("message", found) if isinstance(found, dict) else found)
    except (ValueError, AttributeError, RecursionError):
        return data[:500].decode(errors="replace")


def seconds(retry_after: str) -> float:
    """`Retry-After` (RFC 9110, section 10.2.3): seconds, or a date; 0 where it says nothing."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
