"""lm-evaluation-harness as a process: what it is told, what is taken from it, and every way in which it fails.

The harness here is a program that writes what the real one does; tests/acceptance/test_lm_eval.py runs the real one.
"""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from runner.edges.lm_eval import PYTHON_VARIABLE, TASKS_VARIABLE, LmEvalTasks
from runner.errors import ModelError
from runner.ports import Model, Tree
from runner.records.cluster import HubBase, TinyBase
from runner.records.evaluation_policy import GeneralTask

BASE = Model(TinyBase(kind="tiny"), Tree({"config.json": b"{}", "model.safetensors": b"weights"}))
ADAPTER = Model(BASE.base, BASE.weights, Tree({"adapter_config.json": b"{}"}))
WRITES = """
out = pathlib.Path(told[told.index("--output_path") + 1]) / "tiny"
out.mkdir(parents=True)
(out / "samples_arc_easy_2026-11-21T12-00-00.jsonl").write_text(SAMPLES)
"""
PROGRAM = """import json, os, pathlib, sys, time
told = sys.argv[1:]
parts = dict(one.split("=", 1) for one in told[told.index("--model_args") + 1].split(","))
files = {name: sorted(os.listdir(value)) for name, value in parts.items() if os.path.isdir(value)}
pathlib.Path(NOTE).write_text(json.dumps({"told": told, "files": files, "env": dict(os.environ)}))
"""
RIGHT = [{"doc_id": at, "acc": float(at % 2), "acc_norm": 1.0, "metrics": ["acc", "acc_norm"]} for at in range(6)]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes the named Python a program that notes what it was told and then does `body`."""

    def install(body: str, rows: list[dict[str, object]] | str = RIGHT) -> Path:
        said = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        program, note = tmp_path / "python", tmp_path / "told.json"
        program.write_text(
            f"#!{sys.executable}\n" + PROGRAM.replace("NOTE", repr(str(note))) + f"SAMPLES = {said!r}\n{body}"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(PYTHON_VARIABLE, str(program))
        return note

    return install


def tasks(tmp_path: Path, **how: float) -> LmEvalTasks:
    return LmEvalTasks(tmp_path, threads=1, **how)


def test_it_is_handed_base_and_adapter_as_files_and_each_sample_counts(harness, tmp_path, monkeypatch) -> None:
    note = harness(WRITES)
    monkeypatch.setenv(TASKS_VARIABLE, "our-tasks")
    monkeypatch.setenv("HALLMARK_SECRET", "ours")
    task = GeneralTask(task="arc_easy", limit=6, few_shot=2)
    assert tasks(tmp_path).score(ADAPTER, [task], seed=7) == {
        "arc_easy": {f"arc_easy/{n}": float(n % 2) for n in range(6)}
    }
    noted = json.loads(note.read_text())
    told = noted["told"]
    for name, value in (("--tasks", "arc_easy"), ("--limit", "6"), ("--num_fewshot", "2"), ("--seed", "7")):
        assert told[told.index(name) + 1] == value
    assert told[told.index("--include_path") + 1] == "our-tasks"
    assert "--apply_chat_template" not in told
    assert "trust_remote_code=False" in told[told.index("--model_args") + 1]
    assert noted["files"] == {"pretrained": ["config.json", "model.safetensors"], "peft": ["adapter_config.json"]}
    assert not [name for name in noted["env"] if name.startswith("HALLMARK_")], "it has no business with our settings"
    tasks(tmp_path).score(BASE, [task], seed=7)
    assert set(json.loads(note.read_text())["files"]) == {"pretrained"}


def test_a_hub_base_is_named_with_its_revision(harness, tmp_path) -> None:
    note = harness(WRITES)
    hub = Model(HubBase(kind="hub", id="org/name", revision="a" * 40), Tree({}))
    tasks(tmp_path).score(hub, [GeneralTask(task="arc_easy", chat=True)], seed=1)
    told = json.loads(note.read_text())["told"]
    assert told[told.index("--model_args") + 1] == f"pretrained=org/name,revision={'a' * 40},trust_remote_code=False"
    assert "--apply_chat_template" in told


def test_a_sample_that_was_scored_after_several_filters_counts_once(harness, tmp_path) -> None:
    harness(WRITES, [{"doc_id": 1, "acc": 1, "filter": "strict"}, {"doc_id": 1, "acc": 0, "filter": "loose"}])
    assert tasks(tmp_path).score(BASE, [GeneralTask(task="arc_easy")], seed=1) == {"arc_easy": {"arc_easy/1": 1.0}}


@pytest.mark.parametrize(
    ("body", "rows", "says"),
    [
        ("sys.exit('ValueError: no such task')", RIGHT, "lm-evaluation-harness failed: ValueError: no such task"),
        ("sys.exit(3)", RIGHT, "lm-evaluation-harness failed: it said nothing"),
        (
            "print('huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach'); sys.exit(1)",
            RIGHT,
            "its data is not on this machine and could not be fetched; run it once where there is a network",
        ),
        ("", RIGHT, "wrote no samples"),
        (WRITES, "garbage\n", "a line of samples_arc_easy_2026-11-21T12-00-00.jsonl is no sample"),
        (WRITES, "[1]\n", "is no sample"),
        (WRITES, [{"acc": 1.0}], "is no sample: 'doc_id'"),
        (WRITES, [{"doc_id": 1, "bleu": 31.0, "metrics": ["bleu"]}], "has no metric acc of each sample; it has: bleu"),
        (WRITES, [{"doc_id": 1, "acc": 31.0}], "acc is 31.0, and must be from 0 to 1"),
        ("time.sleep(30)", RIGHT, "took longer than 0.5 s, and was ended"),
    ],
)
def test_whatever_goes_wrong_is_an_error_that_says_so(harness, tmp_path, body: str, rows, says: str) -> None:
    harness(body, rows)
    with pytest.raises(ModelError, match="the task arc_easy") as caught:
        tasks(tmp_path, longest_s=0.5 if "sleep" in body else 60.0).score(BASE, [GeneralTask(task="arc_easy")], seed=1)
    assert says in str(caught.value)


def test_without_a_harness_it_says_how_to_get_one(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    with pytest.raises(ModelError, match=r"build/peers/bin/python: pip install lm_eval .* HALLMARK_LM_EVAL_PYTHON"):
        tasks(tmp_path).score(BASE, [GeneralTask(task="arc_easy")], seed=1)
