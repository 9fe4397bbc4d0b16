"""The governed files of a work tree and how each stands, listed by another process while this one starts."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from runner.edges.aside import Aside
from runner.edges.readers import DirectoryReader
from runner.errors import RecordError

Standing = str
"""Size, time of the last change of the bytes and of anything (ns), inode: what git's index goes by. As one word, since
ten thousand are compared."""


class StandingReader(DirectoryReader):
    """`ports.Reader` of the files below `prefixes` of a work tree, as they stood when it was made."""

    def __init__(self, root: Path, prefixes: Sequence[str]) -> None:
        super().__init__(root)
        self._prefixes = prefixes
        self._aside = Aside(lambda: json.dumps(self._listed()).encode())

    @cached_property
    def standing(self) -> Mapping[str, Standing]:
        """By path, sorted. Raises `RecordError` for a symbolic link."""
        listed = self._aside.result()
        found: dict[str, Standing] = json.loads(listed) if listed else self._listed()
        return found

    def paths(self, prefix: str = "") -> Sequence[str]:
        return [path for path in self.standing if path.startswith(prefix)]

    def _listed(self) -> dict[str, Standing]:
        paths = sorted(path for prefix in self._prefixes for path in DirectoryReader.paths(self, prefix))
        return {path: standing(f"{self.root}/{path}", path) for path in paths}


def standing(whole: str, path: str) -> Standing:
    """How the file at `whole` stands. Raises `RecordError` that names it `path` where it is no regular file."""
    try:
        found = os.lstat(whole)
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}", path=path) from None
    if not stat.S_ISREG(found.st_mode):
        raise RecordError("is no regular file", path=path)
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def changed_last(found: Standing) -> int:
    """When the file changed in any way, ns."""
    return max(map(int, found.split()[1:3]))
