"""Answers that models gave on this machine, below `.hallmark/answers/<cluster>/`: nothing is asked twice.

An answer is found by everything that decides it (`rules.evaluation.answer_key`) and checked by sha256 when it is used;
one that is damaged, or of another key, is a miss. It is a cache: nothing is lost with it, and none of it comes from
elsewhere.

One SQLite file, in WAL mode: thousands of answers are no thousands of files, two processes write at once and each
commit is whole or not there after a kill, all without a lock or a format of our own. A file that SQLite cannot read is
thrown away. What cannot be written is not kept, and the run goes on.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from runner.edges.files import only_one
from runner.errors import DataError
from runner.rules.canonical import sha256

T = TypeVar("T")
NAME = "answers.sqlite"
LIMIT = 256 * 2**20
"""Bytes of the file at most, unless said otherwise."""
SPARED = 0.75
"""The share of the limit that is left when it was passed; what was not used for longest goes."""
AT_ONCE = 500
"""Keys of one question to SQLite, which takes at least 999."""
WAIT_S = 30.0
"""How long to wait for another process's write."""
FLUSH_ROWS, FLUSH_S = 128, 1.0
"""Answers, and seconds, after which those that were had are written: what a kill can cost."""
AFRESH_S = 3600
"""An answer's last use is written down when the last that is known is this long ago."""
TABLE = """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text BLOB NOT NULL, tokens INTEGER NOT NULL, sha256 TEXT NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID"""
USED = "CREATE INDEX IF NOT EXISTS by_use ON answers (used)"


class Kept(NamedTuple):
    text: str
    tokens: int


class AnswerCache:
    """The answers of one cluster. May be shared by threads and by processes."""

    def __init__(self, home: Path, *, limit: int = LIMIT) -> None:
        self.path = home / NAME
        self.limit = limit
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def find(self, keys: Sequence[str]) -> dict[str, Kept]:
        """The answers that there are, by key."""
        wanted = list(dict.fromkeys(keys))
        return self._do(lambda file: _found(file, wanted)) or {}

    def keep(self, answers: Mapping[str, Kept]) -> None:
        """Keep them all, or none."""
        rows = [(key, *_row(key, kept), int(time.time())) for key, kept in answers.items()]
        if rows:
            self._do(lambda file: _written(file, rows, limit=self.limit))

    @contextlib.contextmanager
    def keeping(self) -> Iterator[Callable[[str, Kept], None]]:
        """What keeps one answer after the other, many to a write; the last ones where the block ends, or fails."""
        waiting: dict[str, Kept] = {}
        since = time.monotonic()

        def keep(key: str, kept: Kept) -> None:
            nonlocal since
            waiting[key] = kept
            if len(waiting) >= FLUSH_ROWS or time.monotonic() - since >= FLUSH_S:
                self.keep(waiting)
                waiting.clear()
                since = time.monotonic()

        try:
            yield keep
        finally:
            self.keep(waiting)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """None where the file cannot be read or written. One that is no SQLite file is begun anew, once."""
        with self._lock:
            for again in (True, False):
                try:
                    return work(self._connection())
                except sqlite3.OperationalError:  # locked for too long, a full disk, no permission
                    self._close()
                    return None
                except (sqlite3.DatabaseError, DataError):
                    self._close()
                    if not again or not self._thrown_away():
                        return None
        return None

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            with only_one(self.path.with_suffix(".lock")):
                self._open = _opened(self.path)
        return self._open

    def _thrown_away(self) -> bool:
        """Remove what cannot be read, unless another process has put a good file in its place meanwhile."""
        try:
            with only_one(self.path.with_suffix(".lock")):
                if not _sound(self.path):
                    for part in ("", "-wal", "-shm"):
                        self.path.with_name(self.path.name + part).unlink(missing_ok=True)
        except (OSError, DataError):
            return False
        return True

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        file.execute("PRAGMA auto_vacuum = INCREMENTAL")
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last answers, never the file
        file.execute(TABLE)
        file.execute(USED)
    except sqlite3.Error:
        file.close()
        raise
    return file


def _sound(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=WAIT_S)) as file:
            return bool(file.execute("PRAGMA quick_check").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False


def _row(key: str, kept: Kept) -> tuple[bytes, int, str]:
    """Text, tokens, and the sha256 of both and the key."""
    text = kept.text.encode("utf-8", "surrogatepass")
    return text, kept.tokens, sha256(b"\0".join((key.encode(), str(kept.tokens).encode(), text)))


def _found(file: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Kept]:
    now = int(time.time())
    found: dict[str, Kept] = {}
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = file.execute(f"SELECT key, text, tokens, sha256 FROM answers WHERE key IN ({marks})", some).fetchall()
        whole = [(key, kept) for key, *said in rows if (kept := _checked(key, said)) is not None]
        found.update(whole)
        stale = f"UPDATE answers SET used = ? WHERE key IN ({','.join('?' * len(whole))}) AND used < ?"
        with contextlib.suppress(sqlite3.OperationalError):  # a use that is not written down costs nothing now
            file.execute(stale, [now, *(key for key, _ in whole), now - AFRESH_S])
    return found


def _checked(key: str, said: Sequence[object]) -> Kept | None:
    """The answer, where it is what was kept for `key`."""
    text, tokens, seal = said
    if not isinstance(text, bytes) or not isinstance(tokens, int):
        return None
    try:
        kept = Kept(text.decode("utf-8", "surrogatepass"), tokens)
    except UnicodeDecodeError:
        return None
    return kept if _row(key, kept)[2] == seal else None


def _written(file: sqlite3.Connection, rows: Sequence[tuple[object, ...]], *, limit: int) -> None:
    file.execute("BEGIN IMMEDIATE")
    try:
        file.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
        if _size(file) > limit:
            _shrunk(file, int(SPARED * limit))
        file.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            file.execute("ROLLBACK")
        raise
    file.execute("PRAGMA incremental_vacuum")


def _size(file: sqlite3.Connection) -> int:
    """Bytes of the pages in use."""
    pages, free, size = (
        int(file.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _shrunk(file: sqlite3.Connection, wanted: int) -> None:
    """Take out what was not used for longest, a tenth at a time."""
    while _size(file) > wanted:
        (count,) = file.execute("SELECT count(*) FROM answers").fetchone()
        if not count:
            return
        oldest = "SELECT key FROM answers ORDER BY used, key LIMIT ?"
        file.execute(f"DELETE FROM answers WHERE key IN ({oldest})", [-(-count // 10)])
