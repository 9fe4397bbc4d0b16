"""The repository that is attacked, and its judges: `hallmark gate`, a bare server's hook, `hallmark verify`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from runner.edges.hook_files import install
from runner.promotion.rollback import rollback_to
from tests.attack.case import Expected, Finding
from tests.promotion_fixture import World

PROGRAM = "from runner.cli.main import main; main()"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
REVOKED = b"# Keys that no longer count, one a line; adapters by `# sha256:<digest>`.\n"
_REASON = re.compile(r"^remote: {3}(\S[^:]*): (.*?)\s*$", re.MULTILINE)


def clock(**later: float) -> str:
    """The time now, or some days, hours or seconds later. A minute is taken off, so that what is signed holds now."""
    return (datetime.now(UTC) - timedelta(minutes=1) + timedelta(**later)).strftime(FORMAT)


@dataclass
class Desk(World):
    """A governed repository in the real present, because the gate goes by the machine's clock."""

    expires: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.expires = self.expires or clock(days=180)

    def policy(self, **changes: Any) -> dict[str, bytes]:
        return super().policy(**{"expires": self.expires, "revoked": REVOKED, **changes})

    def create(self) -> None:
        super().create()
        self.storage.mkdir(exist_ok=True)
        self.git.run("config", "core.fsync", "none")
        for sample in (self.origin / "hooks").iterdir():
            sample.unlink()

    @property
    def storage(self) -> Path:
        """Where DVC keeps the adapters: what the gate fetches."""
        return self.path / "storage"

    def hallmark(self, *arguments: str, where: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-c", PROGRAM, *arguments]
        return subprocess.run(command, cwd=where or self.path, capture_output=True, text=True, check=False)

    # the judges

    def gate(self, new: str, *, old: str = "") -> Finding:
        """`hallmark gate OLD NEW`: main may be moved by whoever asks it."""
        place = ("-C", str(self.origin), "--store", str(self.storage))
        return finding(self.hallmark("gate", old or self.main, new, *place, "--json"))

    def push(self, refs: Mapping[str, str], *, root: str = "") -> Finding:
        """Push objects to refs (an empty object deletes) from another repository, by force, past the real hook."""
        sender = self.path / "sender.git"
        shutil.copytree(self.origin, sender)
        self.git.close()
        self.git.run("prune", "--expire=now")
        install(self.origin, python=sys.executable, root=root or self.root_sha256, key=None, store=self.storage)
        specs = [f"{oid}:{ref}" for ref, oid in refs.items()]
        command = ["git", "push", "--quiet", "--force", str(self.origin), *specs]
        done = subprocess.run(command, cwd=sender, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Finding(Expected.PASS)
        reasons = tuple(_REASON.findall(done.stderr))
        if "hallmark refuses" in done.stderr and reasons:
            return Finding(Expected.REFUSE, reasons)
        return Finding(Expected.COULD_NOT, (("", done.stderr),))

    def verify(
        self, *, root: str = "", named: str | None = None, prepare: Callable[[Path], None] | None = None
    ) -> Finding:
        """`hallmark verify --root` in a fresh clone, which `prepare` may have got at before."""
        clone = self.path / "clone"
        subprocess.run(["git", "clone", "--quiet", str(self.origin), str(clone)], check=True, capture_output=True)
        if prepare:
            prepare(clone)
        return finding(self.hallmark("verify", "--root", root or self.root_sha256, "--json", where=clone), named=named)

    # honest work

    def promote(self, sequence: int = 1) -> str:
        """Merge what was approved and write its receipt and tag, as a server with the hooks does."""
        new = self.merge(sequence=sequence)
        self.land(new)
        self.reconcile(now=self.now)
        return new

    def next_promotion(self, iteration: str, sequence: int) -> str:
        self.propose(self.staged(self.staging(iteration)), sequence=sequence, check=True)
        self.approve("alice", "carol", sequence=sequence)
        return self.promote(sequence)

    def rollback(self, to: int, *, sequence: int = 3) -> None:
        """Propose a rollback; nobody has signed it yet."""
        staging = rollback_to(self.sources(), self.main, "desk", to, why="refunds are misrouted")
        self.propose(self.staged(staging), sequence=sequence)

    def copy(self, path: Path) -> Desk:
        shutil.copytree(self.path, path, symlinks=True)
        return type(self)(path, self.now, dict(self.records), expires=self.expires)


def finding(done: subprocess.CompletedProcess[str], *, named: str | None = None) -> Finding:
    """The answer of a command that was asked for `--json`."""
    if done.returncode in (0, 1) and done.stdout:
        told = json.loads(done.stdout)
        reasons = tuple((reason["step"], reason["problem"]) for reason in told["reasons"])
        commit = told.get("commit", "")
        return Finding(Expected(told["outcome"]), reasons, commit, named)
    kinds = {1: Expected.REFUSE, 5: Expected.COULD_NOT}
    if done.returncode not in kinds:
        raise AssertionError(f"hallmark ended with {done.returncode}:\n{done.stderr}")
    return Finding(kinds[done.returncode], (("unreadable", done.stderr.strip()),), named=named)


def _root(desk: Desk) -> None:
    desk.create()
    staging = desk.staging()
    desk.records["staging"], desk.records["files"] = staging, desk.staged(staging)


def _approved(desk: Desk) -> None:
    _root(desk)
    desk.propose(desk.records["files"], check=True)
    desk.approve("alice", "bob")


def _promoted(desk: Desk) -> None:
    _approved(desk)
    desk.promote()


def _twice(desk: Desk) -> None:
    _promoted(desk)
    desk.next_promotion("it-2", 2)


class Start(NamedTuple):
    """Where a case begins."""

    make: Callable[[Desk], None]
    kind: type[Desk] = Desk


STARTS: dict[str, Start] = {
    "root": Start(_root),
    "approved": Start(_approved),
    "promoted": Start(_promoted),
    "twice": Start(_twice),
}
"""Nothing proposed; the first promotion approved; merged; and a second one merged after it."""


def make_starts(folder: Path, starts: Mapping[str, Start]) -> dict[str, Desk]:
    """Each start once, packed, so that a case's copy is a handful of files."""
    made = {}
    for name, start in sorted(starts.items()):
        desk = start.kind(folder / name, clock())
        start.make(desk)
        desk.git.run("gc", "--quiet")
        desk.git.close()
        made[name] = desk
    return made
