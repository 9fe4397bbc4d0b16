"""Commit and tree objects read as git reads them, and refused where two readers could take them for two things.

Objects come from whoever pushes, and git's own checks of them are off by default: a commit may carry a second `tree`
header that git passes over, and a tree may hold itself a billion times.
"""

from __future__ import annotations

import re

from runner.errors import VerificationError
from runner.records.change import Commit, File

TREE = "40000"
LARGEST = 64 * 1024 * 1024
"""Bytes of the largest object that is read: far beyond any governed file, and no more than memory bears."""
DEEPEST, MOST = 50, 1_000_000
LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""
_OID = re.compile(r"[0-9a-f]{40}\Z")
_MODE = re.compile(rb"[0-7]{5,6}\Z")


def read_commit(oid: str, content: bytes) -> Commit:
    """A commit: `tree`, the parents, author and committer, in this order; what follows them is free.

    A second `tree` or `parent` down there would be one that git does not see, so it is refused, as is all else that is
    malformed. Raises `VerificationError`.
    """
    try:
        lines = content.split(b"\n\n", 1)[0].decode(errors="replace").split("\n")
        names, values = zip(*(line.partition(" ")[::2] for line in lines), strict=True)
        author = names.index("author")
        tree, parents = values[0], values[1:author]
        if names[0] != "tree" or set(names[1:author]) - {"parent"} or names[author + 1] != "committer":
            raise ValueError("it does not begin with tree, parents, author and committer")
        if {"tree", "parent", "author", "committer"} & set(names[author + 2 :]):
            raise ValueError("a header stands where git does not read it")
        if not all(_OID.match(one) for one in (tree, *parents)):
            raise ValueError("a tree or parent is no object id")
        time = int(values[author + 1].rsplit(" ", 2)[1])
        if not 0 <= time <= LAST_SECOND:
            raise ValueError(f"its time is {time}")
    except (ValueError, IndexError) as error:
        raise VerificationError(f"commit {oid} is malformed: {error}") from error
    return Commit(tree, parents, time)


def read_tree(oid: str, content: bytes) -> dict[str, File]:
    """A tree's own entries by name. Raises `VerificationError` where it is malformed, names a thing twice, or names
    what no file can be called."""
    at, found = 0, dict[str, File]()
    while at < len(content):
        space = content.find(b" ", at)
        nul = content.find(b"\0", space)
        mode = content[at:space]
        if space < 0 or nul < 0 or nul + 21 > len(content) or not _MODE.match(mode):
            raise VerificationError(f"tree {oid} is malformed")
        # what is not UTF-8 becomes backslashes, which no safe name has
        name = content[space + 1 : nul].decode(errors="backslashreplace")
        if name in {"", ".", ".."} or "/" in name:
            raise VerificationError(f"tree {oid} holds {name!r}, which is no name")
        if name in found:
            raise VerificationError(f"tree {oid} names {name!r} twice")
        shown = mode.decode()
        found[name] = File(shown if shown == TREE else shown.zfill(6), content[nul + 1 : nul + 21].hex())
        at = nul + 21
    return found


class Budget:
    """How much of a tree may still be looked at: one that holds the same subtree ten times, ten levels deep, has more
    paths than any machine can list."""

    def __init__(self, what: str) -> None:
        self.what, self.left = what, MOST

    def spend(self, prefix: str, entries: int) -> None:
        """Raises `VerificationError` where `prefix` is too deep, or there are too many entries."""
        self.left -= entries + 1
        if self.left < 0:
            raise VerificationError(f"{self.what} has more than {MOST} entries")
        if prefix.count("/") > DEEPEST:
            raise VerificationError(f"{self.what} is nested deeper than {DEEPEST} directories")
