"""A single request that steers a server: what is not asked for by the thousand."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from runner.edges.chat.reply import KEPT, UnansweredError, problem_of
from runner.errors import ModelError
from runner.rules.text.shown import shorten, shown


class _StaysThere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: a redirect is a refusal."""


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StaysThere())
"""Asks the server itself, as the chat client does: a proxy or a redirect would be sent the key."""


def post(url: str, said: Mapping[str, object], *, key: str, what: str, timeout_s: float) -> None:
    """Raises `ModelError` in `what`'s name where it is refused, and `UnansweredError` where nothing answers."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, json.dumps(said).encode(), headers)
    path = url.rpartition("/")[2]
    try:
        with DIRECT.open(request, timeout=timeout_s) as response:
            response.read(KEPT)
    except urllib.error.HTTPError as error:
        problem = f"{error.code}: {problem_of(error.read(KEPT))}"
        plain = problem.replace(key, "[KEY]") if key else problem
        raise ModelError(f"{what} refused {path}: {shorten(shown(' '.join(plain.split())), longest=300)}") from None
    except (OSError, ValueError) as error:
        raise UnansweredError(f"{what} did not answer {path}: {error}") from None
