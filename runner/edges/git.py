"""git, read as objects: no work tree, no index, and no configuration but the repository's own.

Everything comes through one `git cat-file --batch` process, and trees are compared here, so that neither attributes
nor replace refs, grafts or rename detection decide what a change is (PROTOCOL.md, facts 5 and 10).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from runner.edges.git_calls import OPTIONS, Said, asked_for_commits, asked_for_refs, git_program, hermetic_environment
from runner.edges.git_objects import LARGEST, TREE, Budget, read_commit, read_tree
from runner.errors import GitError, RecordError, VerificationError
from runner.records.change import Commit, File, Operation, PathChange

TOGETHER = 500
"""Objects asked for at once: their ids fit into a pipe, so that neither side waits for the other for ever."""
SOME = 200
"""The same, by names that may be as long as a path."""


class GitObjects:
    """One repository's objects and refs. Close it (or use it as a context) to end its git process.

    What git says of `asked` already, another process has asked: for one that judges a single moment and writes nothing.
    """

    def __init__(self, path: Path, *, asked: Callable[[], Said] = dict) -> None:
        self.path = Path(path).resolve()
        self._asked = asked
        self._environment = hermetic_environment()
        self._process: subprocess.Popen[bytes] | None = None
        self._commits: dict[str, Commit] = {}
        self._diffs: dict[tuple[str, str], tuple[PathChange, ...]] = {}
        self._trees: dict[str, dict[str, File]] = {}
        self._walks: dict[tuple[str, str], dict[str, File]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _kill(self) -> None:
        """End the git process in the middle of what it says."""
        if self._process is not None:
            self._process.kill()
            self.close()

    def run(self, *arguments: str, data: bytes | None = None, environment: Mapping[str, str] | None = None) -> bytes:
        """git's standard output. Raises `GitError` with its standard error where it fails."""
        done = subprocess.run(
            [git_program(), *OPTIONS, *arguments],
            cwd=self.path,
            env={**self._environment, **(environment or {})},
            input=data if data is not None else b"",
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise GitError(f"git {arguments[0]} in {self.path}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def _said(self, *arguments: str) -> bytes:
        known = self._asked().get(arguments)
        return self.run(*arguments) if known is None else known

    def object(self, oid: str) -> tuple[str, bytes]:
        """An object's type and content. Raises `GitError` where there is none."""
        return self._objects([oid])[0]

    def blobs(self, oids: Sequence[str]) -> dict[str, bytes]:
        """Many files' contents. They are asked for together, so that git and this process work side by side."""
        found: dict[str, bytes] = {}
        for at in range(0, len(oids), TOGETHER):
            some = oids[at : at + TOGETHER]
            for oid, (kind, content) in zip(some, self._objects(some), strict=True):
                if kind != "blob":
                    raise GitError(f"object {oid} is a {kind}, not a file")
                found[oid] = content
        return found

    def contents(self, names: Sequence[str]) -> list[bytes | None]:
        """Many objects' contents, each by its id or as `<id>:<path>`; None where there is none. Asked for together."""
        if any("\n" in name for name in names):
            raise GitError(f"{self.path} has no object with a line break in its name")
        found: list[bytes | None] = []
        for at in range(0, len(names), SOME):
            found += [content for _, content in self._answers(names[at : at + SOME])]
        return found

    def _objects(self, oids: Sequence[str]) -> list[tuple[str, bytes]]:
        found = []
        for oid, (kind, content) in zip(oids, self._answers(oids), strict=True):
            if content is None:
                self.close()
                raise GitError(f"{self.path} has no object {oid}")
            found.append((kind, content))
        return found

    def _answers(self, names: Sequence[str]) -> list[tuple[str, bytes | None]]:
        """Type and content of what each name stands for; no content where it stands for nothing."""
        source = self._ask(names)
        found: list[tuple[str, bytes | None]] = []
        for name in names:
            line = source.readline()
            header = line.split()
            if line.endswith((b" missing\n", b" ambiguous\n")):
                found.append(("", None))
                continue
            if len(header) != 3:
                self.close()
                raise GitError(f"{self.path} is no longer read: git cat-file has ended")
            if int(header[2]) > LARGEST:
                self._kill()
                raise VerificationError(f"object {name} has {int(header[2])} bytes, and at most {LARGEST} are read")
            found.append((header[1].decode(), source.read(int(header[2]))))
            source.read(1)
        return found

    def _ask(self, names: Sequence[str]) -> IO[bytes]:
        """Write the names to git's one process, and say where it answers."""
        if self._process is None:
            self._process = subprocess.Popen(
                [git_program(), *OPTIONS, "cat-file", "--batch"],
                cwd=self.path,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=1 << 16,
            )
        source, sink = self._process.stdout, self._process.stdin
        if source is None or sink is None:
            raise GitError("git cat-file has no pipes")
        try:
            sink.write("".join(f"{name}\n" for name in names).encode())
            sink.flush()
        except BrokenPipeError as error:
            self._process = None
            raise GitError(f"{self.path} is no longer read: git cat-file has ended") from error
        return source

    def blob(self, oid: str) -> bytes:
        kind, content = self.object(oid)
        if kind != "blob":
            raise GitError(f"object {oid} is a {kind}, not a file")
        return content

    def resolve(self, ref: str) -> str | None:
        """The object that a full ref name (or an object id) stands for; none where there is no such ref."""
        done = self._said(*asked_for_refs(ref)) if ref.startswith("refs/") else b""
        for line in done.decode(errors="surrogateescape").split("\n"):
            oid, _, name = line.partition(" ")
            if name == ref:
                return oid
        if ref.startswith("refs/"):
            return None
        try:
            return (
                self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
            )
        except GitError:
            return None

    def refs(self, prefix: str) -> dict[str, str]:
        """Every ref below `prefix` and the object it names."""
        lines = self._said(*asked_for_refs(prefix)).decode(errors="surrogateescape").split("\n")
        return {name: oid for oid, _, name in (line.partition(" ") for line in lines) if name}

    def commit(self, oid: str) -> Commit:
        if oid not in self._commits:
            self._commits[oid] = self._commit(oid)
        return self._commits[oid]

    def _commit(self, oid: str) -> Commit:
        kind, content = self.object(oid)
        if kind != "commit":
            raise GitError(f"object {oid} is a {kind}, not a commit")
        return read_commit(oid, content)

    def incoming(self, old: str, new: str) -> tuple[str, ...]:
        """The commits that `new` brings to `old`, `new` left out."""
        listed = self._said(*asked_for_commits(old, new)).decode().split()
        return tuple(oid for oid in listed if oid != new)

    def graph(self, tip: str) -> dict[str, tuple[str, ...]]:
        """Every commit reachable from `tip` and its parents, newest first."""
        lines = self.run("rev-list", "--topo-order", "--parents", tip).decode().splitlines()
        return {line.split()[0]: tuple(line.split()[1:]) for line in lines}

    def tree(self, oid: str) -> dict[str, File]:
        """One tree's own entries by name. Raises `VerificationError` for a tree that names a thing twice."""
        if oid not in self._trees:
            kind, content = self.object(oid)
            if kind != "tree":
                raise GitError(f"object {oid} is a {kind}, not a tree")
            self._trees[oid] = read_tree(oid, content)
        return self._trees[oid]

    def tree_at(self, commit: str, directory: str) -> str:
        """The directory's object (the root's, where it is empty); empty where there is none."""
        at = self._at(commit, directory)
        return at.blob if at is not None and at.mode == TREE else ""

    def _at(self, commit: str, path: str) -> File | None:
        at = File(TREE, self.commit(commit).tree)
        for name in path.strip("/").split("/") if path else ():
            found = self.tree(at.blob).get(name) if at.mode == TREE else None
            if found is None:
                return None
            at = found
        return at

    def names(self, commit: str, directory: str) -> tuple[str, ...]:
        """What a directory (the root, where it is empty) holds itself, sorted; nothing where there is none."""
        tree = self.tree_at(commit, directory)
        return tuple(sorted(self.tree(tree))) if tree else ()

    def files(self, commit: str, prefix: str = "") -> dict[str, File]:
        """Every file below the directory `prefix` (or the one file it names) at `commit`, by path."""
        at = self._at(commit, prefix)
        if at is None:
            return {}
        if at.mode != TREE:
            return {prefix: at}
        key = (at.blob, prefix.strip("/"))
        if key not in self._walks:
            self._walks[key] = dict(self._walk(at.blob, f"{key[1]}/" if key[1] else "", Budget(f"commit {commit}")))
        return self._walks[key]

    def _walk(self, tree: str, prefix: str, budget: Budget) -> Iterator[tuple[str, File]]:
        entries = self.tree(tree)
        budget.spend(prefix, len(entries))
        for name, file in entries.items():
            if file.mode == TREE:
                yield from self._walk(file.blob, f"{prefix}{name}/", budget)
            else:
                yield f"{prefix}{name}", file

    def read(self, commit: str, path: str) -> bytes:
        """A file's bytes at `commit`. Raises `RecordError` where there is none."""
        file = self.files(commit, path).get(path)
        if file is None:
            raise RecordError("there is no such file", path=f"{commit[:12]}:{path}")
        return self.blob(file.blob)

    def diff(self, old: str | None, new: str) -> tuple[PathChange, ...]:
        """What `new` changes against `old` (two commits; all of `new` where `old` is none), sorted by path."""
        key = (self.commit(old).tree if old else "", self.commit(new).tree)
        if key not in self._diffs:
            found = self._diff(*key, "", Budget(f"the change to {new}"))
            self._diffs[key] = tuple(sorted(found, key=lambda change: change.path))
        return self._diffs[key]

    def touched(self, commit: str) -> frozenset[str]:
        """The paths that a commit itself changes; of a merge, those that differ from every parent (`diff-tree -c`)."""
        parents: Sequence[str | None] = self.commit(commit).parents or (None,)
        return frozenset.intersection(*(frozenset(c.path for c in self.diff(parent, commit)) for parent in parents))

    def _diff(self, old: str, new: str, prefix: str, budget: Budget) -> Iterator[PathChange]:
        if old == new:
            return
        before: Mapping[str, File] = self.tree(old) if old else {}
        after: Mapping[str, File] = self.tree(new) if new else {}
        budget.spend(prefix, len(before) + len(after))
        for name in {**before, **after}:
            left, right = before.get(name), after.get(name)
            if left == right:
                continue
            path = prefix + name
            trees = [side.blob if side and side.mode == TREE else "" for side in (left, right)]
            if any(trees):
                yield from self._diff(trees[0], trees[1], f"{path}/", budget)
            left, right = (None if side and side.mode == TREE else side for side in (left, right))
            if left or right:
                yield _change(path, left, right)


def _change(path: str, left: File | None, right: File | None) -> PathChange:
    if right is None:
        return PathChange(Operation.DELETE, path, "000000", "", left.blob if left else "")
    if left is None:
        return PathChange(Operation.ADD, path, right.mode, right.blob, "")
    same_type = left.mode[:3] == right.mode[:3]
    return PathChange(Operation.MODIFY if same_type else Operation.TYPE, path, right.mode, right.blob, left.blob)
