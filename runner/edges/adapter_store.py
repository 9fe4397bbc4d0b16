"""Promoted adapters out of DVC's storage. What a `.dir` object lists is materialised here, name by name and digest by
digest, because DVC itself would follow `../` and takes wrong bytes of the right length (PROTOCOL.md, fact 7)."""

from __future__ import annotations

import configparser
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.errors import DataError
from runner.ports import Tree
from runner.records.promotion import AdapterRecord, PromotionRecord

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
MAX_BYTES = 2**31


class DvcAdapterStore:
    """`ports.AdapterStore`. Looks in the caches first, then in the default remote of the given DVC configuration."""

    def __init__(self, config: bytes, *, home: Path, caches: tuple[Path, ...] = ()) -> None:
        """`config` is the text of `.dvc/config`; relative remotes in it are relative to `home`/.dvc."""
        self._home = home
        self._remote = default_remote(config)
        self._caches = caches

    def fetch(self, record: PromotionRecord) -> Mapping[str, bytes]:
        """The adapter's files. Raises `DataError` for bytes that are missing or are not the recorded ones."""
        adapter = record.adapter
        where = f"{record.cluster}/{record.sequence}"
        if adapter is None or adapter.dvc is None:
            raise DataError(f"{where}: the record points at no adapter")
        listing = self._listing(str(adapter.dvc.md5), where)
        if set(listing) != set(adapter.files):
            raise DataError(f"{where}: the stored directory lists other files than the record")
        files = {name: self._file(name, listing[name], adapter, where) for name in sorted(listing)}
        if Tree(files).digest != adapter.sha256:
            raise DataError(f"{where}: the files are not the adapter that the record names")
        return files

    def directory(self, md5: str, *, where: str) -> dict[str, bytes]:
        """The files of a stored directory, by name, unchecked: for whoever knows the digest they must have."""
        return {name: self._object(of, where) for name, of in sorted(self._listing(md5, where).items())}

    def _listing(self, md5: str, where: str) -> dict[str, str]:
        """Relative name to md5. Names that could leave the directory are refused."""
        try:
            entries = json.loads(self._object(md5, where))
            listing = {str(entry["relpath"]): str(entry["md5"]) for entry in entries}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{where}: the stored directory object is damaged: {error}") from error
        unsafe = [name for name in listing if not SAFE_NAME.match(name)]
        if unsafe or len(listing) != len(entries):
            raise DataError(f"{where}: the stored directory lists unsafe or repeated names: {unsafe}")
        return listing

    def _file(self, name: str, md5: str, adapter: AdapterRecord, where: str) -> bytes:
        data = self._object(md5, where)
        recorded = adapter.files[name]
        if len(data) != recorded.size or hashlib.sha256(data).hexdigest() != recorded.sha256:
            raise DataError(f"{where}: {name}: the stored bytes are not those that the record names")
        return data

    def _object(self, md5: str, where: str) -> bytes:
        if not re.fullmatch(r"[0-9a-f]{32}(\.dir)?", md5):
            raise DataError(f"{where}: {md5!r} is no object name")
        part = f"files/md5/{md5[:2]}/{md5[2:]}"
        for place in (*self._caches, *self._directories()):
            file = place / part
            if file.is_file() and file.stat().st_size <= MAX_BYTES:
                return file.read_bytes()
        found = self._elsewhere(part)
        if found is None:
            raise DataError(f"{where}: object {md5} is neither in the cache nor at the remote")
        return found()

    def _directories(self) -> tuple[Path, ...]:
        if self._remote is None or "://" in self._remote:
            return ()
        return ((self._home / ".dvc" / self._remote).resolve(),)

    def _elsewhere(self, part: str) -> Callable[[], bytes] | None:
        """The object at a remote that is no directory (ssh, S3, …), through the file system DVC would use."""
        if self._remote is None or "://" not in self._remote:
            return None
        from dvc.fs import parse_external_url

        try:
            system, root = parse_external_url(self._remote)
            path = system.join(root, part)
            return (lambda: bytes(system.fs.cat_file(path))) if system.exists(path) else None
        except Exception as error:
            raise DataError(f"the remote {self._remote} cannot be read: {error}") from error


class PromotedAdapters:
    """`ports.Adapters`: the adapters of the promotions that a tree records."""

    def __init__(self, record_of: Callable[[int], PromotionRecord], store: DvcAdapterStore) -> None:
        self._record_of, self._store = record_of, store

    def fetch(self, sequence: int) -> Tree:
        return Tree(dict(self._store.fetch(self._record_of(sequence))))


def default_remote(config: bytes) -> str | None:
    """The URL of the default remote in the text of a `.dvc/config`; None where there is none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(config.decode())
    except (configparser.Error, UnicodeDecodeError) as error:
        raise DataError(f".dvc/config cannot be read: {error}") from error
    name = parser.get("core", "remote", fallback=None)
    return parser.get(f"'remote \"{name}\"'", "url", fallback=None) if name else None
