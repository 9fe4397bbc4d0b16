"""Adapters that sweeps trained on this machine, below `.hallmark/arms/<cluster>/`: an arm is not trained twice.

A killed sweep goes on with the arms that it has, and an iteration that differs in nothing an arm depends on takes the
earlier one's. What is kept is found by everything that decides its bytes, and its sha256 is asked for again at each
use. It is a cache: nothing is lost with it, and none of it comes from elsewhere.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pydantic import ValidationError

from runner.edges.files import write_directory
from runner.ports import KeptArm, Tree
from runner.records.training import TrainingRecord
from runner.rules.canonical import canonical, digest
from runner.rules.mixture import TrainingKey

RECORD = "training.json"
KEPT = 32
"""Adapters kept at most; the ones that were made or used last."""


class LocalArms:
    """`ports.ArmStore` in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, key: TrainingKey) -> KeptArm | None:
        home = self._home(key)
        try:
            said = json.loads((home / RECORD).read_bytes())
            record = TrainingRecord.model_validate(said["record"])
            seconds = float(said["seconds"])
            files = {path.name: path.read_bytes() for path in home.iterdir() if path.name != RECORD}
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None
        adapter = Tree(files)
        if TrainingKey.of(record) != key or adapter.digest != record.adapter:
            return None
        home.touch()
        return KeptArm(adapter, record, seconds)

    def keep(self, arm: KeptArm) -> None:
        said = {"record": arm.record.model_dump(mode="json"), "seconds": arm.seconds}
        self.root.mkdir(parents=True, exist_ok=True)
        write_directory(self._home(TrainingKey.of(arm.record)), {**arm.adapter.files, RECORD: canonical(said)})
        used = sorted(self.root.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for old in used[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def _home(self, key: TrainingKey) -> Path:
        return self.root / digest(list(key))
