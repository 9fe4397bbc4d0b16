"""Rows from a real OpenAI-compatible server: `transformers serve` over a tiny base that is pre-trained here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges.generators.served import ServedWriter
from runner.edges.transformers_models import TransformersModels
from runner.errors import ModelError
from runner.ports import GenerationTask
from runner.records.generation import Server, Shown
from runner.records.params import BaseRecipe
from runner.rules.data.prompts import PARSED
from tests.acceptance.conftest import ROOT
from tests.chat_fixture import served, task
from tests.flywheel_fixture import WORDS, Writer

pytestmark = pytest.mark.acceptance
ROWS = 40
CLIENT = """
import sys
from pathlib import Path
from tests.acceptance.test_generators import writer
writer(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), output="text").write({"broken": int(sys.argv[4])}, turn=0)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory as the base stage writes it, trained for some seconds."""
    examples = Writer(seed=4).examples("base", dict.fromkeys(WORDS, 30))
    recipe = BaseRecipe(vocabulary=512, hidden=64, max_length=1024, steps=(120,), reversed_share=0.5)
    made = TransformersModels(threads=1).pretrain(
        examples, examples[:30], instruction="", recipe=recipe, seed=1, threads=1
    )
    folder = tmp_path_factory.mktemp("model")
    for name, data in made.weights.files.items():
        (folder / name).write_bytes(data)
    return folder


@contextmanager
def serving(model: Path, port: int) -> Iterator[str]:
    """`transformers serve` on this machine, with one thread and without the hub."""
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model), "--host", "127.0.0.1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    log = model.parent / f"{model.name}-serve.log"
    with log.open("ab") as said:
        arguments = [*command, "--port", str(port), "--device", "cpu"]
        process = subprocess.Popen(arguments, env=environment, stdout=said, stderr=said)
    try:
        until = time.monotonic() + 120
        while not healthy(port):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, "the server did not come up"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def real_task(url: str, model: Path) -> GenerationTask:
    server = Server(id="local", url=url, model=str(model), sends=tuple(Shown))
    gold = Writer(seed=5).examples("gold", {"broken": 12})
    return replace(task(url, gold=gold), servers=(server,))


def writer(url: str, model: Path, journals: Path, **choice: Any) -> ServedWriter:
    """One that asks for short messages, a few at a time."""
    knobs = {"max_new_tokens": 24, "examples": 0, "concurrency": 4, "timeout_s": 120, **choice}
    return ServedWriter(real_task(url, model), served(**knobs), journals=journals)


def test_a_real_server_writes_rows_and_a_killed_client_and_a_killed_server_lose_none(
    model: Path, tmp_path: Path
) -> None:
    port = free_port()
    with serving(model, port) as url:
        child = subprocess.Popen([sys.executable, "-c", CLIENT, url, str(model), str(tmp_path), str(ROWS)], cwd=ROOT)
        journal = wait_for_lines(tmp_path, 5)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        kept = journal.read_bytes().count(b"\n")
        taken_up = writer(url, model, tmp_path, output="text")
        assert 5 <= kept < ROWS
        first = taken_up.write({"broken": ROWS // 2 + kept // 2}, turn=0)
    with pytest.raises(ModelError, match="out of reach"):
        writer(url, model, tmp_path, output="text", retries=0).write({"broken": 2 * ROWS}, turn=0)
    with serving(model, port) as url:
        last = writer(url, model, tmp_path, output="text")
        drafts = last.write({"broken": 2 * ROWS}, turn=0)
    assert drafts[: len(first)] == first
    assert last.measured["from_journal"] >= len(first)
    assert last.measured["from_journal"] + last.measured["requests"] == 2 * ROWS
    assert journal.read_bytes().count(b"\n") == len({draft.request for draft in drafts}) == 2 * ROWS
    causes = Counter(draft.cause for draft in drafts)
    print(f"in turns: {dict(causes)}, such as {drafts[0].text!r}; {last.measured}")
    assert causes[""] + causes["truncated"] == 2 * ROWS
    assert last.measured["completion_tokens"] > 0


def test_what_a_real_server_does_not_write_as_json_is_kept_with_its_cause(model: Path, tmp_path: Path) -> None:
    """It takes `response_format` and does not honour it, and this base is too small to write JSON by itself."""
    with serving(model, free_port()) as url:
        drafts = writer(url, model, tmp_path, output="json").write({"broken": 8}, turn=0)
    print(f"as JSON: {Counter(draft.cause for draft in drafts)}, such as {drafts[0].text!r}: {drafts[0].detail}")
    assert len(drafts) == 8
    assert {draft.cause for draft in drafts} <= set(PARSED)


def wait_for_lines(folder: Path, count: int) -> Path:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for path in folder.glob("*.jsonl"):
            if path.read_bytes().count(b"\n") >= count:
                return path
        time.sleep(0.005)
    raise AssertionError("the client wrote nothing")
