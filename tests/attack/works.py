"""The commands that write, each with the world that it starts from and a look at what it leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.edges.ledger_store import GitLedgerStore, entry_bytes
from runner.ledger import History, extend
from runner.records.ledger import EntryKind
from runner.wiring import flywheel
from tests import desk_repository
from tests.attack.struck import Blow, Command, Ended, Strike, run
from tests.attack.writers import next_entry
from tests.promotion_fixture import World


@dataclass
class Work:
    name: str
    make: Callable[[Path], None]
    """Makes the world that the command starts from, in an empty directory."""
    command: Command
    state: Callable[[Path], Any]
    """What is left that counts; raises `HallmarkError` where it does not hold together."""
    ledger: str = ""
    """Where below the world the ledger is."""
    scratch: Path | None = None

    @cached_property
    def fresh(self) -> Path:
        home = self._home("fresh")
        home.mkdir(parents=True)
        self.make(home)
        return home

    @cached_property
    def undisturbed(self) -> tuple[Any, Ended]:
        home = self.copy("undisturbed")
        ended = run(self.command, home)
        if ended.code:
            raise AssertionError(f"{self.name} fails undisturbed: {ended.said}")
        return self.state(home), ended

    def strikes(self, blow: Blow) -> list[Strike]:
        """Every pass of every point that the undisturbed command comes to."""
        passed = Counter(self.undisturbed[1].passed)
        return [Strike(blow, point, nth) for point, count in passed.items() for nth in range(1, count + 1)]

    def first_passes(self, blow: Blow) -> list[Strike]:
        """One strike a point. Points that the command comes to only once, in a fresh world, stand first."""
        passed = Counter(self.undisturbed[1].passed)
        return [Strike(blow, point) for point in sorted(passed, key=lambda point: passed[point] > 1)]

    def copy(self, name: str) -> Path:
        target = self._home(name)
        shutil.rmtree(target, ignore_errors=True)
        return Path(shutil.copytree(self.fresh, target, symlinks=True))

    def _home(self, name: str) -> Path:
        if self.scratch is None:
            raise AssertionError("no scratch directory was given")
        return self.scratch / self.name / name

    def entries(self, home: Path) -> list[bytes]:
        if not self.ledger:
            return []
        return [entry_bytes(entry) for entry in GitLedgerStore(home / self.ledger, remote=None).read("desk")]


# what is looked at


def chain(repository: Path) -> list[Any]:
    """The ledger's entries but for `measured`. Raises where the chain does not hold."""
    store = GitLedgerStore(repository, remote=None)
    entries = History.from_entries("desk", store.read("desk")).entries
    passed = [entry.phase for entry in entries if entry.kind is EntryKind.PHASE and entry.verdict.passed]
    if len(passed) != len(set(passed)):
        raise AssertionError(f"a phase passed twice: {passed}")
    return [entry.model_dump(mode="json", exclude={"measured"}) for entry in entries]


def git(where: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", str(where), *arguments], text=True).strip()


def trees(repository: Path) -> dict[str, str]:
    """Every ref and the tree that it holds: commits carry the time."""
    refs = git(repository, "for-each-ref", "--format=%(refname)").splitlines()
    return {ref: git(repository, "rev-parse", f"{ref}^{{tree}}") for ref in refs}


def files(top: Path) -> dict[str, bytes]:
    """Every file but git's, DVC's and Hallmark's own; what a write left beside its place counts."""
    skipped = {".git", ".hallmark", "tmp", "cache"}
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and skipped.isdisjoint(path.relative_to(top).parts)
    }


def stored(folder: Path) -> list[str]:
    """The names of what is in a DVC store; each is the digest of its bytes."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# the works


def _origin(home: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(home / "origin.git")], check=True)


def _append(home: Path) -> None:
    store = GitLedgerStore(home / "origin.git", remote=None)
    while extend(store, "desk", lambda history: next_entry(history) if history.size < 3 else None):
        pass


def _merged(home: Path) -> None:
    _proposed(home)
    world = World(home / "world")
    world.approve("alice", "bob")
    world.land(world.merge())


def _proposed(home: Path) -> None:
    world = World(home / "world")
    world.create()
    world.propose(world.staged(world.staging()), check=True)


def _reconcile(home: Path) -> list[str]:
    world = home / "world"
    key, store = world / "keys" / "gate", world / "storage"
    return ["reconcile", "-C", str(world / "origin.git"), "--key", str(key), "--store", str(store)]


def _staged(home: Path) -> None:
    world = World(home / "world")
    world.create()
    made = world.staged(world.staging())
    (home / "staged.json").write_text(json.dumps({path: data.hex() for path, data in made.items()}))


def _propose(home: Path) -> None:
    made = json.loads((home / "staged.json").read_text())
    world = World(home / "world")
    if world.git.resolve("refs/heads/promote/desk/1") is None:
        world.propose({path: bytes.fromhex(data) for path, data in made.items()}, check=True)


def _approve(home: Path) -> None:
    World(home / "world").approve("alice")


def _world(home: Path) -> dict[str, Any]:
    return {"refs": trees(home / "world" / "origin.git"), "ledger": chain(home / "world" / "origin.git")}


def _hook(home: Path) -> list[str]:
    key = home / "gate"
    key.touch()
    return ["hook", "install", str(home / "origin.git"), "--root", "0" * 64, "--key", str(key)]


def _hooks(home: Path) -> dict[str, Any]:
    hooks = home / "origin.git" / "hooks"
    names = ("pre-receive", "post-receive")
    left = [path.name for path in hooks.iterdir() if path.suffix != ".sample"]
    settings = git(home / "origin.git", "config", "--list", "--local").replace(str(home), "")
    written = {name: (hooks / name).read_text().replace(str(home), "") for name in names}
    return {"hooks": written, "names": sorted(left), "modes": [(hooks / name).stat().st_mode for name in names],
            "settings": sorted(settings.splitlines())}  # fmt: skip


ANSWERS = """\
policy:
  repository: acme/desk
  people:
    - {name: ash, key: ash.pub}
    - {name: hazel, key: hazel.pub}
    - {name: rowan, key: rowan.pub}
  ci: {name: ci, key: ci.pub}
  gate: {name: gate, key: gate.pub}
commit: true
"""
FIRST_CLUSTER = """\
cluster:
  id: dates
  source: instructlab
  files: [tidy_dates/qna.yaml]
  origin: human
"""
SKILL = Path(__file__).parent.parent / "assets/imports/taxonomy/compositional_skills/tidy_dates/qna.yaml"


def _answered(home: Path) -> None:
    """Keys, and answers that name them."""
    for name in ("ash", "hazel", "rowan", "ci", "gate"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(home / name)], check=True)
    (home / "answers.yaml").write_text(ANSWERS)


def _with_cluster(home: Path) -> None:
    _answered(home)
    (home / "answers.yaml").write_text(ANSWERS + FIRST_CLUSTER)
    (home / "tidy_dates").mkdir()
    shutil.copy(SKILL, home / "tidy_dates")


def _init(home: Path) -> list[str]:
    for role in ("AUTHOR", "COMMITTER"):
        os.environ |= {f"GIT_{role}_NAME": "ash", f"GIT_{role}_EMAIL": "ash@example.com"}
    return ["init", str(home / "desk"), "--answers", str(home / "answers.yaml")]


def _begun(home: Path) -> dict[str, Any]:
    desk = home / "desk"
    return {
        "files": files(desk),
        "main": git(desk, "rev-parse", "main^{tree}"),
        "status": git(desk, "status", "--porcelain"),
        "store": stored(home / "desk-store"),
    }


def _initialised(home: Path) -> None:
    flywheel.initialise(home / "desk", remote="../store")
    for part in ("base", "gold", "traffic", "core", "dev", "heldout"):
        rows = [f'"{part}, {number}: {label}?",{label}' for label in ("card lost", "refund") for number in (1, 2)]
        (home / f"{part}.csv").write_text("\n".join(["text,category", *rows]) + "\n")


def _import(home: Path) -> list[str]:
    parts = ("base", "gold", "traffic", "core", "dev", "heldout")
    named = [word for part in parts for word in (f"--{part}", str(home / f"{part}.csv"))]
    more = ["--label-column", "category", "--real-only", "0.5", "-C", str(home / "desk")]
    return ["import", "labelled", "--cluster", "bank", *named, *more]


def _workspace(home: Path) -> dict[str, Any]:
    return {"files": files(home / "desk"), "store": stored(home / "store")}


def _desk(home: Path) -> None:
    desk_repository.make(home)


def _replaced(home: Path) -> None:
    """New traces for a desk where another file stands in the place of its signals."""
    _desk(home)
    lines = [{"request": {"messages": [{"role": "user", "content": f"where is parcel {n}"}]}} for n in range(5)]
    (home / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (home / "desk" / "clusters" / "desk" / "data" / "signals.jsonl").write_text("somebody's own\n")


def _ingest(home: Path) -> list[str]:
    return ["ingest", "desk", str(home / "log.jsonl"), "-C", str(home / "desk")]


def _iterate(home: Path) -> list[str]:
    return ["iterate", "desk", "-C", str(home / "desk")]


def _iterated(home: Path) -> dict[str, Any]:
    origin, desk = home / "origin.git", home / "desk"
    (branch,) = git(origin, "branch", "--list", "runs/*", "--format=%(refname:short)").splitlines()
    return {
        "ledger": chain(origin),
        "commits": git(origin, "log", "--reverse", "--format=%s", f"main..{branch}").splitlines(),
        "main": git(origin, "rev-parse", "main^{tree}"),
        "pulls": git(origin, "branch", "--list", "drafts/*", "triage/*", "--format=%(refname:short)"),
        "checkout": git(desk, "status", "--porcelain"),
        "locks": [str(path) for path in home.rglob("*.lock") if ".git/" in f"{path}"],
        "parts": [str(path) for path in home.rglob(".*.part")],
        "store": stored(home / "store"),
    }


def works(scratch: Path) -> dict[str, Work]:
    made = (
        Work("append", _origin, _append, lambda home: {"ledger": chain(home / "origin.git")}, "origin.git"),
        Work("reconcile", _merged, _reconcile, _world, "world/origin.git"),
        Work("propose", _staged, _propose, _world, "world/origin.git"),
        Work("approve", _proposed, _approve, _world, "world/origin.git"),
        Work("hook", _origin, _hook, _hooks),
        Work("init", _answered, _init, _begun),
        Work("init with a cluster", _with_cluster, _init, _begun),
        Work("import", _initialised, _import, _workspace),
        Work("ingest", _replaced, _ingest, _workspace),
        Work("iterate", _desk, _iterate, _iterated, "origin.git"),
    )
    for work in made:
        work.scratch = scratch
    return {work.name: work for work in made}
