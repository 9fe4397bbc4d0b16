"""A vLLM server that the runner starts, watches and stops: `scripted_vllm.py` stands in for it and misbehaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.edges.engines.process import ServerProcess, tail
from runner.edges.engines.served_models import ServedModels
from runner.edges.engines.vllm import VllmModelServer
from runner.edges.engines.vllm_environment import VARIABLE, VllmEnvironment
from runner.edges.simulated_models import SimulatedModels
from runner.errors import ModelError
from runner.ports import Model
from runner.records.serving import VllmServer
from tests.engine_fixture import adapted, base, prompts

FAKE = Path(__file__).parent / "scripted_vllm.py"
RUNNER = """
import sys
from pathlib import Path
from tests.engine_fixture import base, prompts
from tests.test_engine_vllm import Bench
bench = Bench(Path(sys.argv[1]))
bench.models.answer(base(), prompts(2), max_new_tokens=8)
print("answered", flush=True)
sys.stdin.read()
"""


class Bench:
    """Models served by the scripted server, whose script and log lie in `folder`."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.script = folder / "script"
        self.script.mkdir(parents=True, exist_ok=True)
        os.environ.update({"SCRIPTED": str(self.script), VARIABLE: str(FAKE)})
        said = VllmServer.model_validate({"timeout_s": 1, "start_s": 20, "concurrency": 4, **settings})
        self.server = VllmModelServer(VllmEnvironment(folder), said, folder=folder / "engine", rank=8)
        self.models = ServedModels(SimulatedModels(), self.server)

    def told(self, name: str) -> list[Any]:
        path = self.script / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def asked(self) -> list[Any]:
        return [one for one in self.told("asked") if one["path"] == "/v1/completions"]

    def does(self, name: str, what: object = "") -> None:
        (self.script / name).write_text(str(what))

    def answer(self, model: Model, count: int, **how: Any) -> tuple[str, ...]:
        return self.models.answer(model, prompts(count), max_new_tokens=8, **how).texts


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name in ("SCRIPTED", VARIABLE):
        monkeypatch.setenv(name, "")
    found = Bench(tmp_path)
    yield found
    found.server.stop()


def gone(process: int, *, within_s: float = 15.0) -> bool:
    """Whether a process ends; one that waits for its parent to hear of it has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if "State:\tZ" in Path(f"/proc/{process}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_one_server_answers_for_a_base_and_its_adapters_each_loaded_once_by_name(bench: Bench) -> None:
    plain, model = base(), adapted()
    assert model.adapter is not None
    name = f"adapter-{model.adapter.digest[:16]}"
    assert not bench.told("started"), "nothing is started before something is asked"
    texts = [*bench.answer(plain, 3), *bench.answer(model, 3), *bench.answer(plain, 3), *bench.answer(model, 4)]
    (started,) = bench.told("started")
    arguments = started["arguments"]
    assert arguments[arguments.index("--max-model-len") + 1] == "64", "the base's own context"
    assert arguments[arguments.index("--dtype") + 1] == "float32"
    folder = Path(arguments[arguments.index("--model") + 1])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == plain.weights.files
    assert [one["lora_name"] for one in bench.told("asked") if one["path"] == "/v1/load_lora_adapter"] == [name]
    assert [text.split()[0] for text in texts] == ["base"] * 3 + [name] * 3 + ["base"] * 3 + [name] * 4
    bench.server.stop()
    assert gone(started["pid"])
    assert gone(bench.told("beside")[0]), "what the server had started goes with it"


def test_the_server_is_told_its_own_key_and_no_other_secret(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_KEY", "sk-secret")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    bench.answer(base(), 1)
    (started,) = bench.told("started")
    environment = started["environment"]
    assert "sk-secret" not in environment.values()
    assert "PYTHONPATH" not in environment
    assert len(environment["VLLM_API_KEY"]) >= 32
    assert environment["VLLM_API_KEY"] not in " ".join(started["arguments"]), "which any user may list"


def test_answers_that_may_fill_the_whole_context_are_refused(bench: Bench) -> None:
    with pytest.raises(ModelError, match="max_new_tokens"):
        bench.models.answer(base(), prompts(1), max_new_tokens=64)


def test_an_adapter_of_a_higher_rank_starts_the_server_anew(bench: Bench) -> None:
    bench.answer(adapted(8), 1)
    bench.answer(adapted(40), 1)
    bench.answer(adapted(8), 1)
    ranks = [one["arguments"][one["arguments"].index("--max-lora-rank") + 1] for one in bench.told("started")]
    assert ranks == ["8", "64"]
    with pytest.raises(ModelError, match="rank 512 at most"):
        bench.answer(adapted(1000), 1)


def test_another_base_has_a_server_of_its_own(bench: Bench) -> None:
    bench.answer(base(), 1)
    bench.answer(base(32), 1)
    first, second = bench.told("started")
    assert gone(first["pid"])
    assert first["arguments"] != second["arguments"]


def test_choices_and_seeds_reach_the_server(bench: Bench) -> None:
    bench.answer(base(), 1, choices=["yes", "no"])
    drawn = bench.models.sample(base(), prompts(1) * 3, temperature=0.7, seed=3, max_new_tokens=8)
    again = bench.models.sample(base(), prompts(1) * 3, temperature=0.7, seed=3, max_new_tokens=8)
    assert drawn == again
    assert len(set(drawn)) == 3
    assert bench.asked()[0]["structured_outputs"] == {"choice": ["yes", "no"]}


def test_a_closed_set_is_said_whole_whatever_the_limit(bench: Bench) -> None:
    bench.answer(base(), 1, choices=["yes", "twelve bytes"])
    bench.answer(base(), 1, choices=["yes"])
    assert [one["max_tokens"] for one in bench.asked()] == [13, 8]


def test_the_gpus_that_it_computes_with_are_a_part_of_who_answers(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = bench.server.identity(base())
    python, smi = tmp_path / "python", tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    for path, said in ((python, '[["vllm", "0.0"], ["torch", "0.0"]]'), (smi, "NVIDIA H100, 580.1")):
        path.write_text(f"#!/bin/sh\necho '{said}'\n")
        path.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(python))

    def settings() -> str:
        environment = VllmEnvironment(tmp_path)
        return VllmModelServer(environment, VllmServer(), folder=tmp_path, rank=8).identity(base()).setting

    unseen = settings()
    monkeypatch.setenv("PATH", str(smi.parent), prepend=":")
    one = settings()
    assert "NVIDIA H100, 580.1, all" in one
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert len({on_cpu.setting, unseen, one, settings()}) == 4


def test_one_that_dies_half_way_is_started_again_and_asked_for_the_rest(bench: Bench) -> None:
    bench.does("dies-after", 20)
    heard: list[int] = []
    texts = bench.answer(base(), 30, keep=lambda index, *_: heard.append(index))
    assert len(set(texts)) == 30
    assert sorted(heard) == list(range(30)), "each is handed on once"
    assert len(bench.told("started")) == 2
    assert len(bench.asked()) <= 30 + 4, "what was under way when it died is asked for again"


def test_one_that_dies_again_ends_it_with_its_last_words_and_what_it_answered_is_kept(bench: Bench) -> None:
    bench.does("dies-after", 5)
    heard: list[int] = []
    with pytest.raises(ModelError, match=r"(?s)it has died.*same command.*server-\d+\.log.*engine core died") as raised:
        bench.answer(base(), 40, keep=lambda index, *_: heard.append(index))
    assert len(bench.told("started")) == 2
    assert len(set(heard)) == len(heard) >= 4
    assert "status 1" in str(raised.value)
    (bench.script / "dies-after").unlink()
    assert len(bench.answer(base(), 3)) == 3, "and what comes next starts it anew"


def test_one_that_dies_between_two_calls_is_started_again(bench: Bench) -> None:
    bench.answer(base(), 2)
    os.kill(bench.told("started")[0]["pid"], signal.SIGKILL)
    assert gone(bench.told("beside")[0])
    assert len(bench.answer(base(), 2)) == 2
    assert len(bench.told("started")) == 2


def test_one_that_hangs_is_started_again(bench: Bench) -> None:
    bench.does("hangs-after", 6)
    assert len(set(bench.answer(base(), 10))) == 10
    assert len(bench.told("started")) == 2


def test_garbage_ends_it(bench: Bench) -> None:
    bench.does("garbage")
    with pytest.raises(ModelError, match=r"(?s)no completion .*<html>it works</html>, 2 times"):
        bench.answer(base(), 1)
    assert len(bench.told("started")) == 2, "it is started anew before that"


def test_what_it_refuses_is_not_asked_again(bench: Bench) -> None:
    bench.does("refuses", "the prompt is too long")
    with pytest.raises(ModelError, match="answered 400: the prompt is too long"):
        bench.answer(base(), 5)
    assert len(bench.told("started")) == 1


def test_one_that_does_not_start_says_why(bench: Bench, tmp_path: Path) -> None:
    bench.does("dies-at-start")
    with pytest.raises(ModelError, match=r"(?s)ended before it answered.*ValueError: no such model.*status 1"):
        bench.answer(base(), 1)
    (bench.script / "dies-at-start").unlink()
    bench.does("never-well")
    slow = Bench(tmp_path, start_s=1)
    with pytest.raises(ModelError, match="did not answer within 1 s"):
        slow.answer(base(), 1)
    assert gone(slow.told("started")[-1]["pid"])


def test_a_runner_that_is_killed_takes_its_server_along(bench: Bench, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUNNER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "answered\n"
        runner.kill()
    assert gone(bench.told("started")[0]["pid"])
    assert gone(bench.told("beside")[0])


def test_an_environment_that_is_missing_or_empty_says_how_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ModelError, match=rf"no vLLM environment at {tmp_path}.*make vllm-env"):
        _ = VllmEnvironment(tmp_path).python
    monkeypatch.setenv(VARIABLE, sys.executable)
    with pytest.raises(ModelError, match="cannot run vLLM: it has no vllm"):
        _ = VllmEnvironment(tmp_path).installed


def test_a_log_keeps_its_last_lines_and_nothing_that_a_terminal_would_obey(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"first\n" * 5000 + b"\x1b[31mlast\xff\n\n")
    assert len(tail(log)) == 12
    assert tail(log)[-1] == "\\u001b[31mlast\ufffd"
    process = ServerProcess(["false"], environment=os.environ, log=log, health="http://127.0.0.1:1/")
    with pytest.raises(ModelError, match="status 1"):
        process.wait_until_well(limit_s=10, what="it")
    assert (tmp_path / "server.before.log").stat().st_size > 5000
