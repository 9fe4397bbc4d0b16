"""The rows that a query gives on a small database, which stands in memory and is gone afterwards.

SQLite runs the query: it may read the tables, and nothing else (authorizer). It has so many steps of SQLite's machine,
so many rows, and values of so many bytes; a query that takes more is refused, at the same step wherever SQLite's
version is the same. What a query would do with the time of day, the machine's time zone, chance, other files or its own
connection is refused.

Two queries that give the same rows here may differ on other tables: rows that tell wrong queries from right ones are
part of a rubric. Names of columns say nothing; their order does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from runner.rules.text.shown import quoted

if TYPE_CHECKING:
    import sqlite3

Rows = tuple[tuple[tuple[str, str], ...], ...]
"""Rows of values, each as its kind and its text."""

MOST_STEPS = 400_000
"""Of SQLite's machine, for the tables and for each query."""
MOST_ROWS = 5_000
LONGEST_QUERY = 10_000
MOST_CHARACTERS = 1_000_000
"""In all rows together."""
LONGEST_VALUE = 2_000
_MOST_PAGES = 10_000
"""Of 4 KiB, for the tables."""
_EVERY = 1_000
_RAISED = "user-defined function raised exception"
"""All that SQLite says of an error in `_dated`."""
_ALLOWED = """
abs avg ceil ceiling coalesce concat concat_ws count cume_dist date datetime dense_rank first_value floor format glob
group_concat hex ifnull iif instr julianday lag last_value lead length like lower ltrim max min mod nth_value ntile
nullif percent_rank pow power printf rank replace round row_number rtrim sign sqrt strftime string_agg substr substring
sum time total trim typeof unicode upper
"""
_DATES = ("date", "datetime", "julianday", "strftime", "time")
_CLOCK = ("current_date", "current_time", "current_timestamp")
_ASKS_THE_CLOCK = frozenset({"now", "localtime", "utc", "subsec", "subsecond"})
"""Arguments of a date that stand for the time of day or, as modifiers, for the machine's time zone."""
_FUNCTIONS = frozenset((*_ALLOWED.split(), *_CLOCK))
_READING = ("SQLITE_SELECT", "SQLITE_READ", "SQLITE_RECURSIVE")
_MAKING = (
    *_READING,
    "SQLITE_CREATE_TABLE",
    "SQLITE_CREATE_INDEX",
    "SQLITE_CREATE_VIEW",
    "SQLITE_INSERT",
    "SQLITE_UPDATE",
    "SQLITE_DELETE",
    "SQLITE_REINDEX",
    "SQLITE_TRANSACTION",
)


class QueryError(ValueError):
    """A query, or the statements of a rubric, that gives no rows; it says why."""


def rows(tables: str, query: str) -> Rows:
    """The rows of `query` on the database that the statements in `tables` make. Raises `QueryError`."""
    if len(query) > LONGEST_QUERY:
        raise QueryError(f"is longer than {LONGEST_QUERY:,} characters")
    with _database(tables) as connection:
        _limit(connection)
        with _told(connection, _READING):
            return _taken(connection.execute(query))


@lru_cache(maxsize=4_096)
def reference_rows(tables: str, query: str) -> Rows:
    """`rows`, remembered: a reference is asked for with every answer."""
    return rows(tables, query)


def check_tables(tables: str) -> None:
    """Raises `QueryError` for statements that make no database."""
    with _database(tables):
        pass


def _taken(given: Iterable[tuple[Any, ...]]) -> Rows:
    """The rows, as long as they are few and small enough to be kept."""
    found: list[tuple[tuple[str, str], ...]] = []
    size = 0
    for row in given:
        found.append(tuple(map(_value, row)))
        size += sum(len(text) for _, text in found[-1])
        if len(found) > MOST_ROWS:
            raise QueryError(f"gives more than {MOST_ROWS:,} rows")
        if size > MOST_CHARACTERS:
            raise QueryError(f"gives more than {MOST_CHARACTERS:,} characters")
    return tuple(found)


@contextmanager
def _database(tables: str) -> Iterator[sqlite3.Connection]:
    import sqlite3  # a hundredth of a second, which only such rubrics need

    connection, calendar = (sqlite3.connect(":memory:", isolation_level=None) for _ in range(2))
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(LONGEST_VALUE, len(tables.encode())))
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA max_page_count={_MOST_PAGES}")
        for name in (*_DATES, *_CLOCK):
            arguments = 0 if name in _CLOCK else -1
            connection.create_function(name, arguments, partial(_dated, calendar, name), deterministic=True)
        with _told(connection, _MAKING):
            connection.executescript(tables)
        yield connection
    finally:
        connection.close()
        calendar.close()


def _dated(calendar: sqlite3.Connection, name: str, *values: Any) -> Any:
    """What SQLite's own function of dates gives. Raises `QueryError` where it would ask the clock. Only the values of
    the arguments tell: a query can put "now" together."""
    times = values[1:] if name == "strftime" else values
    if not times or any(_read_as(value) in _ASKS_THE_CLOCK for value in times):
        raise QueryError("depends on the time of day")
    return calendar.execute(f"SELECT {name}({', '.join('?' * len(values))})", values).fetchone()[0]


def _read_as(value: Any) -> str:
    """An argument as SQLite reads it: bytes as text, and text up to a zero."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.partition("\0")[0].strip().lower()


@contextmanager
def _told(connection: sqlite3.Connection, allowed: tuple[str, ...]) -> Iterator[None]:
    """Let the connection do what is allowed, for so many steps, and say in words what it would not."""
    import sqlite3

    codes = {getattr(sqlite3, name) for name in allowed}
    spent = 0

    def authorise(code: int, first: str | None, second: str | None, *_where: str | None) -> int:
        if code == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_OK if (second or "").lower() in _FUNCTIONS else sqlite3.SQLITE_DENY
        hidden = code == sqlite3.SQLITE_READ and (first or "").startswith("sqlite_") and allowed is _READING
        return sqlite3.SQLITE_OK if code in codes and not hidden else sqlite3.SQLITE_DENY

    def count() -> int:
        nonlocal spent
        spent += _EVERY
        return int(spent > MOST_STEPS)

    connection.set_authorizer(authorise)
    connection.set_progress_handler(count, _EVERY)
    try:
        yield
    except QueryError:
        raise
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if spent > MOST_STEPS:
            raise QueryError(f"takes more than {MOST_STEPS:,} steps") from error
        if str(error) == _RAISED:
            raise QueryError("depends on the time of day") from error
        raise QueryError(f"fails: {quoted(str(error))}") from error
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)


def _limit(connection: sqlite3.Connection) -> None:
    import sqlite3

    for what, most in (
        (sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
        (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
        (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 20),
        (sqlite3.SQLITE_LIMIT_COLUMN, 100),
        (sqlite3.SQLITE_LIMIT_VDBE_OP, 50_000),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    ):
        connection.setlimit(what, most)


def _value(value: Any) -> tuple[str, str]:
    """Numbers are equal to nine digits, whole or not."""
    if isinstance(value, int | float):
        return ("number", f"{value + 0:.9g}")  # nought has no sign
    if isinstance(value, bytes):
        return ("bytes", value.hex())
    return ("nothing", "") if value is None else ("text", value)
