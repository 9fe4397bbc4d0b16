"""What `check` remembers of a work tree between two runs, in `.hallmark/check/memory`.

A file that stands as it stood (`standing`) holds the bytes it held; one that does not is hashed, and read again where
no file with those bytes is remembered. A file that changed just before it was looked at may change again without
showing it, so it is remembered without its standing, and hashed the next time.

The memory is lines, each a list of things that are so and the seal over it: the first has the whole tree, the others
what was new later. A pull request can bring a `.hallmark` of its own, and so the seal needs a key that only this
account has; a line that is forged, damaged, from another program or half written is no line, and what it said is found
again. A line is added in one write and the whole replaced in one, so that two processes at a time only know less.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.edges.halves import in_halves
from runner.edges.standing import StandingReader, changed_last
from runner.errors import RecordError
from runner.rules.repository.outline import Outline
from runner.survey import Read, Row, Scenarios

RACY_NS = 2_000_000_000
"""File systems keep times to two seconds at worst."""
LINES = 50
"""Lines after which the whole is written anew."""
FOLDER = Path(".hallmark", "check")
DIGEST = Outline._fields.index("sha256")
Entry = list[Any]
"""A file as it was: its standing (empty where it may not be trusted), the sha256 of its bytes, and of a scenario what
it says (a `survey.Said`), else None."""


class CheckMemory:
    """`survey.Memory` of a work tree. `began` (ns) is before anything of it was looked at; `key` seals what is kept,
    and without one nothing is remembered."""

    def __init__(self, tree: StandingReader, *, began: int, program: str, key: bytes | None) -> None:
        self._tree, self._top, self._program, self._key = tree, str(tree.root), program, key
        self._settled = began - RACY_NS
        self._old: dict[str, Entry] = {}
        self._results: dict[str, list[Any]] = {}
        self._lines, self._sound = 0, True
        for line in self._load():
            self._lines += 1
            self._old.update(line["files"])
            self._results.update(line["results"])
        self._files: dict[str, Entry] = {}
        self._given: dict[str, list[Any]] = {}

    def scenarios(self, paths: Sequence[str], read: Read, *, digested: Callable[[str], bool]) -> Scenarios:
        unread = [path for path in paths if not _serves(self._entry(path)[2], path, digested)]
        if unread:
            by_bytes = {entry[1]: entry[2] for entry in self._old.values() if entry[2] is not None}
            said = {path: by_bytes.get(self._files[path][1]) for path in unread}
            again = [path for path in unread if not _serves(said[path], path, digested)]
            said.update(zip(again, in_halves(again, read), strict=True))
            self._files.update({path: [*self._files[path][:2], said[path]] for path in unread})
        known = {path: self._files[path][2] for path in paths}
        outlines = {path: Outline._make(one) for path, (one, _) in known.items() if one is not None}
        return outlines, {path: [Row(*row) for row in rows] for path, (_, rows) in known.items() if rows}

    def recall(self, what: str, paths: Sequence[str], make: Callable[[], Any]) -> Any:
        lines = [f"{path}\0{self._entry(path)[1]}\n" for path in paths]
        of = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        kept = self._results.get(what)
        self._given[what] = kept if kept is not None and kept[0] == of else [of, make()]
        return self._given[what][1]

    def keep(self) -> None:
        """Write down what was found, where there is anything new. A tree that cannot be written to is left alone."""
        files = {path: entry for path, entry in self._files.items() if self._old.get(path) is not entry}
        results = {what: kept for what, kept in self._given.items() if self._results.get(what) is not kept}
        if self._key is None or not (files or results):
            return
        more = self._sound and 0 < self._lines < LINES and len(files) < len(self._files) / 4
        kept = {"files": files, "results": results} if more else {"files": self._files, "results": self._given}
        body = json.dumps(kept, separators=(",", ":")).encode()
        with contextlib.suppress(OSError):
            _write(Path(self._top) / FOLDER, self._seal(body) + b" " + body + b"\n", more=more)

    def _entry(self, path: str) -> Entry:
        """The file as it now stands; what it says only where its bytes are those that were remembered for it."""
        if path in self._files:
            return self._files[path]
        now, old = self._tree.standing[path], self._old.get(path)
        if old is None or old[0] != now:
            found = _sha256(f"{self._top}/{path}", path)
            settled = now if changed_last(now) < self._settled else ""
            said = old[2] if old is not None and old[1] == found else None
            old = old if said is not None and old is not None and not settled and not old[0] else [settled, found, said]
        self._files[path] = old
        return old

    def _seal(self, body: bytes) -> bytes:
        return hmac.new(self._key or b"", self._program.encode() + b"\0" + body, hashlib.sha256).hexdigest().encode()

    def _load(self) -> Iterator[dict[str, Any]]:
        """The lines that hold; none after one that does not."""
        folder = Path(self._top) / FOLDER
        if self._key is None or folder.is_symlink() or folder.parent.is_symlink():
            return
        try:
            handle = os.open(folder / "memory", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                lines = file.read().splitlines()
        except OSError:
            return
        for line in lines:
            seal, _, body = line.partition(b" ")
            if not hmac.compare_digest(seal, self._seal(body)):
                self._sound = False
                return
            yield json.loads(body)


def _write(folder: Path, line: bytes, *, more: bool) -> None:
    if folder.parent.is_symlink() or folder.is_symlink():
        return
    if more:
        handle = os.open(folder / "memory", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        with os.fdopen(handle, "ab", buffering=0) as file:
            file.write(line)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), (folder / ".gitignore").open("x") as ignore:
        ignore.write("*\n")
    part = folder / f"memory.{os.getpid()}"
    part.unlink(missing_ok=True)  # what a kill left, or a link that leads out of the tree
    try:
        with part.open("xb") as file:
            file.write(line)
        part.replace(folder / "memory")
    finally:
        part.unlink(missing_ok=True)


def _sha256(whole: str, path: str) -> str:
    try:
        handle = os.open(whole, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}", path=path) from None


def _serves(said: Any, path: str, digested: Callable[[str], bool]) -> bool:
    """Whether what is remembered of a scenario is all that is asked for."""
    return said is not None and (said[0] is None or bool(said[0][DIGEST]) or not digested(path))


def seal_key(tree: Path) -> bytes | None:
    """A secret of this account, made when it is first asked for; None where it can be neither read nor kept, and where
    it would lie in `tree`, into which a pull request may bring one."""
    with contextlib.suppress(OSError, RuntimeError):  # no home at all is a RuntimeError
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hallmark" / "check.key"
        if path.resolve().is_relative_to(tree.resolve()):
            return None
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = path.with_name(f"check.key.{os.getpid()}")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(os.urandom(32))
            try:
                with contextlib.suppress(FileExistsError):  # the first of two makes it
                    os.link(part, path)
            finally:
                part.unlink()
        found = path.read_bytes()
        return found if len(found) == 32 else None
    return None


def program() -> str:
    """What decides what is found of the same bytes: this program's own files as they stand, and what it reads with."""
    own = Path(__file__).parent.parent
    files = [*own.glob("*.py"), *own.glob("edges/*.py"), *own.glob("records/**/*.py"), *own.glob("rules/**/*.py")]
    specs = (find_spec(library) for library in ("yaml", "pydantic", "pydantic_core", "jsonschema", "rfc8785"))
    files += [Path(spec.origin) for spec in specs if spec is not None and spec.origin]
    stood = [f"{path}\0{found.st_size}\0{found.st_mtime_ns}" for path in sorted(files) for found in (path.stat(),)]
    return hashlib.sha256("\n".join([sys.version, *stood]).encode()).hexdigest()
