"""Finished replies on the disk, one a line: what a kill leaves, and what is not asked for again.

A reply is added and fsynced, and never changed. A last line without its end was torn by a kill and is cut off; any
other line that cannot be read is an error, because a reply that is lost would be asked for again.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.edges.chat.reply import Reply
from runner.edges.files import naming
from runner.errors import DataError, ModelError


class Journal:
    """The replies of one task, of this process alone while it is open. Raises `DataError` and `ModelError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        with naming(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ModelError(f"{self._path}: another process asks for the same; let it end") from None
        self._replies = dict(self._read())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def replies(self) -> Mapping[str, Reply]:
        """By the id of the request."""
        return self._replies

    def keep(self, replies: Iterable[Reply]) -> None:
        """Add those replies that are not there; all are on the disk when this returns. Any thread may call it."""
        with self._one_at_a_time, naming(self._path):
            found = [one for one in replies if one.id not in self._replies]
            if found:
                self._file.write(b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in found))
                self._file.flush()
                os.fsync(self._file.fileno())
                self._replies.update((one.id, one) for one in found)

    def _read(self) -> Iterable[tuple[str, Reply]]:
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with naming(self._path):
                self._file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                reply = Reply(*json.loads(line))
            except (ValueError, TypeError) as error:
                hint = "delete the line, and its request is sent again"
                raise DataError(f"{self._path}:{number}: not a reply: {error}; {hint}") from error
            yield reply.id, reply
