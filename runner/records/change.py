"""What a push changes: paths with their modes and contents, and the class that a change belongs to."""

from enum import StrEnum
from typing import NamedTuple


class ChangeClass(StrEnum):
    """One merge holds one class; the policy says who must sign each."""

    POLICY = "policy"
    REVOCATION = "revocation"
    BENCHMARK = "benchmark"
    DATA = "data"
    CODE = "code"
    DOCS = "docs"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"


class Operation(StrEnum):
    """git's status letters, without renames."""

    ADD = "A"
    MODIFY = "M"
    DELETE = "D"
    TYPE = "T"


class PathChange(NamedTuple):
    """One path that differs between two trees. `mode` is git's, six octal digits; of a deleted path, 000000."""

    operation: Operation
    path: str
    mode: str
    blob: str
    """The new object; empty for a deleted path."""
    old_blob: str
    """The old object; empty for an added path."""


class File(NamedTuple):
    """A path's mode and object at one commit."""

    mode: str
    blob: str


class Commit(NamedTuple):
    tree: str
    parents: tuple[str, ...]
    time: int
    """The committer's, in seconds since 1970. Whoever made the commit wrote it: never judge by it alone."""
