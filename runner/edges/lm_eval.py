"""`ports.GeneralTasks` by lm-evaluation-harness, in an environment of its own.

The harness is a process beside this one, because its pins are not ours. It is handed the base and the adapter as files,
and says what each sample scored; nothing else of it is believed. Which tasks there are is the machine's: definitions of
tasks may name Python, so they come with the harness or from the folder `HALLMARK_LM_EVAL_TASKS`, never from the
governed repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges.bases import place_of
from runner.edges.files import write_directory
from runner.errors import ModelError
from runner.ports import Model, Progress, silent
from runner.records.evaluation_policy import GeneralTask

PYTHON_VARIABLE, TASKS_VARIABLE = "HALLMARK_LM_EVAL_PYTHON", "HALLMARK_LM_EVAL_TASKS"
USUAL_PLACE = Path("build") / "peers" / "bin" / "python"
"""Where this project's benchmarks install it, from the repository's top."""
BATCH = 32
LONGEST_S = 4 * 3600.0
"""What a task may take."""
SAID = 5
"""Last lines of what the harness said that are told."""
OFFLINE = (
    *("ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError"),
    *("Max retries exceeded", "Couldn't reach"),
)


class LmEvalTasks:
    """Tasks in the environment that `HALLMARK_LM_EVAL_PYTHON` names, or the repository's own at `root`."""

    def __init__(self, root: Path, *, threads: int, longest_s: float = LONGEST_S) -> None:
        self._root, self._threads, self._longest_s = root, threads, longest_s

    def ready(self, tasks: Sequence[GeneralTask]) -> None:
        self._python()

    def score(
        self, model: Model, tasks: Sequence[GeneralTask], *, seed: int, progress: Progress = silent
    ) -> Mapping[str, Mapping[str, float]]:
        python = self._python()
        found = {}
        with tempfile.TemporaryDirectory(prefix="hallmark-general-") as scratch:
            folder = Path(scratch)
            arguments = _model_arguments(model, folder)
            who = "the base" if model.adapter is None else "the adapter"
            for number, task in enumerate(tasks):
                progress(f"{who} answers the task {task.task}", number / len(tasks))
                out = folder / f"out-{number}"
                self._run(_command(python, task, arguments, out, seed=seed), task)
                found[task.task] = samples(out, task)
        return found

    def _python(self) -> str:
        named = os.environ.get(PYTHON_VARIABLE, "")
        python = Path(named) if named else self._root / USUAL_PLACE
        if not python.is_file():
            hint = f"pip install lm_eval into an environment of its own, and name its Python in {PYTHON_VARIABLE}"
            raise ModelError(f"there is no lm-evaluation-harness at {python}: {hint}")
        return str(python)

    def _run(self, command: Sequence[str], task: GeneralTask) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HALLMARK_")}
        threads = str(self._threads)
        own = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
        try:
            done = subprocess.run(
                command,
                env={**inherited, **own},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._longest_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"the task {task.task} took longer than {self._longest_s:g} s, and was ended") from error
        except OSError as error:
            raise ModelError(f"lm-evaluation-harness cannot be started: {error}") from error
        if done.returncode:
            raise ModelError(f"the task {task.task}: {_why(done.stdout + done.stderr)}")


def _why(said: bytes) -> str:
    """Why the harness failed, by the last lines that it said."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    last = " | ".join(lines[-SAID:]) or "it said nothing"
    if any(sign in line for line in lines for sign in OFFLINE):
        return f"its data is not on this machine and could not be fetched; run it once where there is a network: {last}"
    return f"lm-evaluation-harness failed: {last}"


def _model_arguments(model: Model, folder: Path) -> list[str]:
    """What the harness is told of the model; what are bytes here is written below `folder`."""
    if model.weights.files:
        write_directory(folder / "base", model.weights.files)
        arguments = [f"pretrained={folder / 'base'}"]
    else:
        place, pin = place_of(model)
        arguments = [f"pretrained={place}", *(f"{name}={value}" for name, value in pin.items())]
    if model.adapter is not None:
        write_directory(folder / "adapter", model.adapter.files)
        arguments.append(f"peft={folder / 'adapter'}")
    return [*arguments, "trust_remote_code=False"]


def _command(python: str, task: GeneralTask, model: Sequence[str], out: Path, *, seed: int) -> list[str]:
    command = [python, "-m", "lm_eval", "run", "--model", "hf", "--model_args", ",".join(model)]
    command += ["--tasks", task.task, "--batch_size", str(BATCH), "--seed", str(seed)]
    command += ["--log_samples", "--output_path", str(out)]
    if task.limit is not None:
        command += ["--limit", str(task.limit)]
    if task.few_shot is not None:
        command += ["--num_fewshot", str(task.few_shot)]
    if task.chat:
        command.append("--apply_chat_template")
    if folder := os.environ.get(TASKS_VARIABLE, ""):
        command += ["--include_path", folder]
    return command


def samples(out: Path, task: GeneralTask) -> dict[str, float]:
    """Each sample's score in what the harness wrote below `out`, by its file and number: a group has several files.

    Where a sample was scored after several filters, the first counts. Raises `ModelError` where there is no sample, or
    one has not the task's metric, from 0 to 1.
    """
    found: dict[str, float] = {}
    for path in sorted(out.rglob("samples_*.jsonl")):
        part = path.name.removeprefix("samples_").rpartition("_")[0]
        for line in path.read_bytes().splitlines():
            try:
                row = json.loads(line)
                key = f"{part}/{row['doc_id']}"
            except (ValueError, KeyError, TypeError) as error:
                raise ModelError(f"the task {task.task}: a line of {path.name} is no sample: {error}") from error
            found.setdefault(key, _value(row, task))
    if not found:
        raise ModelError(f"the task {task.task}: lm-evaluation-harness wrote no samples")
    return found


def _value(row: Mapping[str, Any], task: GeneralTask) -> float:
    value = row.get(task.metric)
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    if task.metric in row:
        raise ModelError(f"the task {task.task}: {task.metric} is {value!r}, and must be from 0 to 1 for each sample")
    there = ", ".join(sorted(str(name) for name in row.get("metrics") or ())) or "no others"
    raise ModelError(f"the task {task.task} has no metric {task.metric} of each sample; it has: {there}")
