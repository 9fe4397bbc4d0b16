"""The command line and the hooks, end to end: a bare server, a clone each, real pushes."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.rules.canonical import sha256
from tests.promotion_fixture import World, make_keys

PROGRAM = "from runner.cli.main import main; main()"


class Desk:
    """A bare server with hooks, and a clone that everybody works in."""

    def __init__(self, path: Path) -> None:
        self.world = World(path / "world")
        self.keys = self.world.path / "keys"
        self.clone = path / "clone"

    def hallmark(self, *arguments: str, code: int = 0, where: Path | None = None) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=where or self.clone,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in arguments and done.stdout else done.stdout + done.stderr

    def git(self, *arguments: str, fails: bool = False) -> str:
        identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@localhost"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.clone, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def key(self, name: str) -> str:
        return str(self.keys / name)

    def merge(self, branch: str, *, fails: bool = False) -> str:
        self.git("fetch", "-q", "origin")
        self.git("checkout", "-q", "-B", "main", "origin/main")
        self.git("merge", "-q", "--no-ff", "-m", "Merge", f"origin/{branch}")
        return self.git("push", "origin", "main", fails=fails)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """An empty server that has taken its root commit through the hook."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    world = desk.world
    make_keys(desk.keys)
    (world.path / "storage").mkdir()
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(world.origin)], check=True)
    subprocess.run(["git", "clone", "-q", str(world.origin), str(desk.clone)], check=True, capture_output=True)
    governed = {path: data for path, data in world.tree().items() if not path.startswith("policy/")}
    for path, data in governed.items():
        (desk.clone / path).parent.mkdir(parents=True, exist_ok=True)
        (desk.clone / path).write_bytes(data)
    members = [f"{name}={desk.key(name)}.pub" for name in ("alice", "bob", "carol", "dave", "ci", "gate")]
    people = [part for member in members[:4] for part in ("--person", member)]
    made = desk.hallmark(
        "policy", "init", *people, "--ci", members[4], "--gate", members[5], "--repository", "example/desk", "--json"
    )
    assert desk.hallmark("policy", "lint", "--json")["outcome"] == "pass"
    root = made["root"]
    assert root == sha256((desk.clone / "policy/trust.yaml").read_bytes())
    world.records["root"] = root
    storage = str(world.path / "storage")
    desk.hallmark("hook", "install", str(world.origin), "--root", root, "--key", desk.key("gate"), "--store", storage)
    desk.git("checkout", "-q", "-b", "main")
    desk.git("add", "-A")
    desk.git("commit", "-q", "-m", "Root")
    desk.git("push", "-q", "origin", "main")
    return desk


def test_the_whole_way_over_pushes(desk: Desk) -> None:
    world, root = desk.world, desk.world.records["root"]
    world.now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.propose(world.staged(world.staging()), by="ci", check=True)
    assert "7 quorum" in desk.merge("promote/desk/1", fails=True)
    told = desk.hallmark("approve", "desk/1", "--key", desk.key("alice"), "--yes", "--json")
    assert told["person"] == "alice"
    assert told["scores"]["heldout"]["candidate"] == 1.0
    assert "7 quorum" in desk.merge("promote/desk/1", fails=True)
    desk.hallmark("approve", "desk/1", "--key", desk.key("ci"), "--yes", code=1)
    desk.hallmark("approve", "desk/1", "--key", desk.key("mallory"), "--yes", code=1)
    desk.hallmark("reject", "desk/1", "--reason", "not yet", "--key", desk.key("bob"), "--yes")
    assert "rejects it: not yet" in desk.merge("promote/desk/1", fails=True)
    assert "signed: bob" in desk.hallmark("approve", "desk/1", "--key", desk.key("bob"), "--yes")
    desk.merge("promote/desk/1")
    assert "0" * 40 not in world.git.refs("refs/tags/promotions/desk/1").values()
    gated = desk.hallmark("gate", "HEAD^1", "HEAD", "--json")
    assert (gated["outcome"], gated["change"]) == ("pass", "promotion")
    fresh = desk.clone.parent / "fresh"
    subprocess.run(["git", "clone", "-q", str(world.origin), str(fresh)], check=True)
    found = desk.hallmark("verify", "--root", root, "--json", where=fresh)
    assert (found["outcome"], found["promotions"]) == ("pass", ["desk/1"])
    assert desk.hallmark("verify", "--root", "0" * 64, "--json", code=1, where=fresh)["outcome"] == "refuse"
    signers = fresh / "policy" / "allowed_signers"
    command = ["git", "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-tag", "promotions/desk/1"]
    assert subprocess.run(command, cwd=fresh, check=False, capture_output=True).returncode == 0


def test_what_else_the_hook_refuses(desk: Desk) -> None:
    desk.git("fetch", "-q", "origin")
    desk.git("checkout", "-q", "-B", "main", "origin/main")
    desk.git("push", "origin", ":main", fails=True)
    desk.git("tag", "promotions/desk/9")
    assert "written by the gate" in desk.git("push", "origin", "promotions/desk/9", fails=True)
    desk.git("checkout", "-q", "-B", "sneak", "origin/ledger")
    (desk.clone / "desk" / "00000001.json").write_text("{}")
    desk.git("commit", "-q", "-a", "-m", "Rewrite")
    assert "in the ledger already" in desk.git("push", "origin", "sneak:ledger", fails=True)
    assert "moves forward" in desk.git("push", "--force", "origin", "origin/main:refs/heads/ledger", fails=True)
    desk.git("checkout", "-q", "-f", "main")
    (desk.clone / "README.md").write_text("# better\n")
    (desk.clone / "params.yaml").write_text("x: 1\n")
    desk.git("add", "-A")
    desk.git("commit", "-q", "-m", "Two classes")
    assert "several classes" in desk.git("push", "origin", "main", fails=True)
    desk.git("reset", "-q", "--hard", "origin/main")
    (desk.clone / "README.md").write_text("# better\n")
    desk.git("commit", "-q", "-a", "-m", "Docs need nobody")
    desk.git("push", "-q", "origin", "main")


def test_a_benchmark_change_needs_its_owner(desk: Desk) -> None:
    desk.git("checkout", "-q", "-B", "harder", "origin/main")
    (desk.clone / "rubrics" / "label.yaml").write_text("id: label\n# harder\n")
    desk.git("commit", "-q", "-a", "-m", "A harder rubric")
    desk.git("push", "-q", "origin", "harder")
    assert "nobody signed the proposal" in desk.merge("harder", fails=True)
    desk.hallmark("propose", "--branch", "harder", "--key", desk.key("dave"))
    desk.hallmark("approve", "harder", "--key", desk.key("dave"), "--yes", code=1)
    desk.hallmark("approve", "harder", "--key", desk.key("alice"), "--yes")
    desk.merge("harder")
