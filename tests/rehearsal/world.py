"""What a rehearsal plays with: people and machines with their keys, a bare origin behind the real gate, a forge."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.demo import MACHINES, PEOPLE, environment, new_keys
from runner.edges.forge_files import SOURCES, forge_files
from runner.records.cluster import Cluster
from runner.records.params import Params
from runner.records.scenario import SetName
from runner.rules.repository.benchmark import locked
from runner.wiring import flywheel
from tests import desk_repository
from tests.acceptance.small import GATE, VALIDATION
from tests.desk_repository import said
from tests.flywheel_fixture import fixture
from tests.rehearsal.environments import Environments, Installed, Prebuilt
from tests.rehearsal.forge import Forge
from tests.rehearsal.job import Machine
from tests.rehearsal.server import guard

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
REPOSITORY = "example/desk"
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
TRIGGERS = {"triggers": [{"kind": "age", "days": 7}]}
ENTER = {"stages": {"enter": "production"}}
"""Nobody serves the simulated adapter, so there is no traffic to wait for."""
LATER = """
import contextlib
from datetime import UTC, datetime, timedelta

with contextlib.suppress(ImportError):
    from runner.edges import clock

    clock.now = lambda: clock.written(datetime.now(UTC) + timedelta(days={days}))
"""
HALLMARK = """#!/bin/sh
exec env PYTHONPATH={root} {python} -P -m tests.rehearsal.simulated "$@"
"""
PYTHON = """#!/bin/sh
# A Python whose environments and installs are made already.
case "$1 $2" in
'-m venv') for made in "$@"; do :; done; mkdir -p "$made/bin"; echo 'PATH={bin}:$PATH' > "$made/bin/activate" ;;
'-m pip') echo 'not run: the rehearsal brings an environment that has it' ;;
*) exec {python} -P "$@" ;;
esac
"""


class Said(NamedTuple):
    """How a command ended."""

    code: int
    text: str


class World:
    """`seed` fills the work tree `home/seed` with a cluster's files; `hallmark` is the program that people type."""

    def __init__(self, home: Path, cluster: str, *, hallmark: Path, environments: Environments) -> None:
        self.home, self.cluster, self.hallmark = home, cluster, hallmark
        self.keys, self.store, self.origin, self.seed = (
            home / name for name in ("keys", "store", "origin.git", "seed")
        )
        self.environments = environments
        self._clones = threading.Lock()
        self.root = ""

    def begin(self, seed: Callable[[World], None], *, say: Callable[[str], None] = print) -> Forge:
        """Keys, the first tree with its policy and workflows, the origin with the gate as its hook, and the forge."""
        new_keys(self.keys, (*PEOPLE, *MACHINES))
        self.seed.mkdir()
        self._policy()
        seed(self)
        self.root = flywheel.root_of_trust(self.seed)
        self._commit()
        options = ["--root", self.root, "--store", str(self.store)]
        self.run("hallmark", "hook", "install", str(self.origin), *options, cwd=self.home)
        guard(self.origin)
        self.forge = Forge(
            self.home,
            self.origin,
            self._machines(),
            self.environments,
            variables={"HALLMARK_ROOT": self.root},
            say=say,
        )
        return self.forge

    def _policy(self) -> None:
        people = [
            part for name, roles in PEOPLE.items() for part in ("--person", f"{name}={self.keys / name}.pub:{roles}")
        ]
        machines = [part for name in MACHINES for part in (f"--{name}", f"{name}={self.keys / name}.pub")]
        self.run("hallmark", "policy", "init", "--repository", REPOSITORY, *people, *machines, cwd=self.seed)

    def _commit(self) -> None:
        if not self.origin.exists():
            subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.origin)], check=True)
        self.run("git", "add", "--all", cwd=self.seed)
        self.run("git", "commit", "--quiet", "--message", "The first tree", cwd=self.seed)
        self.run("git", "push", "--quiet", str(self.origin), "HEAD:refs/heads/main", cwd=self.seed)

    def _machines(self) -> list[Machine]:
        """Each key on one kind of machine, and none on a hosted one (docs/ci.md)."""
        ci = {"HALLMARK_CI_KEY": str(self.keys / "ci"), **THREADS}
        gate = {"HALLMARK_GATE_KEY": str(self.keys / "gate"), **THREADS}
        said: list[tuple[str, Mapping[str, str]]] = [("gpu", ci), ("ci", ci), ("gate", gate)]
        return [Machine(frozenset({"self-hosted", "linux", label}), own) for label, own in said]

    # what people type

    def clone(self, person: str) -> Path:
        """A person's clone, up to date with main, over the forge."""
        target = self.home / "people" / person
        with self._clones:
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                self.run("git", "clone", "--quiet", self.forge.url(person), str(target), by=person, cwd=self.home)
        self.run("git", "fetch", "--quiet", "--prune", "--tags", "origin", by=person, cwd=target)
        self.run("git", "checkout", "--quiet", "--force", "-B", "main", "origin/main", by=person, cwd=target)
        return target

    def run(self, *words: str, by: str = "rowan", cwd: Path | None = None, check: bool = True) -> Said:
        """A command in a person's clone, or at `cwd`. Raises where it fails, unless that is to be looked at."""
        command = [str(self.hallmark), *words[1:]] if words[0] == "hallmark" else list(words)
        done = subprocess.run(
            command,
            cwd=cwd or self.home / "people" / by,
            env=self._environment(by),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        told = Said(done.returncode, done.stdout + done.stderr)
        if check and done.returncode:
            raise RuntimeError(f"{by}: {' '.join(words)} exited {told.code}: {told.text}")
        return told

    def _environment(self, person: str) -> dict[str, str]:
        own = {name: value for name, value in environment(person).items() if not name.startswith("HALLMARK_")}
        return {**own, **THREADS}

    def later(self, *, days: int) -> dict[str, str]:
        """The environment of a machine whose clock is so far ahead, for the one function that asks Hallmark's clock."""
        folder = self.home / "later"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(LATER.format(days=days))
        return {"PYTHONPATH": str(folder)}

    def key(self, person: str) -> list[str]:
        return ["--key", str(self.keys / person)]


def simulated(home: Path) -> World:
    """The small desk of the tests, with models in memory: everything else is real."""
    home.mkdir(parents=True, exist_ok=True)
    folder = home / "bin"
    folder.mkdir()
    for name, text in (("hallmark", HALLMARK), ("python", PYTHON)):
        (folder / name).write_text(text.format(root=ROOT, python=sys.executable, bin=folder))
        (folder / name).chmod(0o755)
    return World(home, "desk", hallmark=folder / "hallmark", environments=Prebuilt(folder / "python"))


def small_desk(world: World, **changes: Any) -> None:
    """Reviewed files of the simulated cluster, with held-out alone frozen, and the workflows as `hallmark init` writes
    them."""
    _workflows(world, forge_files("github"))
    asked = {"triage": {"required": "all", "signed": True}, **TRIGGERS, **ENTER, **changes}
    world.run("git", "init", "--quiet", "--initial-branch=main", cwd=world.seed)  # which may lie inside this one
    desk_repository.seed(world.seed, remote=str(world.store), id=world.cluster, **asked)
    space, _ = fixture(id=world.cluster, **asked)
    lock = locked(space.scenarios, version=1, sets=(SetName.HELDOUT,))
    (world.seed / f"clusters/{world.cluster}/benchmark.lock").write_bytes(said(lock))


def _workflows(world: World, files: Mapping[str, bytes]) -> None:
    """As `hallmark` writes them, with a person for the team that owns scenarios: a job's token may not read teams."""
    for path, data in files.items():
        (world.seed / path).parent.mkdir(parents=True, exist_ok=True)
        (world.seed / path).write_bytes(data.replace(b"@hallmark/domain-owners", b"@rowan"))


def embedded(home: Path) -> World:
    """This project's own repository, program and embedded cluster included, and its workflows' real installs."""
    return World(home, "support-desk", hallmark=BIN / "hallmark", environments=Installed(home.parent / "environments"))


def whole_project(world: World) -> None:
    """The commit that is checked out here, with the cluster's data in a store of the rehearsal's own, and a trigger
    that has the cluster run again after a week."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--exclude=.dvc/embedded"], cwd=world.seed, input=archive, check=True)
    shutil.copytree(ROOT / ".dvc" / "embedded", world.store)
    _workflows(world, forge_files("github", install=SOURCES))
    cluster = world.seed / "clusters" / world.cluster / "cluster.yaml"
    cluster.write_text(cluster.read_text() + "triggers:\n  - kind: age\n    days: 7\n")
    config = f"[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = {world.store}\n"
    (world.seed / ".dvc" / "config").write_text(config)
    subprocess.run(["git", "init", "-q", "-b", "main", str(world.seed)], check=True)


def shortened(world: World) -> None:
    """The same with real models that are small and trained for seconds, and a gate that bears what they answer."""
    whole_project(world)
    home = world.seed / "clusters" / world.cluster / "cluster.yaml"
    cluster = flywheel.parse_record(home.read_bytes(), Cluster, path=home.name)
    loose = {"gate": GATE, "validation": VALIDATION, "human_floor": 0.0}
    home.write_bytes(said(Cluster.model_validate({**cluster.model_dump(mode="json", exclude_none=True), **loose})))
    problem = home.with_name("problem.md")
    problem.write_text(
        re.sub(r"(?m)^threshold: .*$", f"threshold: {GATE['thresholds']['composite']}", problem.read_text())
    )
    params = world.seed / "params.yaml"
    whole = flywheel.parse_record(params.read_bytes(), Params, path=params.name).clusters[world.cluster]
    changes = {
        "threads": 1,
        "base": whole.base.model_copy(update={"hidden": 64, "steps": (120,)}),
        "train": whole.train.model_copy(update={"epochs": 2}),
        "sweep": whole.sweep.model_copy(update={"synthetic": (0.0, 0.5), "seeds": 1}),
        "strength": whole.strength.model_copy(update={"strengths": (1.0,)}),
        "assess": whole.assess.model_copy(update={"resamples": 100}),
    }
    params.write_bytes(said(Params(clusters={world.cluster: whole.model_copy(update=changes)})))
