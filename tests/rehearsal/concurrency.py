"""Concurrency groups, as the forge keeps them: one at work, one that waits, and a newer one throws out who waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.rehearsal.expressions import Contexts, filled


@dataclass
class _Group:
    at_work: threading.Event | None = None
    waiting: threading.Event | None = None


@dataclass
class Groups:
    """A ticket is the event that cancels its holder."""

    _groups: dict[str, _Group] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def entered(self, said: Any, contexts: Contexts, ticket: threading.Event) -> Iterator[None]:
        """Wait for the turn of `said`, a `concurrency` of a workflow or a job. A ticket may be cancelled on the way."""
        if said is None:
            yield
            return
        value = filled(said, contexts)
        name, cancels = (value, False) if isinstance(value, str) else (value["group"], value["cancel-in-progress"])
        with self._changed:
            group = self._groups.setdefault(str(name), _Group())
            if group.waiting is not None:
                group.waiting.set()
            group.waiting = ticket
            if cancels and group.at_work is not None:
                group.at_work.set()
            self._changed.notify_all()
            self._changed.wait_for(lambda: ticket.is_set() or group.at_work is None)
            if group.waiting is ticket:
                group.waiting = None
            mine = not ticket.is_set()
            if mine:
                group.at_work = ticket
        try:
            yield
        finally:
            if mine:
                with self._changed:
                    group.at_work = None
                    self._changed.notify_all()
