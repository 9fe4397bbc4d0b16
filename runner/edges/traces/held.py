"""What ingestion must remember of a whole file, on disk and not in memory: digests, verdicts, messages apart."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runner.edges.traces.base import Part, Verdict
from runner.edges.traces.senders import Sender
from runner.errors import DataError

_TABLES = """
    create table seen (digest blob primary key) without rowid;
    create table verdict (key text, number integer, feedback text);
    create index verdict_key on verdict (key);
    create table used (number integer primary key);
    create table part (number integer primary key, key text, name text, body text, timestamp text, sender text);
    create index part_key on part (key);
    create table told (key text primary key) without rowid;
"""


class Held:
    """A database in a temporary file that has no name and is gone with the process. Nothing of it is kept."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript("pragma cache_size=-16384; pragma journal_mode=off; pragma synchronous=off;")
        self._database.executescript(_TABLES)
        self._database.execute("begin")  # never ended: by itself each row would be written to the disk at once
        self._empty = True
        self._verdicts = 0

    def close(self) -> None:
        self._database.close()

    def is_new(self, digest: bytes) -> bool:
        """Whether this digest comes for the first time."""
        with _room():
            return self._database.execute("insert or ignore into seen values (?)", (digest,)).rowcount == 1

    def hold(self, found: Verdict | Part) -> None:
        self._empty = False
        with _room():
            if isinstance(found, Verdict):
                self._verdicts += 1
                said = json.dumps(found.feedback)
                rows = [(_name(key), self._verdicts, said) for key in found.keys]
                self._database.executemany("insert into verdict values (?, ?, ?)", rows)
            else:
                row = (_name(found.key), found.name, *map(json.dumps, (found.body, found.timestamp, found.sender)))
                self._database.execute("insert into part values (null, ?, ?, ?, ?, ?)", row)

    def verdicts(self, keys: Sequence[str]) -> list[Any]:
        """What was said of the call that has these keys, in the order of the log."""
        if self._empty or not keys:
            return []
        marks = ",".join("?" * len(keys))
        with _room():
            query = f"select distinct number, feedback from verdict where key in ({marks}) order by number"
            rows = self._database.execute(query, tuple(map(_name, keys))).fetchall()
            self._database.executemany("insert or ignore into used values (?)", [(number,) for number, _ in rows])
        return [json.loads(said) for _, said in rows]

    def parts(self, key: str) -> Sequence[Part]:
        """The messages of the call `key` that stand apart from it, in the order of the log."""
        if self._empty or not key:
            return ()
        with _room():
            self._database.execute("insert or ignore into told values (?)", (_name(key),))
            query = "select key, name, body, timestamp, sender from part where key = ? order by number"
            rows = self._database.execute(query, (_name(key),)).fetchall()
        return [
            Part(key, name, json.loads(body), json.loads(at), Sender(*json.loads(sender)))
            for key, name, body, at, sender in rows
        ]

    def untold(self) -> Iterator[Sequence[Part]]:
        """The messages of each call that no span was found for."""
        if not self._empty:
            query = "select key from part where key not in (select key from told) group by key order by min(number)"
            for (key,) in self._database.execute(query):
                yield self.parts(key)

    @property
    def unmatched(self) -> int:
        """Verdicts on calls that were not found."""
        (used,) = self._database.execute("select count(*) from used").fetchone()
        return self._verdicts - int(used)


def _name(key: str) -> str:
    """A key as the database can hold it: a log may have half a surrogate pair in it."""
    return key.encode(errors="backslashreplace").decode()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise DataError(f"the temporary directory cannot hold what ingestion must remember: {error}") from error
