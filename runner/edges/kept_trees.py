"""Trained weights that are kept below `.hallmark/`, each in a directory of its own beside what is recorded of it.

They are a cache: nothing is lost with them, and none of them comes from elsewhere. Each is found by everything that
decides its bytes; whoever reads one asks for its sha256 again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from runner.edges.files import write_directory


class KeptTrees:
    """At most `most` directories below `root`, those made or used last. `record` is the file of what is recorded."""

    def __init__(self, root: Path, *, record: str, most: int) -> None:
        self.root, self.record, self.most = root, record, most

    def read(self, name: str) -> tuple[bytes, Mapping[str, bytes]] | None:
        """What is recorded and the files, by name; None where they are not there or cannot be read."""
        home = self.root / name
        try:
            files = {path.name: path.read_bytes() for path in home.iterdir()}
            return files.pop(self.record), files
        except (OSError, KeyError):
            return None

    def used(self, name: str) -> None:
        """Count it as used last."""
        (self.root / name).touch()

    def keep(self, name: str, files: Mapping[str, bytes], *, record: bytes) -> None:
        """Write it whole or not at all, and let the one go that was used longest ago."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_directory(self.root / name, {**files, self.record: record})
        by_use = sorted(self.root.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in by_use[: -self.most]:
            shutil.rmtree(old, ignore_errors=True)
