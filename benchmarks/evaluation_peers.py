"""lm-evaluation-harness and Inspect for `benchmarks/evaluation.py`: their environment, their tasks, their logs.

They are installed, pinned, into an environment of their own, which looks for what it lacks (torch, transformers,
accelerate, datasets) among this project's packages: all contestants run the same libraries.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evaluation_desk import Desk

LM_EVAL, INSPECT = "lm-evaluation-harness", "Inspect"
PINS = ("lm_eval==0.4.13", "inspect_ai==0.3.285")
BATCH = 128
LM_EVAL_TASK = """task: banking77
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
output_type: generate_until
doc_to_text: "{{text}}"
doc_to_target: "{{label}}"
generation_kwargs: {until: ["<|end|>"], max_gen_toks: NEW_TOKENS, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
INSPECT_TASK = """from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate


@task
def banking77():
    questions = json_dataset("QUESTIONS", FieldSpec(input="text", target="label", id="id"))
    return Task(dataset=questions, solver=generate(), scorer=match(location="exact"))
"""
INSPECT_READER = """import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
if log.status != "success":
    raise SystemExit(f"{log.status}: {log.error and log.error.message}")
print(json.dumps([[s.input, s.output.completion, s.scores["match"].value == "C"] for s in log.samples]))
"""


@dataclass(frozen=True)
class Peers:
    bin: Path
    folder: Path
    """Where tasks and logs are."""

    def lm_eval(self, desk: Desk) -> list[str]:
        home = self._fresh(LM_EVAL)
        (home / "banking77.yaml").write_text(_filled(LM_EVAL_TASK, desk))
        return [
            *(str(self.bin / "lm_eval"), "run", "--model", "hf", "--tasks", "banking77", "--include_path", str(home)),
            *("--model_args", f"pretrained={desk.model},dtype=float32", "--device", "cpu", "--apply_chat_template"),
            *("--batch_size", str(BATCH), "--log_samples", "--output_path", str(home / "out")),
        ]

    def lm_eval_log(self, desk: Desk) -> Mapping[str, tuple[str, bool]]:
        (path,) = sorted((self.folder / LM_EVAL / "out").rglob("samples_*.jsonl"))[-1:]
        rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
        return {row["doc"]["text"]: (row["filtered_resps"][0], row["exact_match"] == 1.0) for row in rows}

    def inspect(self, desk: Desk) -> list[str]:
        home = self._fresh(INSPECT)
        (home / "banking77.py").write_text(_filled(INSPECT_TASK, desk))
        return [
            *(str(self.bin / "inspect"), "eval", os.path.relpath(home / "banking77.py"), "--model", "hf/tiny"),
            *("--display", "none"),
            *("-M", f"model_path={desk.model}", "-M", f"tokenizer_path={desk.model}", "-M", "device=cpu"),
            *("-M", "do_sample=false", "--max-tokens", str(desk.new_tokens), "--max-connections", str(BATCH)),
            *("--max-samples", str(BATCH), "--log-dir", str(home / "logs")),
        ]

    def inspect_log(self, desk: Desk) -> Mapping[str, tuple[str, bool]]:
        (path,) = sorted((self.folder / INSPECT / "logs").glob("*.eval"))[-1:]
        command = [str(self.bin / "python"), "-c", INSPECT_READER, str(path)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return {text: (answer, right) for text, answer, right in json.loads(printed)}

    def _fresh(self, name: str) -> Path:
        home = self.folder / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        return home


def _filled(task: str, desk: Desk) -> str:
    return task.replace("QUESTIONS", str(desk.questions)).replace("NEW_TOKENS", str(desk.new_tokens))


def installed(place: Path, *, folder: Path) -> Peers:
    """The peers' environment, made where it is not there yet or has other versions."""
    done = place / "pins.txt"
    if not done.is_file() or done.read_text() != "\n".join(PINS):
        print(f"installing {', '.join(PINS)} into {place}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        python = place / "bin" / "python"
        where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        packages = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
        (packages / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PINS], check=True)
        done.write_text("\n".join(PINS))
    return Peers(place / "bin", folder)
