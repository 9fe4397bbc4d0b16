"""Who sent a model call, as far as a log names them: what a quota for each submitter goes by.

A client or workload is a program and keeps its name. Users and sessions are people, so a pseudonym stands for each: a
keyed digest of the id. Without a key, whoever can guess an id can recognise its pseudonym.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from runner.rules.data.sources import UNNAMED

BYTES = 6
"""Of a pseudonym: a million users share one with a probability of .2 %."""
KEY_VARIABLE = "HALLMARK_SOURCE_KEY"
"""The environment variable that holds the pseudonyms' key: the same one at every ingestion, or a user is two."""
_LONGEST = 100


class Sender(NamedTuple):
    client: Any = None
    user: Any = None
    session: Any = None
    workload: Any = None


def source(sender: Sender, *, key: bytes, redact: Callable[[str], str]) -> str:
    """`submitter/workload`: the client and its user; where neither is named the session, else `unknown`."""
    client = _program(sender.client, key, redact).replace("/", ":")
    user = _pseudonym("user", sender.user, key)
    session = "" if client or user else _pseudonym("session", sender.session, key)
    submitter = ":".join(filter(None, (client, user, session))) or UNNAMED
    workload = _program(sender.workload, key, redact)
    return f"{submitter}/{workload}" if workload else submitter


def _program(name: Any, key: bytes, redact: Callable[[str], str]) -> str:
    """Its name; a pseudonym where the name gives a person away."""
    said = str(name or "").strip()[:_LONGEST]
    return said if redact(said) == said else _pseudonym("client", name, key)


def _pseudonym(kind: str, name: Any, key: bytes) -> str:
    said = str(name or "").strip().casefold()
    if not said:
        return ""
    digest = hashlib.blake2b(said.encode(errors="replace"), digest_size=BYTES, key=key[:64], person=b"hallmark sender")
    return f"{kind}-{digest.hexdigest()}"
