"""`hallmark evaluate` with a real vLLM server beside transformers, on BANKING77 and a tiny base that is trained here;
and a server, and a command, that are killed half-way."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runner.edges.base_store import RECORD
from runner.edges.engines.vllm_environment import PLACE, VARIABLE
from runner.edges.transformers_models import TransformersModels
from runner.ports import Model, Tree
from runner.records.cluster import TinyBase
from runner.records.conversation import Message, Role
from runner.records.dataset import Example
from runner.records.params import TrainRecipe
from runner.records.training import TrainingRow, Use
from tests.acceptance.conftest import ROOT, hallmark
from tests.acceptance.small import small_desk

pytestmark = pytest.mark.acceptance
HALLMARK = str(Path(sys.executable).parent / "hallmark")
SETS = {"core": 300, "dev": 100, "representative": 100}
SLOWLY = {"vllm": {"concurrency": 4, "timeout_s": 30.0}}
Texts = dict[str, str]
"""What was answered, by set and scenario."""


class Bank(NamedTuple):
    top: Path
    adapter: Path


@pytest.fixture(scope="module")
def bank(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A cluster of BANKING77 with five hundred scenarios, its base, and an adapter on it."""
    python = os.environ.get(VARIABLE) or str(ROOT / PLACE)
    if not Path(python).is_file():
        pytest.skip("there is no vLLM environment: make vllm-env")
    os.environ[VARIABLE] = python
    home = tmp_path_factory.mktemp("bank")
    parts = _parts(data / "banking77")
    for name, rows in parts.items():
        with (home / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    hallmark("init", "bank", cwd=home)
    top = home / "bank"
    named = [part for name in parts for part in (f"--{name}", f"../{name}.csv")]
    hallmark("import", "labelled", "--cluster", "bank", *named, "--real-only", "0.5", cwd=top)
    params = (top / "params.yaml").read_text()
    (top / "params.yaml").write_text(params.replace("threads: 2", "threads: 1").replace("- 250", "- 400"))
    _engine(top, "transformers")
    hallmark("evaluate", "bank", "--model", "base", "--set", "dev", "--no-cache", cwd=top)
    return Bank(top, _adapter(top, parts["gold"]))


def _parts(source: Path) -> dict[str, list[tuple[str, str]]]:
    def rows(name: str) -> list[tuple[str, str]]:
        with (source / name).open(encoding="utf-8") as file:
            found = [(row["text"], row["category"]) for row in csv.DictReader(file)]
        random.Random(5).shuffle(found)
        return found

    test, train = rows("test_visible.csv"), rows("train.csv")
    sizes, parts = {**SETS, "heldout": 100}, {}
    for name, size in sizes.items():
        parts[name], test = test[:size], test[size:]
    return {**parts, "base": train[:5000], "gold": train[5000:6500], "traffic": train[6500:6600]}


def _adapter(top: Path, gold: list[tuple[str, str]]) -> Path:
    """Trained on the gold rows in some seconds: it changes answers."""
    (place,) = (top / ".hallmark" / "bases" / "bank").iterdir()
    weights = Tree({path.name: path.read_bytes() for path in place.iterdir() if path.name != RECORD})
    rows = [
        TrainingRow(
            example=Example(id=f"g{n}", capability="any", input=(Message(role=Role.USER, content=text),), answer=label),
            use=Use.NEW,
        )
        for n, (text, label) in enumerate(gold)
    ]
    fitted = TransformersModels(threads=1).fit(
        Model(TinyBase(kind="tiny"), weights), rows, instruction="", recipe=TrainRecipe(epochs=1), seed=3, threads=1
    )
    folder = top.parent / "adapter"
    folder.mkdir()
    for name, content in fitted.adapter.files.items():
        (folder / name).write_bytes(content)
    return folder


def _engine(top: Path, engine: str, **settings: object) -> None:
    path = top / "clusters" / "bank" / "cluster.yaml"
    said = re.sub(r"^  (vllm:.*\n|engine: .*\n)", "", path.read_text(), flags=re.MULTILINE)
    block = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in settings.items())
    path.write_text(said.replace("serving:\n", f"serving:\n  engine: {engine}\n{block}"))


def _said(top: Path, *arguments: str) -> Any:
    """What `hallmark evaluate` says in JSON, too long to be shown."""
    command = [HALLMARK, "evaluate", *arguments, "--json"]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def _evaluate(top: Path, model: str, *options: str) -> str:
    """The run's id."""
    started = time.monotonic()
    run = _said(top, "bank", "--model", model, *options)["run"]
    print(f"{run['engine']}: {sum(SETS.values())} prompts in {time.monotonic() - started:.1f} s, start included")
    return str(run["id"])


def _texts(top: Path, run: str) -> Texts:
    samples = _said(top, "show", run, "--limit", "100000")["samples"]
    return {f"{one['set']} {one['grade']['scenario']}": one["grade"]["answer"] for one in samples}


def _servers(top: Path) -> list[int]:
    """vLLM's first processes, of those that were started for this workspace."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            said = place.read_bytes().split(b"\0")
            if b"vllm.entrypoints.openai.api_server" in said and any(bytes(top) in one for one in said):
                found += [int(place.parent.name)] if said[1] == b"-m" else []
    return found


def _engine_of(server: int) -> int:
    """The process of `server` that has the engine's loop."""
    children = (Path(f"/proc/{server}/task/{server}/children")).read_text().split()
    (found,) = [int(one) for one in children if "EngineCor" in Path(f"/proc/{one}/comm").read_text()]
    return found


def _remembered(top: Path) -> int:
    path = top / ".hallmark" / "answers" / "bank" / "answers.sqlite"
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as found:
            return int(found.execute("SELECT count(*) FROM answers").fetchone()[0])
    except sqlite3.Error:
        return 0


def _until(holds: Callable[[], bool], what: str, *, within_s: float = 300) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.mark.parametrize(("model", "least"), [("base", 0.99), ("adapter", 0.98)])
def test_vllm_gives_the_greedy_answers_that_transformers_gives(bank: Bank, model: str, least: float) -> None:
    named = str(bank.adapter) if model == "adapter" else model
    _engine(bank.top, "transformers")
    ours = _texts(bank.top, _evaluate(bank.top, named, "--no-cache"))
    _engine(bank.top, "vllm")
    theirs = _texts(bank.top, _evaluate(bank.top, named, "--no-cache"))
    assert ours.keys() == theirs.keys()
    assert len(ours) == sum(SETS.values())
    others = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
    print(f"{model}: {len(ours) - len(others)} of {len(ours)} answers the same")
    for name, (one, other) in others.items():
        print(f"  {name}: {one!r} by transformers, {other!r} by vllm")
    assert len(others) <= (1 - least) * len(ours)
    assert _servers(bank.top) == [], "the server went with the command"


def test_the_adapter_changes_answers(bank: Bank) -> None:
    _engine(bank.top, "vllm")
    base, adapter = (_texts(bank.top, _evaluate(bank.top, one)) for one in ("base", str(bank.adapter)))
    changed = sum(base[name] != adapter[name] for name in base)
    print(f"the adapter changes {changed} of {len(base)} answers")
    assert changed >= 25


@pytest.mark.parametrize("killed", ["the server", "the command", "the engine"])
def test_what_is_killed_or_hangs_half_way_is_taken_up(bank: Bank, killed: str) -> None:
    """The engine is the server's process that computes; it is stopped, not killed, so that it hangs."""
    _engine(bank.top, "vllm", **SLOWLY)
    undisturbed = _texts(bank.top, _evaluate(bank.top, "base", "--no-cache"))
    shutil.rmtree(bank.top / ".hallmark" / "answers", ignore_errors=True)
    command = [HALLMARK, "evaluate", "bank", "--model", "base", "--json"]
    with subprocess.Popen(command, cwd=bank.top, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        _until(lambda: _remembered(bank.top) >= 100, "some answers are kept")
        (server,) = _servers(bank.top)
        match killed:
            case "the server":
                os.kill(server, signal.SIGKILL)
            case "the command":
                running.kill()
            case "the engine":
                os.kill(_engine_of(server), signal.SIGSTOP)
        kept = _remembered(bank.top)
        said = running.stdout.read()
    assert kept < sum(SETS.values())
    _until(lambda: server not in _servers(bank.top), "nothing of a server is left", within_s=30)
    print(f"{killed} was ended with {kept} of {sum(SETS.values())} answers kept")
    if killed == "the command":
        assert running.returncode == -signal.SIGKILL
        _until(lambda: _servers(bank.top) == [], "the server goes with the command", within_s=30)
        run = _said(bank.top, "bank", "--model", "base")["run"]
    else:
        assert running.returncode == 0, "the command went on by itself"
        run = json.loads(said)["run"]
    print(f"asked in the end: {run['measured']['usage']}")
    assert _texts(bank.top, run["id"]) == undisturbed


def test_one_server_answers_for_a_whole_iteration(bank: Bank, tmp_path: Path) -> None:
    desk = small_desk(tmp_path / "home") / "desk"
    path = desk / "clusters" / "desk" / "cluster.yaml"
    path.write_text(path.read_text().replace("engine: transformers", "engine: vllm"))
    params = desk / "params.yaml"
    params.write_text(params.read_text().replace("threads: 2", "threads: 1"))
    who = ("-c", "user.name=owner", "-c", "user.email=owner@example.com")
    subprocess.run(["git", *who, "commit", "--quiet", "--all", "--message", "vllm answers"], cwd=desk, check=True)
    subprocess.run(["git", "push", "--quiet", "origin", "main"], cwd=desk, check=True)
    hallmark("iterate", "desk", cwd=desk)
    (log,) = (desk / ".hallmark" / "engines" / "desk").glob("*.log")
    assert log.read_text(errors="replace").count("Application startup complete") == 1
    assert log.read_text(errors="replace").count("Loaded new LoRA adapter") >= 3, "arms, strengths and the candidate"
    branch = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname)", "refs/heads/runs"], cwd=desk, capture_output=True, text=True
    ).stdout.strip()
    step = subprocess.run(
        ["git", "show", f"{branch}:clusters/desk/run/steps/assess.json"], cwd=desk, capture_output=True, check=True
    )
    assert json.loads(step.stdout)["measured"]["usage"]["requests"] > 0
    assert _servers(desk) == []
