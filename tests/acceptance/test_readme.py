"""The commands of the README that train real models, run as they are printed. All others run in `make test`."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import ExitCode
from tests.acceptance.conftest import ROOT
from tests.acceptance.small import write_parts
from tests.printed import block_with, commands

pytestmark = pytest.mark.acceptance
README = ROOT / "README.md"
ADOPT = ROOT / "docs" / "adopt.md"
BIN = Path(sys.executable).parent


def typed(command: str, *, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """What a reader types, with an identity and without their git configuration; its output is shown."""
    who = {
        f"GIT_{role}_{field}": "owner@example.com" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")
    }
    own = {"HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull}
    print(f"$ {command}", flush=True)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=cwd,
        env={**os.environ, **who, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    print(done.stdout, flush=True)
    return done


def printed(command: str) -> str:
    """The command, of which the README must print exactly this."""
    assert command in {one.command for one in commands(README)}
    return command


def test_make_demo_as_printed(tmp_path: Path) -> None:
    done = typed(printed("make demo"), cwd=ROOT, home=tmp_path)
    assert done.returncode == ExitCode.DONE
    told = json.loads((ROOT / "build" / "demo" / "summary.json").read_text())
    assert told["promotion"]["verified"]
    assert told["forgery_refused"]


def test_iterate_to_the_human_gate_as_printed(tmp_path: Path) -> None:
    """In a clone of this repository, with an origin of its own; the data's store is a part of it."""
    assert printed("hallmark iterate CLUSTER").replace("CLUSTER", "support-desk") == "hallmark iterate support-desk"
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    for command in (
        ("init", "--quiet", "--bare", "--initial-branch=main", str(origin)),
        ("push", "--quiet", str(origin), "HEAD:refs/heads/main"),
        ("clone", "--quiet", str(origin), str(clone)),
    ):
        subprocess.run(["git", *command], cwd=ROOT, check=True)
    done = typed(printed("hallmark iterate support-desk"), cwd=clone, home=tmp_path)
    assert done.returncode == ExitCode.WAITING
    assert "9/13  triage       waits for people" in done.stdout
    assert "waits for people: branch triage/support-desk/support-desk-" in done.stdout


def user_files(home: Path) -> None:
    """A few hundred rows of real texts: a file for each part, and `messages.csv` with all of them."""
    rows: list[tuple[str, ...]] = []
    for part in write_parts(home).values():
        with Path(part).open(newline="", encoding="utf-8") as file:
            rows += [tuple(row) for row in csv.reader(file)][1:]
    with (home / "messages.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *dict.fromkeys(rows)])


@pytest.mark.parametrize("page", [README, ADOPT], ids=["README", "adopt"])
def test_the_five_commands_as_printed(tmp_path: Path, page: Path) -> None:
    """From a user's own files to the gate where people decide on the candidates."""
    user_files(tmp_path)
    script = block_with(page, "hallmark iterate routing")
    assert len(script) == 5
    done = typed("\n".join(script), cwd=tmp_path, home=tmp_path)
    assert done.returncode == ExitCode.WAITING
    assert "9/13  triage       waits for people" in done.stdout
    assert "candidates wait for people" in done.stdout
