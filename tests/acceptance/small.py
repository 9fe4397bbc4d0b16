"""A very small desk of real texts: six of the embedded cluster's capabilities, through the commands of the README."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.edges.artifacts import DirectoryArtifacts
from runner.edges.yaml_files import dump
from runner.records.cluster import Cluster
from runner.records.dataset import Example
from runner.records.params import ClusterParams, Params
from runner.records.scenario import SetName
from runner.wiring import flywheel
from tests.acceptance.conftest import ROOT, hallmark

SOURCE = "support-desk"
WEAK = ("missing-item", "duplicate-charge")
STRONG = ("order-status", "sizing-advice", "account-access", "no-action")
PARAMS = ClusterParams.model_validate(
    {
        "base": {"vocabulary": 1024, "hidden": 64, "heads": 2, "steps": [250]},
        "expand": {"per_target": 12, "attempts": 2},
        "train": {"epochs": 8, "learning_rate": 0.006, "replay": 160, "new_rows": 160},
        "sweep": {"synthetic": [0.0, 0.5]},
        "strength": {"strengths": [1.0]},
        "assess": {"resamples": 100},
    }
)
GATE = {
    "thresholds": {"composite": 0.01, "heldout": 0.01},
    "max_p_value": 1.0,
    "max_regressions": 1.0,
    "max_robustness_drop": 1.0,
    "capability_alpha": 0.000001,
}
VALIDATION = {
    "max_length_distance": 1.0,
    "max_vocabulary_distance": 1.0,
    "max_ngram_distance": 1.0,
    "max_exact_copies": 1.0,
    "min_utility": 0.0,
    "max_membership_auc": 1.0,
    "max_closer_than_gold": 1.0,
    "max_verbatim_rows": 1.0,
    "max_c2st_auc": 1.0,
    "max_outliers": 1.0,
    "max_cleanliness": 1.0,
    "min_rows": 1,
}
Row = tuple[str, str]


def small_desk(home: Path) -> Path:
    """`home` with a bare `origin.git`, the work tree `desk` (cluster `desk`, pushed) and its DVC store `desk-store`.

    All name each other by relative paths: a copy of `home`, made before the first iteration, is a world of its own.
    """
    home.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(home / "origin.git")], check=True)
    hallmark("init", "desk", cwd=home)
    desk = home / "desk"
    named = [part for name, file in write_parts(home).items() for part in (f"--{name}", file)]
    floors = ["--threshold-composite", "0.01", "--threshold-heldout", "0.01", "--real-only", "0.5", "--triage", "none"]
    hallmark("import", "labelled", "--cluster", "desk", *named, *floors, cwd=desk)
    _loosen(desk)
    hallmark("check", cwd=desk)
    who = ("-c", "user.name=owner", "-c", "user.email=owner@example.com")
    for command in (
        ("add", "--all"),
        ("commit", "--quiet", "--message", "desk: a first benchmark"),
        ("remote", "add", "origin", "../origin.git"),
        ("push", "--quiet", "origin", "main"),
    ):
        subprocess.run(["git", *who, *command], cwd=desk, check=True)
    return home


def write_parts(home: Path) -> dict[str, str]:
    """`home/<part>.csv` for every part of the small desk, the same texts each time; the files by part."""
    return {name: _write(home / f"{name}.csv", rows) for name, rows in _parts().items()}


def _parts() -> dict[str, list[Row]]:
    """Weak labels have few base rows, more gold and some traffic; the sets have eight texts a label, held-out more."""
    flywheel.bring_data(ROOT, SOURCE)
    space = flywheel.workspace(ROOT, SOURCE)
    data = DirectoryArtifacts(ROOT / "clusters" / SOURCE)
    base, gold, reference = (_by_label(data.rows(name, Example)) for name in ("base-data", "gold", "reference"))
    sizes = {SetName.CORE: 8, SetName.DEV: 8, SetName.HELDOUT: 12}
    parts: dict[str, list[Row]] = {
        str(name): [
            (one.input[0].content, label)
            for label in (*WEAK, *STRONG)
            for one in [found for found in space.scenarios[name] if found.capability == label][:size]
        ]
        for name, size in sizes.items()
    }
    parts["base"] = [row for label in (*WEAK, *STRONG) for row in base[label][:80]]
    parts["gold"] = [row for label in WEAK for row in gold[label][:20]]
    parts["traffic"] = [row for label in WEAK for row in gold[label][20:]]
    parts["reference"] = [row for label in (*WEAK, *STRONG) for row in reference[label]]
    return parts


def _by_label(examples: Iterable[Example]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for example in examples:
        found.setdefault(example.capability, []).append((example.input[0].content, example.answer))
    return found


def _write(path: Path, rows: Sequence[Row]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def _loosen(desk: Path) -> None:
    """Gates that let everything through, and knobs for seconds instead of minutes, all written out."""
    path = "clusters/desk/cluster.yaml"
    cluster = flywheel.parse_record((desk / path).read_bytes(), Cluster, path=path)
    said = {
        **cluster.model_dump(mode="json", exclude_none=True),
        "gate": GATE,
        "validation": VALIDATION,
        "human_floor": 0.0,
    }
    Cluster.model_validate(said)
    (desk / path).write_bytes(dump(said))
    params = Params(clusters={"desk": PARAMS})
    (desk / "params.yaml").write_bytes(dump(params.model_dump(mode="json", exclude_none=True)))
