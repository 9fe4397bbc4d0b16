"""A server's key, which stands in the environment and in no file."""

from __future__ import annotations

import os

from runner.errors import ModelError
from runner.records.endpoint import Endpoint


def key_of(server: Endpoint) -> str:
    """None where the server wants none. Raises `ModelError` where it wants one that is not set."""
    if not server.key_variable:
        return ""
    key = os.environ.get(server.key_variable, "").strip()
    if not key:
        hint = "set it where the flywheel runs; it stands in no file"
        raise ModelError(f"the server {server.id} wants a key, and {server.key_variable} is not set: {hint}")
    return key
