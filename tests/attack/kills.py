"""Kill every command that writes at every point that it comes to, run it again, and compare what it leaves.

A `Work` is a command with the world it starts from. What it leaves undisturbed is what it must leave after any blow:
the ledger's entries to the byte but for `measured`, refs, and files. Entries from before a blow are looked at right
after it, before anything could mend them.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runner import wiring
from runner.edges.ledger_store import GitLedgerStore, entry_bytes
from runner.ledger import History, extend
from runner.records.ledger import EntryKind
from tests import desk_repository
from tests.attack.ledger import Row
from tests.attack.struck import Blow, Command, Ended, Strike, run
from tests.attack.writers import next_entry
from tests.promotion_fixture import World

FULL = "No space left on device"
SAME, ENDED = "the same", "ended before"


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


def struck(work: Work, strike: Strike, home: Path, *, again: bool = True) -> Row:
    """Let one blow befall the command in the world `home`, then (or not yet) run it to its end and compare."""
    before = work.entries(home)
    ended = run(work.command, home, strike)
    problems = []
    if ended.code == 0:
        return Row(f"{work.name}: {strike}", SAME, ENDED, strike.point or "")
    wanted = -9 if strike.blow is Blow.KILL else 5
    if ended.code != wanted:
        problems.append(f"exit {ended.code}: {ended.said[-200:]}")
    if strike.blow is Blow.FULL and not (FULL in ended.said and "/" in ended.said):
        problems.append(f"names no file: {ended.said[-200:]}")
    if work.entries(home)[: len(before)] != before:
        problems.append("entries from before changed")
    if again and not problems:
        problems += finish(work, home)
    return Row(f"{work.name}: {strike}", SAME, "; ".join(problems) or SAME, strike.point or "")


def finish(work: Work, home: Path) -> list[str]:
    """Run the command again, undisturbed. How what it leaves differs from what it should leave."""
    ended = run(work.command, home)
    if ended.code:
        return [f"again: exit {ended.code}: {ended.said[-300:]}"]
    return differences(work, home)


def differences(work: Work, home: Path) -> list[str]:
    """How what the command has left differs from what it leaves undisturbed."""
    left, wanted = work.state(home), work.undisturbed[0]
    return [
        f"{key} differs: {left[key]!r:.150} and not {wanted[key]!r:.150}" for key in wanted if left[key] != wanted[key]
    ]


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
    world = _proposed(home)
    world.approve("alice", "bob")
    world.land(world.merge())


def _proposed(home: Path) -> World:
    world = World(home / "world")
    world.create()
    world.propose(world.staged(world.staging()), check=True)
    return world


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


def _init(home: Path) -> list[str]:
    return ["init", str(home / "desk")]


def _initialised(home: Path) -> None:
    wiring.initialise(home / "desk", remote="../store")
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
        Work("approve", lambda home: void(_proposed(home)), _approve, _world, "world/origin.git"),
        Work("hook", _origin, _hook, _hooks),
        Work("init", lambda home: None, _init, lambda home: {"files": files(home / "desk")}),
        Work("import", _initialised, _import, _workspace),
        Work("ingest", _desk, _ingest, _workspace),
        Work("iterate", desk_repository_world, _iterate, _iterated, "origin.git"),
    )
    for work in made:
        work.scratch = scratch
    return {work.name: work for work in made}


def void(_: object) -> None:
    """Drops what a maker hands back."""


def desk_repository_world(home: Path) -> None:
    desk_repository.make(home)


def each_point_once(work: Work, blow: Blow) -> list[Row]:
    """The command struck at the first pass of each point, each time in a world of its own."""
    return [struck(work, one, work.copy("struck")) for one in work.first_passes(blow)]


def in_a_chain(work: Work, strikes: Sequence[Strike]) -> list[Row]:
    """One world, struck again and again: each command takes up what the one before left. At its end all is compared.

    A command that ends before its blow comes ends the chain.
    """
    home, rows = work.copy("chain"), list[Row]()
    for one in strikes:
        rows.append(struck(work, one, home, again=False))
        if rows[-1].got == ENDED:
            rows.pop()
            break
    problems = finish(work, home)
    return [*rows, Row(f"{work.name}: after {len(rows)} blows", SAME, "; ".join(problems) or SAME, "")]


def kills(seed: int, count: int) -> list[Row]:
    """`count` kills: two thirds at points drawn from every command but `iterate`, the rest in chains of that one, each
    chain with a row of its own for its end."""
    rng, rows = random.Random(seed), list[Row]()
    with tempfile.TemporaryDirectory(prefix="hallmark-kills-") as folder:
        every = works(Path(folder))
        turn = every.pop("iterate")
        light = [(work, one) for work in every.values() for one in work.strikes(Blow.KILL)]
        for work, one in rng.choices(light, k=count - count // 3):
            rows.append(struck(work, one, work.copy("struck")))
        first = turn.first_passes(Blow.KILL)
        while (left := count - struck_rows(rows)) > 0:
            drawn = set(rng.sample(first, min(left, 16)))
            rows += in_a_chain(turn, [one for one in first if one in drawn])
    return rows


def struck_rows(rows: Sequence[Row]) -> int:
    """How many of the rows are blows; the others are the ends of chains."""
    return sum(bool(row.step) for row in rows)
