"""Tiny bases that were made on this machine for an evaluation, below `.hallmark/bases/`: none is trained twice.

What is kept is found by everything that decides its bytes, and its digest is asked for again at each use. It is a
cache, as that of the sweep's arms is: nothing is lost with it, and none of it comes from elsewhere.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from runner.edges.files import write_directory
from runner.ports import Tree
from runner.records.training import BaseTraining
from runner.rules.canonical import canonical

RECORD = "base-training.json"
KEPT = 4
"""Bases kept at most; the ones that were made or used last."""


class LocalBases:
    """Bases by the digest of what they are made from, `key`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, key: str) -> Tree | None:
        home = self.root / key
        try:
            record = BaseTraining.model_validate_json((home / RECORD).read_bytes())
            weights = Tree({path.name: path.read_bytes() for path in home.iterdir() if path.name != RECORD})
        except (OSError, ValidationError):
            return None
        if weights.digest != record.weights:
            return None
        home.touch()
        return weights

    def keep(self, key: str, weights: Tree, record: BaseTraining) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        write_directory(self.root / key, {**weights.files, RECORD: canonical(record)})
        used = sorted(self.root.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in used[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
