"""SIGKILL in each phase of a real iteration, then the same command again: the same adapter and the same ledger."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.edges.ledger_store import entry_bytes
from runner.ledger import PHASES
from runner.records.ledger import Entry, EntryKind
from runner.wiring import flywheel
from tests.acceptance.conftest import hallmark
from tests.acceptance.small import small_desk

pytestmark = pytest.mark.acceptance
HALLMARK = str(Path(sys.executable).parent / "hallmark")


def clone(origin: Path, target: Path) -> Path:
    """The desk as it was before its first iteration, with an origin and a data store of its own."""
    shutil.copytree(origin, target, symlinks=True)
    # The origin's side of a push is a process of the server, which does not die with the client.
    server = ("config", "remote.origin.receivepack", "setsid git-receive-pack")
    subprocess.run(["git", *server], cwd=target / "desk", check=True)
    return target


def ledger(desk: Path) -> tuple[Entry, ...]:
    return flywheel.ledger_store(desk).read("desk")


def essence(entries: tuple[Entry, ...]) -> list[object]:
    return [(e.kind, e.phase, e.inputs, e.outputs, e.verdict) for e in entries]


def kill_in(desk: Path, phase: str, rng: random.Random, seconds: float) -> bool:
    """Start the iteration and kill it, and all it started, while `phase` is at work, which takes `seconds`. False if
    it ended before."""
    command = [HALLMARK, "iterate", "desk"]
    process = subprocess.Popen(command, cwd=desk, stderr=subprocess.PIPE, text=True, start_new_session=True)
    before = PHASES[PHASES.index(phase) - 1] if phase != "intake" else None
    assert process.stderr is not None
    if before is not None:
        for line in process.stderr:
            if f" {before} " in line:
                break
    time.sleep(rng.uniform(0.0, 0.3 + 0.9 * seconds) if before is not None else rng.uniform(1.0, 3.0))
    alive = process.poll() is None
    if alive:
        subprocess.run(["kill", "-KILL", "--", f"-{process.pid}"], check=False)
    process.wait()
    return alive and process.returncode == -signal.SIGKILL


def test_killed_in_each_phase_the_iteration_ends_the_same(tmp_path):
    home = tmp_path
    fresh = small_desk(home / "fresh")
    whole = clone(fresh, home / "whole")
    hallmark("iterate", "desk", cwd=whole / "desk", check=False)
    seconds = {entry.phase: float(entry.measured.get("seconds", 0.0)) for entry in ledger(whole / "desk")}
    killed = clone(fresh, home / "killed")
    rng = random.Random(7)
    kills = 0
    for phase in PHASES:
        before = [entry_bytes(entry) for entry in ledger(killed / "desk")]
        kills += kill_in(killed / "desk", phase, rng, seconds[phase])
        after = [entry_bytes(entry) for entry in ledger(killed / "desk")]
        assert after[: len(before)] == before, f"entries from before the kill in {phase} changed"
    hallmark("iterate", "desk", cwd=killed / "desk", check=False)
    once, resumed = ledger(whole / "desk"), ledger(killed / "desk")
    print(f"{kills} kills in {len(PHASES)} phases; {len(resumed)} entries")
    assert kills >= len(PHASES) - 1
    assert essence(resumed) == essence(once)
    passed = [entry.phase for entry in resumed if entry.kind is EntryKind.PHASE and entry.verdict.passed]
    assert len(passed) == len(set(passed)), "a phase completed twice"
    adapter = [entry.outputs.get("adapter") for entry in resumed if entry.phase == "train"]
    assert adapter == [entry.outputs.get("adapter") for entry in once if entry.phase == "train"]
    assert adapter[0] is not None
