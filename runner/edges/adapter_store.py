"""Promoted adapters, and the bases they were trained on, out of DVC's storage: every byte is the recorded one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from runner.edges.dvc_objects import DvcObjects
from runner.edges.files import write_directory
from runner.errors import DataError, RecordError
from runner.records.promotion import PromotionRecord
from runner.rules.canonical import sha256
from runner.rules.tree import Tree


class DvcAdapterStore:
    """`ports_promotion.AdapterStore`."""

    def __init__(self, objects: DvcObjects) -> None:
        self.objects = objects

    def fetch(self, record: PromotionRecord) -> Mapping[str, bytes]:
        """The adapter's files. Raises `DataError` for bytes that are missing or are not the recorded ones."""
        adapter = record.adapter
        where = f"{record.cluster}/{record.sequence}"
        if adapter is None or adapter.dvc is None:
            raise DataError(f"{where}: the record points at no adapter")
        files = self.objects.tree(adapter.dvc, adapter.sha256, where=where).files
        for name, data in files.items():
            stated = adapter.files.get(name)
            if stated is None or (stated.sha256, stated.size) != (sha256(data), len(data)):
                raise DataError(f"{where}: {name} has sha256 {sha256(data)}, which the record does not list")
        return files

    def base(self, record: PromotionRecord) -> Mapping[str, bytes] | None:
        """The base's files where the record says where they are (a tiny base). Raises `DataError` as `fetch` does."""
        if record.base.dvc is None:
            return None
        where = f"{record.cluster}/{record.sequence}: the base"
        return self.objects.tree(record.base.dvc, record.base.sha256, where=where).files


class PromotedAdapters:
    """`ports.Adapters`: the adapters of the promotions that a tree records."""

    def __init__(self, record_of: Callable[[int], PromotionRecord], store: DvcAdapterStore) -> None:
        self._record_of, self._store = record_of, store

    def fetch(self, sequence: int) -> Tree:
        return Tree(dict(self._store.fetch(self._record_of(sequence))))


def deliver(directory: Path, files: Mapping[str, bytes]) -> bool:
    """Put an adapter's files into a new directory, which appears whole or not at all. False where they are there.

    Raises `RecordError` where something else is there: a server may be reading it.
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise RecordError("is no directory", path=str(directory), hint="fetch into a new directory")
    if directory.is_dir() and any(directory.iterdir()):
        if _same(directory, files):
            return False
        hint = "fetch into a new directory, point the server at it, and remove this one"
        raise RecordError("holds something else already", path=str(directory), hint=hint)
    write_directory(directory, files)
    if not _same(directory, files):
        raise DataError(f"{directory}: another process wrote there as well: remove it and fetch again")
    return True


def _same(directory: Path, files: Mapping[str, bytes]) -> bool:
    """Whether the directory holds exactly these regular files."""
    there = list(directory.iterdir())
    if {path.name for path in there} != set(files) or not all(path.is_file() for path in there):
        return False
    return all(not path.is_symlink() and path.read_bytes() == files[path.name] for path in there)
