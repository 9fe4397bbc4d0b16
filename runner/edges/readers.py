"""One tree of reviewed files: a directory as it stands on disk, or a commit. Both implement `ports.Reader`."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from runner.edges.git_command import commit_of, git
from runner.errors import GitError, RecordError

if TYPE_CHECKING:  # `check` lists a tree before it loads what reads it
    from runner.ports import Reader

_NOT_GOVERNED = frozenset({".git", ".hallmark", ".venv", "build", "__pycache__"})


class DirectoryReader:
    """The files of a work tree. A symbolic link is refused: what it names is not what was reviewed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = str(root)

    def paths(self, prefix: str = "") -> Sequence[str]:
        """Every regular file whose path starts with `prefix`, sorted."""
        folder = prefix.rpartition("/")[0]
        for above in accumulate(folder.split("/"), "{}/{}".format) if folder else ():
            if (self.root / above).is_symlink():
                raise _link(above)
        start = self.root / folder if folder else self.root
        if not start.is_dir():
            return ()
        found = self._walk(str(start), f"{folder}/" if folder else "", prefix)
        return sorted(path for path in found if path.startswith(prefix))

    def _walk(self, folder: str, relative: str, prefix: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = relative + entry.name
                if not (path.startswith(prefix) or prefix.startswith(path + "/")) or entry.name in _NOT_GOVERNED:
                    continue
                if entry.is_symlink():
                    raise _link(path)
                if entry.is_dir():
                    yield from self._walk(entry.path, path + "/", prefix)
                elif entry.is_file():
                    yield path

    def read(self, path: str) -> bytes:
        try:
            handle = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise RecordError("is no regular file", path=path)
                return file.read()
        except FileNotFoundError:
            raise RecordError("no such file", path=path, hint=f"looked in {self.name}") from None
        except OSError as error:
            raise RecordError(f"cannot be read: {error.strerror}", path=path) from None


def _link(path: str) -> RecordError:
    return RecordError("is a symbolic link", path=path, hint="put what it names itself here")


class OverlaidReader:
    """A tree with some files written over it, as a change would leave it; None deletes."""

    def __init__(self, below: Reader, files: Mapping[str, bytes | None]) -> None:
        self._below, self._files = below, files
        self.name = f"{below.name}, changed"

    def paths(self, prefix: str = "") -> Sequence[str]:
        """Every regular file whose path starts with `prefix`, sorted."""
        kept = (path for path in self._below.paths(prefix) if path not in self._files)
        written = (path for path, data in self._files.items() if data is not None and path.startswith(prefix))
        return sorted((*kept, *written))

    def read(self, path: str) -> bytes:
        data = self._files.get(path, b"")
        if data is None:
            raise RecordError("no such file", path=path, hint=f"looked in {self.name}")
        return data if path in self._files else self._below.read(path)


class CommitReader:
    """The files of a commit, from git's objects: nothing that lies in a work tree is seen."""

    def __init__(self, repository: Path, revision: str, *, beside: CommitReader | None = None) -> None:
        """`beside` is another commit of the same repository: what both hold is read once."""
        commit = commit_of(repository, revision)
        self.repository = repository
        self.commit = commit
        self.name = f"commit {commit[:12]}"
        self._ids: dict[str, str] = {}
        self._links: set[str] = set()
        self._blobs: dict[str, bytes] = beside._blobs if beside is not None else {}
        self._list()

    def paths(self, prefix: str = "") -> Sequence[str]:
        """Every regular file whose path starts with `prefix`, sorted."""
        for path in sorted(self._links):
            if path.startswith(prefix) or prefix.startswith(f"{path}/"):
                raise _link(path)
        return [path for path in self._ids if path.startswith(prefix)]

    def read(self, path: str) -> bytes:
        if path not in self._ids:
            raise RecordError("no such file", path=path, hint=f"looked in {self.name}")
        if self._ids[path] not in self._blobs:
            self._fetch(path.partition("/")[0])
        return self._blobs[self._ids[path]]

    def _fetch(self, top: str) -> None:
        """Read every blob below a top folder at once: a process for each file would be slow."""
        wanted = {name: path for path, name in self._ids.items() if path.partition("/")[0] == top}
        wanted = {name: path for name, path in wanted.items() if name not in self._blobs}
        done = subprocess.run(
            ["git", "--no-replace-objects", "-C", str(self.repository), "cat-file", "--batch", "--buffer"],
            input="".join(f"{name}\n" for name in wanted).encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise GitError(f"git cat-file in {self.repository}: {done.stderr.decode(errors='replace').strip()}")
        at = 0
        for name, path in wanted.items():
            end = done.stdout.index(b"\n", at)
            header = done.stdout[at:end].split()
            if len(header) != 3 or header[1] != b"blob":
                raise GitError(f"{self.name}: the object of {path} is missing")
            at = end + 1 + int(header[2])
            self._blobs[name] = done.stdout[end + 1 : at]
            at += 1

    def _list(self) -> None:
        listed = git(self.repository, "--no-replace-objects", "ls-tree", "-r", "-z", "--full-tree", self.commit)
        for entry in sorted(listed.split("\0"), key=lambda entry: entry.partition("\t")[2]):
            described, _, path = entry.partition("\t")
            mode, _, name = described.partition(" ")
            if mode in {"100644", "100755"}:
                self._ids[path] = name.removeprefix("blob ")
            elif mode == "120000":
                self._links.add(path)
