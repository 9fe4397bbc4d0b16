"""The three commands of a hand-off, typed as they stand there into a clean clone: every output again, to the byte."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner.edges.artifacts import DirectoryArtifacts
from runner.records.evidence import EvidenceFile
from tests.acceptance.conftest import hallmark
from tests.acceptance.small import small_desk

pytestmark = pytest.mark.acceptance
PEOPLE = {"ash": "approver,maintainer", "hazel": "approver,maintainer", "rowan": "benchmark-owner"}
MACHINES = ("ci", "gate")
WHO = ("-c", "user.name=ash", "-c", "user.email=ash@example.com")


def run(script: str, *, cwd: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, f"{script}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout.strip()


def promoted(home: Path) -> Path:
    """A small desk with a promotion on its origin's main; a clean clone of it."""
    desk, keys = small_desk(home) / "desk", home / "keys"
    keys.mkdir()
    for name in (*PEOPLE, *MACHINES):
        run(f"ssh-keygen -q -t ed25519 -N '' -C {name} -f {keys / name}", cwd=home)
    people = [part for name, roles in PEOPLE.items() for part in ("--person", f"{name}={keys / name}.pub:{roles}")]
    machines = [part for name in MACHINES for part in (f"--{name}", f"{name}={keys / name}.pub")]
    hallmark("policy", "init", "--repository", "example/desk", *people, *machines, cwd=desk)
    git = f"git {' '.join(WHO)}"
    run(f"{git} add --all && {git} commit --quiet --message Policy && git push --quiet origin main", cwd=desk)
    hallmark("iterate", "desk", cwd=desk, timeout=3600)
    hallmark("propose", "desk", "--ci-key", str(keys / "ci"), "--key", str(keys / "ci"), cwd=desk)
    for person in ("ash", "hazel"):
        hallmark("approve", "desk/1", "--key", str(keys / person), "--yes", cwd=desk)
    run(f"git fetch --quiet && {git} merge --quiet --no-ff --message Promote origin/promote/desk/1", cwd=desk)
    run("git push --quiet origin main", cwd=desk)
    run("git clone --quiet origin.git taken-over", cwd=home)
    return home / "taken-over"


def test_the_three_commands_of_a_hand_off(tmp_path: Path) -> None:
    clone = promoted(tmp_path / "home")
    document = hallmark("handoff", "desk", cwd=clone).stdout
    (block,) = re.findall(r"^### How to make it again\n.*?^```\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) == 3
    assert hallmark("handoff", "desk", "--validate", cwd=clone).stdout.count(": valid\n") == 5
    evidence = clone / "clusters" / "desk" / "promotions" / "1" / "evidence"
    adapter, grades = sha256_of(document), (evidence / EvidenceFile.GRADES).read_bytes()
    for command in block.splitlines():
        print(f"$ {command}", flush=True)
        run(command, cwd=clone)
    artifacts = DirectoryArtifacts(clone / "clusters" / "desk")
    assert artifacts.digest("adapter") == adapter
    assert (clone / "clusters" / "desk" / "run" / "bundle" / EvidenceFile.GRADES).read_bytes() == grades
    assert run("git status --short", cwd=clone) == "", "dvc.lock and what git keeps are as they were"


def sha256_of(document: str) -> str:
    """The adapter that the hand-off is about."""
    match = re.search(r"adapter `([0-9a-f]{64})`", document)
    assert match is not None
    return match[1]
