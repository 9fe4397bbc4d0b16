"""git, written as objects: commits from bytes, refs moved by compare-and-swap, pushes that are whole or nothing."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.edges.git import GitObjects
from runner.edges.git_calls import Said, git_program
from runner.edges.write_points import WritePoint, reach
from runner.errors import GitError, RefMovedError
from runner.records.change import File

ABSENT = "0" * 40
RACES = ("[rejected]", "failed to update ref", "cannot lock ref", "incorrect old value", "reference already exists")


class RefUpdate(NamedTuple):
    """Move `ref` to `new` if it still is at `old` (none: if it does not exist)."""

    ref: str
    new: str
    old: str | None


class GitRepository(GitObjects):
    """A repository that is written to. Commits carry `name` and `email`; they prove nothing, signatures do."""

    def __init__(
        self,
        path: Path,
        *,
        name: str = "hallmark",
        email: str = "hallmark@localhost",
        asked: Callable[[], Said] = dict,
    ) -> None:
        super().__init__(path, asked=asked)
        self._identity = {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
        }

    def write(self, kind: str, content: bytes) -> str:
        """Store an object (`blob`, `tag`, …) and say its id."""
        stored = self.run("hash-object", "-t", kind, "-w", "--stdin", data=content).decode().strip()
        reach(WritePoint.OBJECT_STORED, self.path)
        return stored

    def commit_files(
        self, parents: Sequence[str], files: Mapping[str, bytes | File | None], message: str, *, base: str | None = None
    ) -> str:
        """A commit on `parents` whose tree is that of `base` (the first parent where none) with `files` written over
        it: bytes, an object that is here already, or None to delete. No ref moves."""
        base = base or (parents[0] if parents else None)
        with tempfile.TemporaryDirectory(prefix="hallmark-") as scratch:
            index = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}
            self.run("read-tree", *([base] if base else ["--empty"]), environment=index)
            lines = []
            for path, content in files.items():
                file = File("100644", self.write("blob", content)) if isinstance(content, bytes) else content
                mode, blob = file or ("0", ABSENT)
                lines.append(f"{mode} {blob}\t{path}\0".encode())
            self.run("update-index", "-z", "--index-info", data=b"".join(lines), environment=index)
            tree = self.run("write-tree", environment=index).decode().strip()
        chosen = [argument for parent in parents for argument in ("-p", parent)]
        made = self.run("commit-tree", tree, *chosen, "-F", "-", data=message.encode(), environment=self._identity)
        reach(WritePoint.COMMIT_STORED, self.path)
        return made.decode().strip()

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor. Raises `GitError` where the two share no history."""
        try:
            return self.run("merge-base", one, other).decode().strip()
        except GitError as error:  # git says nothing where there is none
            said = str(error).rstrip(": ")
            raise GitError(f"{one[:12]} and {other[:12]} share no history that is here ({said})") from error

    def move(self, refs: Mapping[str, tuple[str, str | None]]) -> None:
        """Move refs from old to new, all or none: `{ref: (new, old)}`. Raises `RefMovedError`."""
        self.update_refs([RefUpdate(ref, new, old) for ref, (new, old) in refs.items()])

    def update_refs(self, updates: Sequence[RefUpdate]) -> None:
        """Move every ref or none. Raises `RefMovedError` where one is not at its old value."""
        lines = ["start", *(f"update {u.ref} {u.new} {u.old or ABSENT}" for u in updates), "commit", ""]
        refs = " ".join(update.ref for update in updates)
        reach(WritePoint.REFS_NEXT, refs)
        try:
            self.run("update-ref", "--stdin", data="\n".join(lines).encode())
        except GitError as error:
            if any(sign in str(error) for sign in ("cannot lock ref", "reference already exists")):
                raise RefMovedError(str(error)) from error
            raise
        reach(WritePoint.REFS_MOVED, refs)

    def remote_ref(self, remote: str, ref: str) -> str | None:
        """Where `ref` is at the remote now, with its objects fetched; none where there is no such ref."""
        lines = self._network("ls-remote", remote, ref).decode().splitlines()
        found = next((line.split("\t")[0] for line in lines if line.split("\t")[1] == ref), None)
        if found is not None and not self.has(found):
            self._network("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, ref)
        return found

    def remote_refs(self, remote: str) -> dict[str, str]:
        """Every branch and tag of the remote as they are now, and the object that each names. Nothing is fetched."""
        lines = self._network("ls-remote", "--refs", remote).decode(errors="surrogateescape").splitlines()
        return {name: oid for oid, _, name in (line.partition("\t") for line in lines)}

    def fetch(self, remote: str) -> None:
        """Every branch and tag of the remote, as it now has them. Raises `GitError`, also for a tag that moved."""
        specs = (f"+refs/heads/*:refs/remotes/{remote}/*", "refs/tags/*:refs/tags/*")
        self._network("fetch", "--no-progress", "--prune", "--no-write-fetch-head", remote, *specs)

    def uncommitted(self) -> tuple[str, ...]:
        """The tracked files that work tree or index hold otherwise than HEAD; none where there is no work tree."""
        if self._network("rev-parse", "--is-inside-work-tree").strip() != b"true":
            return ()
        said = self._network("-c", "core.fsmonitor=false", "status", "--porcelain", "-z", "--untracked-files=no")
        return tuple(row[3:] for row in said.decode(errors="replace").split("\0") if row)

    def has(self, oid: str) -> bool:
        try:
            self.run("cat-file", "-e", f"{oid}^{{}}")
        except GitError:
            return False
        return True

    def push(self, remote: str, updates: Mapping[str, str], *, atomic: bool = False) -> None:
        """Push objects to refs, fast-forward only. Raises `RefMovedError` where another writer was first."""
        specs = [f"{oid}:{ref}" for ref, oid in updates.items()]
        reach(WritePoint.PUSH_NEXT, " ".join(updates))
        try:
            self._network("push", "--porcelain", *(["--atomic"] if atomic else []), remote, *specs)
        except GitError as error:
            if any(sign in str(error) for sign in RACES) and "hook declined" not in str(error):
                raise RefMovedError(str(error)) from error
            raise
        reach(WritePoint.PUSHED, " ".join(updates))

    def _network(self, *arguments: str) -> bytes:
        """git with the user's own configuration, which holds credentials."""
        done = subprocess.run(
            [git_program(), *arguments],
            cwd=self.path,
            env={**_outside(), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise GitError(f"git {arguments[0]} in {self.path}: {said}")
        return done.stdout


def _outside() -> dict[str, str]:
    """The environment without what a calling git says about its own repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        name: os.environ[name] for name in os.environ if name.startswith(("GIT_SSH", "GIT_CONFIG", "GIT_ASKPASS"))
    }
