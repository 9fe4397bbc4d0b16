"""`dvc repro --force` on the run branch of a finished iteration, in a fresh clone: every output again, to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.edges.artifacts import DirectoryArtifacts
from runner.pipeline import PHASES
from runner.wiring import flywheel
from tests.acceptance.conftest import hallmark
from tests.acceptance.small import small_desk

pytestmark = pytest.mark.acceptance
BIN = Path(sys.executable).parent
OUTS = tuple(name for phase in PHASES for stage in phase.stages for name in stage.writes)


def run(*command: str, cwd: Path) -> str:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout.strip()


def test_a_clone_makes_every_output_again(tmp_path):
    home = tmp_path / "home"
    desk = small_desk(home) / "desk"
    hallmark("iterate", "desk", cwd=desk)
    branch = run("git", "branch", "--list", "runs/*", "--format=%(refname:short)", cwd=home / "origin.git")
    run("git", "clone", "--quiet", "--branch", branch, "origin.git", "auditor", cwd=home)
    auditor = home / "auditor"
    run("dvc", "pull", "--quiet", cwd=auditor)
    artifacts = DirectoryArtifacts(auditor / "clusters" / "desk")
    before = {name: artifacts.digest(name) for name in OUTS}
    recorded = {name: digest for e in flywheel.ledger_store(desk).read("desk") for name, digest in e.outputs.items()}
    assert before == recorded
    assert run("dvc", "status", "--json", cwd=auditor) == "{}"
    run("dvc", "repro", "--force", "--no-run-cache", cwd=auditor)
    after = {name: artifacts.digest(name) for name in OUTS}
    assert after == before
    assert run("git", "status", "--porcelain", cwd=auditor) == "", "dvc.lock and what git keeps are as they were"
