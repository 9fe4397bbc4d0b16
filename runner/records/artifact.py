"""Every file of an iteration, in one table: its name, its place below `clusters/<cluster>/`, and who keeps it."""

from enum import StrEnum
from typing import NamedTuple


class Form(StrEnum):
    RECORD = "record"
    """One JSON document, canonical."""
    ROWS = "rows"
    """JSON lines, one record a line."""
    TREE = "tree"
    """A directory."""


class Keeper(StrEnum):
    GIT = "git"
    DVC = "dvc"


class Artifact(NamedTuple):
    path: str
    form: Form
    keeper: Keeper


ARTIFACTS: dict[str, Artifact] = {
    # people's data, behind `data/*.dvc` pointers
    "base-data": Artifact("data/base.jsonl", Form.ROWS, Keeper.DVC),
    "gold": Artifact("data/gold.jsonl", Form.ROWS, Keeper.DVC),
    "reference": Artifact("data/reference.jsonl", Form.ROWS, Keeper.DVC),
    "traces": Artifact("data/signals.jsonl", Form.ROWS, Keeper.DVC),
    # 1 intake
    "intake": Artifact("run/intake.json", Form.RECORD, Keeper.GIT),
    "leaks": Artifact("run/leaks.jsonl", Form.ROWS, Keeper.GIT),
    "base": Artifact("run/base", Form.TREE, Keeper.DVC),
    "base-training": Artifact("run/base.json", Form.RECORD, Keeper.GIT),
    "incumbent": Artifact("run/incumbent", Form.TREE, Keeper.DVC),
    # 2 ingest
    "signals": Artifact("run/signals.jsonl", Form.ROWS, Keeper.DVC),
    "ingest": Artifact("run/ingest.json", Form.RECORD, Keeper.GIT),
    # 3 deduplicate
    "unique": Artifact("run/unique.jsonl", Form.ROWS, Keeper.DVC),
    "deduplicate": Artifact("run/deduplicate.json", Form.RECORD, Keeper.GIT),
    # 4 baseline: core apart, because diagnosis may read core and nothing else
    "core-answers": Artifact("run/core-answers.jsonl", Form.ROWS, Keeper.DVC),
    "dev-answers": Artifact("run/dev-answers.jsonl", Form.ROWS, Keeper.DVC),
    "baseline-answers": Artifact("run/baseline-answers.jsonl", Form.ROWS, Keeper.DVC),
    "baseline": Artifact("run/baseline.json", Form.RECORD, Keeper.GIT),
    # 5 diagnose
    "diagnosis": Artifact("run/diagnosis.json", Form.RECORD, Keeper.GIT),
    # 6 rubrics
    "drafts": Artifact("run/drafts.json", Form.RECORD, Keeper.GIT),
    # 7 expand
    "batches": Artifact("run/batches.jsonl", Form.ROWS, Keeper.GIT),
    "candidates": Artifact("run/candidates.jsonl", Form.ROWS, Keeper.DVC),
    "rejected": Artifact("run/rejected.jsonl", Form.ROWS, Keeper.DVC),
    # 8 validate
    "validation": Artifact("run/validation.json", Form.RECORD, Keeper.GIT),
    "valid": Artifact("run/valid.jsonl", Form.ROWS, Keeper.DVC),
    # 9 triage
    "triage": Artifact("run/triage.json", Form.RECORD, Keeper.GIT),
    "accepted": Artifact("run/accepted.jsonl", Form.ROWS, Keeper.DVC),
    "preferences": Artifact("run/preferences.jsonl", Form.ROWS, Keeper.DVC),
    "unpaired": Artifact("run/unpaired.jsonl", Form.ROWS, Keeper.DVC),
    # 10 sweep
    "sweep": Artifact("run/sweep.json", Form.RECORD, Keeper.GIT),
    "curve": Artifact("run/curve.json", Form.RECORD, Keeper.GIT),
    "mixture": Artifact("run/mixture.jsonl", Form.ROWS, Keeper.DVC),
    "arms": Artifact("run/arms", Form.TREE, Keeper.DVC),
    # 11 train
    "training": Artifact("run/training.json", Form.RECORD, Keeper.GIT),
    "adapter": Artifact("run/adapter", Form.TREE, Keeper.DVC),
    # 12 assess
    "answers": Artifact("run/answers.jsonl", Form.ROWS, Keeper.DVC),
    "scorecard": Artifact("run/scorecard.json", Form.RECORD, Keeper.GIT),
    "stages": Artifact("run/stages.json", Form.RECORD, Keeper.GIT),
    # 13 bundle: the evidence files, but for what is measured or signed
    "bundle": Artifact("run/bundle", Form.TREE, Keeper.GIT),
}
