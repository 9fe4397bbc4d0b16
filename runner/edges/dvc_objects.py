"""Objects out of DVC's caches and remotes.

DVC is transport: it would take wrong bytes of the right length, follow a link and write wherever a listing leads, so
nothing here lets it write a path that it read. An object is fetched into memory or, a large one, to its place, by way
of a scratch directory where the remote is no directory. Its md5 says whether the transport was whole, and its sha256
must be the recorded one: or what stood there stands.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from runner.edges.files import write_blocks, write_file
from runner.errors import DataError
from runner.records.pointer import PointerOut
from runner.rules.canonical import sha256
from runner.rules.tree import Tree
from runner.rules.trust.dvc_listing import read_listing

if TYPE_CHECKING:
    from configparser import ConfigParser

    from runner.edges.dvc_remote import DvcRemote

MAX_BYTES = 2**31
_BLOCK = 1 << 20
_OBJECT = re.compile(r"[0-9a-f]{32}(?:\.dir)?\Z")


class _Found(NamedTuple):
    """An object that was opened, and where it stood."""

    file: IO[bytes]
    at: str


class DvcObjects:
    """Objects by their md5. Looks in the caches first, then at the default remote of a DVC configuration."""

    def __init__(self, config: bytes, *, home: Path, caches: tuple[Path, ...] = ()) -> None:
        """`config` is the text of `.dvc/config`; what is relative in it is relative to `home`/.dvc."""
        self._home, self._name, self._url, self._caches = home, "", None, caches
        self._network: DvcRemote | None = None
        if not config:
            return
        said = _parsed(config)
        self._name = said.get("core", "remote", fallback="")
        self._url = said.get(f"'remote \"{self._name}\"'", "url", fallback=None) if self._name else None
        if cache := said.get("cache", "dir", fallback=None):
            self._caches = ((home / ".dvc" / cache).resolve(),)

    @classmethod
    def of_work_tree(cls, home: Path) -> DvcObjects:
        """Those in the cache or at the default remote of the repository at `home`."""
        texts = [file.read_bytes() for name in ("config", "config.local") if (file := home / ".dvc" / name).is_file()]
        return cls(b"\n".join(texts), home=home, caches=(home / ".dvc" / "cache",))

    @property
    def remote(self) -> tuple[str, str]:
        """The name and the URL of the default remote; empty where there is none."""
        return self._name, self._url or ""

    @classmethod
    def in_folder(cls, folder: Path) -> DvcObjects:
        """Those in one DVC storage directory, for a bare server."""
        return cls(b"", home=folder, caches=(folder.resolve(),))

    def file(self, pointer: PointerOut, digest: str, *, where: str) -> bytes:
        """The file that a pointer names. Raises `DataError` unless its sha256 is `digest`."""
        data = self.read(pointer.md5, where=where)
        _is_recorded(sha256(data), digest, where=where)
        self._keep({pointer.md5: data})
        return data

    def bring(self, pointer: PointerOut, digest: str, target: Path, *, where: str) -> None:
        """The file that a pointer names, at `target`, in memory that does not grow with it. Raises `DataError` unless
        its sha256 is `digest`; then what stood there stands."""
        with self._object(pointer.md5, where=where) as found:
            write_blocks(target, _checked(found, pointer.md5, digest, where=where))
        kept = self._caches[0] / _part(pointer.md5) if self._caches else None
        if kept is not None and not kept.exists():
            with target.open("rb") as file:
                write_blocks(kept, _blocks(file), mode=0o444)

    def tree(self, pointer: PointerOut, digest: str, *, where: str) -> Tree:
        """The directory that a pointer names. Raises `DataError` unless its `tree_digest` is `digest`."""
        if not pointer.md5.endswith(".dir"):
            raise DataError(f"{where}: {pointer.md5!r} is no stored directory")
        listed = self.read(pointer.md5, where=where)
        names = read_listing(listed, where=where)
        tree = Tree({path: self.read(names[path], where=f"{where}/{path}") for path in sorted(names)})
        _is_recorded(tree.digest, digest, where=where)
        self._keep({**{md5: tree.files[path] for path, md5 in names.items()}, pointer.md5: listed})
        return tree

    def _keep(self, objects: Mapping[str, bytes]) -> None:
        """Into the cache what it lacks, as DVC would: an output that is not there counts as changed for `dvc repro`."""
        for md5, data in objects.items():
            path = self._caches[0] / _part(md5) if self._caches else None
            if path is not None and not path.exists():
                write_file(path, data, mode=0o444)

    def read(self, md5: str, *, where: str) -> bytes:
        """An object whose md5 is right, which says little. Raises `DataError` where there is none.

        The first place that has it decides: wrong bytes there are for a person to look at, not to be passed over.
        """
        with self._object(md5, where=where) as found:
            data = found.file.read()
            _is_intact(hashlib.md5(data, usedforsecurity=False).hexdigest(), md5, at=found.at, where=where)
            return data

    @contextmanager
    def _object(self, md5: str, *, where: str) -> Iterator[_Found]:
        """An object, opened, whatever its bytes are."""
        if not _OBJECT.match(md5):
            raise DataError(f"{where}: {md5!r} is no object name")
        part = _part(md5)
        for place in (*self._caches, *self._remote_directory()):
            file = _regular(place, part, where=where)
            if file is not None:
                with file:
                    yield _Found(file, str(place / part))
                return
        with tempfile.TemporaryDirectory(prefix="hallmark-object-") as scratch:
            copy = Path(scratch) / "object"
            if self._over_the_network(part, copy, where=where):
                with copy.open("rb") as file:
                    yield _Found(file, f"{self._url}/{part}")
                return
        places = "neither in the cache nor at the remote" if self._url else "not in the cache, and no remote is set"
        raise DataError(f"{where}: object {md5} is {places}: push it from where it was made (`dvc push`)")

    def _remote_directory(self) -> tuple[Path, ...]:
        if self._url is None or "://" in self._url:
            return ()
        return ((self._home / ".dvc" / self._url).resolve(),)

    def _over_the_network(self, part: str, copy: Path, *, where: str) -> bool:
        """Copy the object from a remote that is no directory (ssh, S3, …). False for none."""
        if self._url is None or "://" not in self._url:
            return False
        from runner.edges.dvc_remote import DvcRemote

        if self._network is None:
            self._network = DvcRemote(self._home / ".dvc", self._name, url=self._url)
        try:
            size = self._network.size(part)
            if size is None:
                return False
            if size > MAX_BYTES:
                raise DataError(f"{self._url}/{part} is over {MAX_BYTES} bytes")
            self._network.copy(part, copy)
            return True
        except DataError as error:
            raise DataError(f"{where}: {error}") from error


def _part(md5: str) -> str:
    """Where an object is in a cache or a remote."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def _parsed(config: bytes) -> ConfigParser:
    import configparser  # the gate of a server names its storage, and starts that much sooner

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(config.decode())
    except (configparser.Error, UnicodeDecodeError) as error:
        raise DataError(f".dvc/config cannot be read: {error}") from error
    return parser


def _regular(place: Path, part: str, *, where: str) -> IO[bytes] | None:
    """A regular file below `place`, opened, through no symbolic link: what is read stands there. None for none."""
    at = place
    for name in part.split("/"):
        at /= name
        if at.is_symlink():
            raise DataError(f"{where}: {at} is a symbolic link, which no object is: remove it and fetch again")
    try:
        handle = os.open(at, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
        os.close(handle)
        raise DataError(f"{where}: {at} is no regular file of at most {MAX_BYTES} bytes")
    return os.fdopen(handle, "rb")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _checked(found: _Found, md5: str, digest: str, *, where: str) -> Iterator[bytes]:
    """Its blocks. Raises `DataError` at the end, where they were not those that were stored and recorded."""
    transport, recorded = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for block in _blocks(found.file):
        transport.update(block)
        recorded.update(block)
        yield block
    _is_intact(transport.hexdigest(), md5, at=found.at, where=where)
    _is_recorded(recorded.hexdigest(), digest, where=where)


def _is_intact(found: str, md5: str, *, at: str, where: str) -> None:
    if found != md5[:32]:
        hint = "Find out why, remove it, and push it again from where the right bytes are"
        raise DataError(f"{where}: {at} has md5 {found}, and {md5[:32]} was stored. {hint}")


def _is_recorded(found: str, recorded: str, *, where: str) -> None:
    if found != recorded:
        hint = "DVC's object is not what was recorded: store and push the right one from where it was made"
        raise DataError(f"{where} has sha256 {found}, and {recorded} is recorded. {hint}")
