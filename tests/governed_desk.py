"""The small desk under a policy: a bare origin that the gate guards, real keys in everybody's own home, and the
flywheel with simulated models, so that every command of the promotion runs as people type it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.flywheel import Standing, iterate
from runner.wiring.flywheel import root_of_trust
from tests.desk_repository import flow, git, make

BIN = Path(sys.executable).parent
PEOPLE = {"ash": "approver,maintainer", "hazel": "approver,maintainer", "rowan": "benchmark-owner"}
MACHINES = ("ci", "gate")
SSH_KEY = Path(".ssh") / "id_ed25519"


class GovernedDesk:
    """The world in the directory `home`. `make` makes it; a copy of one that was made is a world of its own."""

    def __init__(self, home: Path, cluster: str, roles: Mapping[str, str] = PEOPLE) -> None:
        self.home, self.cluster, self.roles = home, cluster, roles
        self.origin, self.desk, self.people = home / "origin.git", home / "desk", home / "people"

    def key(self, person: str) -> Path:
        return self.people / person / SSH_KEY

    def make(self, **changes: Any) -> GovernedDesk:
        """The first tree, policy included, pushed; then the hook. `changes` go into cluster.yaml."""
        for name in (*self.roles, *MACHINES, "mallory"):
            self.key(name).parent.mkdir(parents=True)
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.key(name))]
            subprocess.run(command, check=True)
        self.desk.mkdir()
        people = [
            part for name, roles in self.roles.items() for part in ("--person", f"{name}={self.key(name)}.pub:{roles}")
        ]
        machines = [part for name in MACHINES for part in (f"--{name}", f"{name}={self.key(name)}.pub")]
        self.run("hallmark", "policy", "init", "--repository", "example/desk", *people, *machines)
        make(self.home, id=self.cluster, **changes)
        self.install_hook()
        return self

    def install_hook(self) -> None:
        """The gate on the origin; its paths are this world's own."""
        options = ["--root", self.root, "--key", str(self.key("gate")), "--store", str(self.home / "store")]
        self.run("hallmark", "hook", "install", str(self.origin), *options)

    def copy(self, target: Path) -> GovernedDesk:
        other = GovernedDesk(Path(shutil.copytree(self.home, target, symlinks=True)), self.cluster, self.roles)
        other.install_hook()
        return other

    @property
    def root(self) -> str:
        """What `verify --root` asks for."""
        return root_of_trust(self.desk)

    def environment(self, person: str = "rowan", **more: str) -> dict[str, str]:
        """A person's own home and identity, nobody's git configuration, and this project's commands. CI's names its
        key."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "HALLMARK_"))}
        who = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", person), ("EMAIL", f"{person}@example.com"))
        }
        own = {"HOME": str(self.people / person), "PATH": f"{BIN}:{os.environ['PATH']}"}
        if person == "ci":
            own["HALLMARK_CI_KEY"] = str(self.key("ci"))
        return {**kept, **who, **own, "GIT_CONFIG_GLOBAL": os.devnull, **more}

    def run(self, *words: str, by: str = "rowan", code: int = 0, cwd: Path | None = None, **more: str) -> str:
        """What a command says. `more` goes into its environment."""
        done = subprocess.run(
            words,
            cwd=cwd or self.desk,
            env=self.environment(by, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{' '.join(words)} exited {done.returncode}: {said}"
        return said

    def propose(self) -> None:
        """As CI proposes."""
        self.run("hallmark", "propose", self.cluster, by="ci")

    def approve(self, *people: str) -> None:
        """Approvals of the first promotion; the clone knows its branch afterwards."""
        for person in people:
            self.run("hallmark", "approve", f"{self.cluster}/1", "--key", str(self.key(person)), "--yes", by=person)
        self.run("git", "fetch", "--quiet", "origin")

    def turn(self) -> Standing:
        """One turn of the flywheel, as CI does it, with simulated models."""
        git(self.desk, "pull", "--quiet", "--ff-only", "origin", "main")
        return iterate(flow(self.desk, self.cluster))

    def merge(self) -> None:
        """Merge the first promotion and push main through the gate."""
        self.merge_here()
        self.push()

    def merge_here(self) -> None:
        self.run("git", "fetch", "--quiet", "origin")
        self.run("git", "merge", "--quiet", "--no-ff", "--message", "Merge", f"origin/promote/{self.cluster}/1")

    def push(self) -> None:
        """Main, and then what the gate has written after it."""
        self.run("git", "push", "--quiet", "origin", "main")
        self.run("git", "fetch", "--quiet", "--tags", "origin")
