"""Requests and tokens a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.records.endpoint import Asking

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class Limits:
    """Requests are spread evenly; tokens are let through in bursts of six seconds, or of the `largest` request."""

    def __init__(self, asking: Asking, *, largest: int) -> None:
        from aiolimiter import AsyncLimiter

        self._requests: AsyncLimiter | None = None
        self._tokens: AsyncLimiter | None = None
        if asking.requests_per_minute:
            self._requests = AsyncLimiter(1, 60 / asking.requests_per_minute)
        if asking.tokens_per_minute:
            burst = max(asking.tokens_per_minute / 10, largest)
            self._tokens = AsyncLimiter(burst, 60 * burst / asking.tokens_per_minute)

    async def admit(self, tokens: int) -> None:
        """Wait until a request of so many tokens may be sent."""
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None:
            await self._tokens.acquire(tokens)
