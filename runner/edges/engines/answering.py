"""Many prompts to one server: each question once, its answer handed on as soon as it has come."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from runner.edges.chat.client import ChatClient, Request
from runner.edges.chat.reply import Reply
from runner.ports import Answers, Keep, Progress, forget, silent


class Handed:
    """A `Keeper` that hands each answer to `keep`, once for every prompt that asked for it."""

    def __init__(self, requests: Sequence[Request], *, keep: Keep = forget) -> None:
        self._places: dict[str, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            self._places[request.id].append(index)
        self._asked = {request.id: request for request in requests}
        self._keep, self._replies = keep, dict[str, Reply]()
        self._one_at_a_time = threading.Lock()
        self._seconds = 0.0

    @property
    def replies(self) -> Mapping[str, Reply]:
        return self._replies

    @property
    def missing(self) -> list[Request]:
        return [request for name, request in self._asked.items() if name not in self._replies]

    def keep(self, replies: Iterable[Reply]) -> None:
        with self._one_at_a_time:
            for reply in replies:
                if reply.id not in self._replies:
                    self._replies[reply.id] = reply
                    for index in self._places[reply.id]:
                        self._keep(index, reply.text, reply.completion_tokens)

    def answers(self, client: ChatClient, *, progress: Progress = silent) -> Answers:
        """To all requests, in their order; `client` is asked for those that are missing, and the seconds are of the
        whole. Raises `ModelError`; what was answered by then was handed on."""
        started = time.monotonic()
        try:
            client.answer(self.missing, self, what="answering", progress=progress)
        finally:
            self._seconds += time.monotonic() - started
        found = {index: self._replies[name] for name, places in self._places.items() for index in places}
        ordered = [found[index] for index in range(len(found))]
        texts = tuple(reply.text for reply in ordered)
        return Answers(texts, tuple(reply.completion_tokens for reply in ordered), self._seconds)
