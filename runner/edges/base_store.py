"""Tiny bases that were made on this machine for an evaluation, below `.hallmark/bases/`: none is trained twice."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from runner.edges.kept_trees import KeptTrees
from runner.ports import Tree
from runner.records.training import BaseTraining
from runner.rules.canonical import canonical

RECORD = "base-training.json"
KEPT = 4
"""Bases kept at most; the ones that were made or used last."""


class LocalBases:
    """Bases by the digest of what they are made from, `key`."""

    def __init__(self, root: Path) -> None:
        self._kept = KeptTrees(root, record=RECORD, most=KEPT)

    def find(self, key: str) -> Tree | None:
        if (found := self._kept.read(key)) is None:
            return None
        said, files = found
        try:
            record = BaseTraining.model_validate_json(said)
        except ValidationError:
            return None
        weights = Tree(files)
        if weights.digest != record.weights:
            return None
        self._kept.used(key)
        return weights

    def keep(self, key: str, weights: Tree, record: BaseTraining) -> None:
        self._kept.keep(key, weights.files, record=canonical(record))
