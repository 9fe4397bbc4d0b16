"""Where workers leave their replies, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from runner.edges.chat.reply import Reply


class Keeper(Protocol):
    """What keeps replies: a journal on the disk, or whoever asked."""

    @property
    def replies(self) -> Mapping[str, Reply]:
        """Those kept, by the id of the request."""

    def keep(self, replies: Iterable[Reply]) -> None:
        """One call at a time, from any thread. All are kept when this returns."""


class Desk:
    """What has come while the last was being kept is kept in one go, with one fsync where it goes to the disk.

    `room` is how many may lie here; a worker whose reply finds none waits.
    """

    def __init__(self, keeper: Keeper, *, room: int) -> None:
        self._keeper = keeper
        self._room = asyncio.Semaphore(room)
        self._fresh: list[Reply] = []
        self._any = asyncio.Event()

    async def put(self, reply: Reply) -> None:
        await self._room.acquire()
        self._fresh.append(reply)
        self._any.set()

    async def keep(self, tell: Callable[[int], None]) -> None:
        """Until cancelled, when it keeps what is left. `tell` hears how many are kept."""
        count, found = 0, list[Reply]()
        try:
            while True:
                await self._any.wait()
                found = self._take()
                await asyncio.to_thread(self._keeper.keep, found)  # cancelled, it may have run or not
                for _ in found:
                    self._room.release()
                count += len(found)
                tell(count)
        finally:
            self._keeper.keep([*found, *self._take()])

    def _take(self) -> list[Reply]:
        found, self._fresh = self._fresh, []
        self._any.clear()
        return found
