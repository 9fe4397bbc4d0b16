"""A server's key, which stands in the environment and in no file."""

from __future__ import annotations

import os

from runner.errors import ModelError
from runner.records.endpoint import Endpoint


def key_of(server: Endpoint) -> str:
    """Empty where the server wants none. Raises `ModelError` where it wants one that is not set, or that no header can
    hold: whoever tried would print it."""
    if not server.key_variable:
        return ""
    key = os.environ.get(server.key_variable, "").strip()
    if not key:
        hint = "set it where the flywheel runs; it stands in no file"
        raise ModelError(f"the server {server.id} wants a key, and {server.key_variable} is not set: {hint}")
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"the server {server.id} wants a key, and {server.key_variable} is no line of ASCII")
    return key
