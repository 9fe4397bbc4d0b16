"""The workspace that `benchmarks/evaluation.py` asks: BANKING77 through the commands of the README, its base trained.

`core` is the visible half of the official test set, whole; the other sets are a few texts of the training set, and all
the rest trains the base. The cluster `few` has one query an intent and the same base: what a start costs is seen there.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.edges.base_store import RECORD
from runner.records.params import BaseRecipe, Params
from runner.rules.canonical import tree_digest
from runner.wiring import flywheel

CLUSTER, FEW = "banking77", "few"
RECIPE = BaseRecipe(steps=(1500,))
SIZES = {"dev": 2, "heldout": 2, "gold": 2, "traffic": 1}
"""Training texts of an intent that do not train the base."""
Row = tuple[str, str]


@dataclass(frozen=True)
class Desk:
    home: Path
    model: Path
    """The base's directory."""
    questions: Path
    """`{"id", "text", "label"}` lines."""
    texts: Mapping[str, str]
    """Each question's text by its id."""
    few: int
    """Scenarios of the cluster `few`."""
    new_tokens: int
    """Tokens of an answer at most."""


def prepared(build: Path, data: Path, *, threads: int) -> Desk:
    """Make the workspace, or take the one that was made so before. Raises `SystemExit` where the data is missing."""
    if not (data / "test_visible.csv").is_file():
        raise SystemExit(f"BANKING77 is not at {data}; say --data or HALLMARK_DATA")
    settings = json.dumps([RECIPE.model_dump(mode="json"), SIZES, threads])
    done, home = build / "settings.json", build / "desk"
    test, train = (read(data / name) for name in ("test_visible.csv", "train.csv"))
    if not done.is_file() or done.read_text() != settings:
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        _make(build, test, train, threads=threads)
        done.write_text(settings)
    model = _base(home)
    most = flywheel.workspace(home, CLUSTER).cluster.serving.max_new_tokens
    questions = build / "questions.jsonl"
    rows = [{"id": f"q{number}", "text": text, "label": label} for number, (text, label) in enumerate(test)]
    questions.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return Desk(home, model, questions, {row["id"]: row["text"] for row in rows}, len({one for _, one in test}), most)


def _base(home: Path) -> Path:
    """The directory of the base that an evaluation asks; made where there is none yet."""
    printed = _hallmark(home, "evaluate", CLUSTER, "--model", "base", "--stage", "dev", "--json")
    digest = json.loads(printed)["run"]["model"]["base"]
    for folder in sorted((home / ".hallmark" / "bases" / CLUSTER).iterdir()):
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != RECORD}
        if tree_digest(files) == digest:
            return folder
    raise SystemExit(f"the base {digest} is not among those that {home} keeps")


def read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]


def _make(build: Path, test: Sequence[Row], train: Sequence[Row], *, threads: int) -> None:
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in train:
        by_label[label].append(text)
    parts: dict[str, list[Row]] = defaultdict(list)
    for label, texts in sorted(by_label.items()):
        random.Random(label).shuffle(texts)
        for part, size in SIZES.items():
            parts[part] += [(text, label) for text in texts[:size]]
            texts = texts[size:]
        parts["base"] += [(text, label) for text in texts]
    firsts = {label: (text, label) for text, label in reversed(test)}
    with tempfile.TemporaryDirectory() as outside:  # no workspace begins inside another repository
        _hallmark(Path(outside), "init", "desk")
        for made in sorted(Path(outside).iterdir()):
            shutil.move(made, build / made.name)
    for cluster, core in ((CLUSTER, list(test)), (FEW, list(firsts.values()))):
        named = [
            argument
            for part, rows in {**parts, "core": core}.items()
            for argument in (f"--{part}", _write(build / f"{cluster}-{part}.csv", rows))
        ]
        _hallmark(build / "desk", "import", "labelled", "--cluster", cluster, "--real-only", "0.8", *named)
    path = build / "desk" / "params.yaml"
    params = flywheel.parse_record(path.read_bytes(), Params, path="params.yaml")
    tuned = {name: one.model_copy(update={"base": RECIPE, "threads": threads}) for name, one in params.clusters.items()}
    path.write_bytes(flywheel.dump_record(Params(clusters=tuned), every=True))


def _write(path: Path, rows: Sequence[Row]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(path)


def _hallmark(folder: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("hallmark")), *arguments]
    print(f"$ hallmark {' '.join(arguments[:4])} …", flush=True)
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
