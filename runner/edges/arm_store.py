"""Adapters that sweeps trained on this machine, below `.hallmark/arms/<cluster>/`: an arm is not trained twice.

A killed sweep goes on with the arms that it has, and an iteration that differs in nothing an arm depends on takes the
earlier one's.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from runner.edges.kept_trees import KeptTrees
from runner.ports import KeptArm, Tree
from runner.records.training import TrainingRecord
from runner.rules.canonical import canonical, digest
from runner.rules.data.mixture import TrainingKey

RECORD = "training.json"
KEPT = 32
"""Adapters kept at most; the ones that were made or used last."""


class LocalArms:
    """`ports.ArmStore` in a directory."""

    def __init__(self, root: Path) -> None:
        self._kept = KeptTrees(root, record=RECORD, most=KEPT)

    def find(self, key: TrainingKey) -> KeptArm | None:
        if (found := self._kept.read(_name(key))) is None:
            return None
        try:
            said = json.loads(found[0])
            record = TrainingRecord.model_validate(said["record"])
            seconds = float(said["seconds"])
        except (ValueError, KeyError, TypeError, ValidationError):
            return None
        adapter = Tree(found[1])
        if TrainingKey.of(record) != key or adapter.digest != record.adapter:
            return None
        self._kept.used(_name(key))
        return KeptArm(adapter, record, seconds)

    def keep(self, arm: KeptArm) -> None:
        said = {"record": arm.record.model_dump(mode="json"), "seconds": arm.seconds}
        self._kept.keep(_name(TrainingKey.of(arm.record)), arm.adapter.files, record=canonical(said))


def _name(key: TrainingKey) -> str:
    return digest(list(key))
