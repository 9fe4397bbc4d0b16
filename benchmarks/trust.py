"""What trust costs: the gate on a push, offline verification, a question to the registry, a signature.

    python -m benchmarks.trust [--promotions 300] [--files 3000] [--runs 40] [--json FILE]

Builds two servers with real keys, real git and real ssh-keygen: one with so many governed files and a promotion to
push, one with so many promotions. Each figure stands beside a floor or a peer of the same run, so that the machine's
load meets both, and beside the processor time it took, children's with it, which load spoils least. Goals are on the
wall clock. Adapters are a few bytes: the bytes of models are left out. It reports and does not judge: the exit
code is 0 either way, since a busy machine is no defect of the program.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runner.edges import yaml_files
from runner.edges.signing import SshSigner, SshVerifier
from runner.ports_promotion import Keys
from runner.records.statement import PAYLOAD_TYPE, Namespace
from runner.wiring import promotion
from tests.promotion_fixture import NOW, World
from tests.promotion_history import LongWorld, sizes

HALLMARK = str(Path(sys.executable).with_name("hallmark"))
SETS = {"core": 0.4, "heldout": 0.4, "representative": 0.2}
SCENARIOS = 100
"""Of the cluster with the long history: each promotion's evidence grades every one of them."""
MAIN, NEXT = "refs/heads/main", "refs/heads/next"


class Figure(NamedTuple):
    """One line of the report, in milliseconds. Without a goal it is a floor or a peer."""

    name: str
    p50: float
    p95: float
    cpu: float
    """The median of user and system time, of the process and its children."""
    goal: float = 0.0
    on: str = "p50"

    @property
    def reached(self) -> bool:
        return self.judged < self.goal

    @property
    def judged(self) -> float:
        """The percentile that the goal is on."""
        return self.p95 if self.on == "p95" else self.p50

    def line(self) -> str:
        text = f"{self.name:<62} {self.p50:9.1f} {self.p95:9.1f} {self.cpu:9.1f}"
        if not self.goal:
            return text
        times = self.judged / self.goal
        return f"{text}   {self.on} < {self.goal:g}: {'reached' if self.reached else f'NOT REACHED ({times:.2f}x)'}"


class Times(NamedTuple):
    """Seconds of several runs of one work."""

    wall: list[float]
    cpu: list[float]


def figure(name: str, times: Times, *, each: int = 1, goal: float = 0.0, on: str = "p50") -> Figure:
    """`times` of several runs over `each` things."""
    ordered = sorted(1000 * one / each for one in times.wall)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    cpu = 1000 * statistics.median(times.cpu) / each
    return Figure(name, round(statistics.median(ordered), 2), round(p95, 2), round(cpu, 2), goal, on)


def process(*arguments: str, cwd: Path | None = None, stdin: str = "") -> Callable[[], str]:
    """A process to its end. Raises `RuntimeError` with what it said where it fails."""

    def run() -> str:
        done = subprocess.run(arguments, cwd=cwd, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    return run


def side_by_side(runs: int, *works: Callable[[], object], after: Callable[[], object] | None = None) -> list[Times]:
    """`runs` runs of each, in turns; one of each comes first and is not counted."""
    times = [Times([], []) for _ in works]
    for turn in range(runs + 1):
        for work, kept in zip(works, times, strict=True):
            started, spent = time.perf_counter(), _processor_time()
            work()
            if turn:
                kept.wall.append(time.perf_counter() - started)
                kept.cpu.append(_processor_time() - spent)
        if after is not None:
            after()
    return times


def _processor_time() -> float:
    """Seconds that this process and its ended children have spent, in user and system mode."""
    spent = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def split(count: int) -> dict[str, int]:
    return {name: round(share * count) for name, share in SETS.items()}


def gate(path: Path, *, files: int, before: int, runs: int) -> list[Figure]:
    """The hook on the push of a promotion, hand-off and drill included, to a server with `files` scenarios and `before`
    promotions: where another push was shortly before, and where none was. Of the first, processor time is only what the
    hook itself takes: the rest is taken by the process that stays, which is nobody's child."""
    clone, plain = path / "clone", path / "plain.git"
    with sizes(split(files)):
        world, old, new = _proposed(path / "world", before=before)
    git = str(world.origin)
    process("git", "clone", "-q", "--no-local", git, str(clone))()
    process("git", "fetch", "-q", git, NEXT, cwd=clone)()
    process("git", "update-ref", "--stdin", cwd=world.origin, stdin=f"delete {NEXT}\n")()
    back = process("git", "update-ref", MAIN, old, cwd=world.origin)
    process("git", "repack", "-a", "-d", "-q", cwd=world.origin)()
    process("git", "prune", cwd=world.origin)()
    process("git", "clone", "-q", "--mirror", "--no-local", git, str(plain))()
    storage = str(world.path / "storage")
    process(HALLMARK, "hook", "install", git, "--root", world.root_sha256, "--store", storage)()

    def both_back() -> None:
        back()
        process("git", "update-ref", MAIN, old, cwd=plain)()

    push = ("git", "push", "-q")
    pushed, floor = side_by_side(
        runs,
        process(*push, git, f"{new}:{MAIN}", cwd=clone),
        process(*push, str(plain), f"{new}:{MAIN}", cwd=clone),
        after=both_back,
    )
    process(HALLMARK, "hook", "install", str(plain), "--root", world.root_sha256, "--store", storage, "--no-resident")()
    hooks = [
        process(str(server / "hooks" / "pre-receive"), cwd=server, stdin=f"{old} {new} {MAIN}\n")
        for server in (world.origin, plain)
    ]
    start = process(sys.executable, "-I", "-c", "import pydantic, yaml, click")
    stays, alone, libraries = side_by_side(runs, *hooks, start)
    said = f"{files} governed files" + (f", {before} promotions" if before else "")
    goal = 0.0 if before else 300.0
    return [
        figure(f"gate on a push, {said}: the hook", stays, goal=goal, on="p95"),
        figure("  the first push in 15 minutes: no process stays", alone),
        figure("  floor of that: python, pydantic, yaml and click start", libraries),
        figure("  git push end to end, with the hook", pushed),
        figure("  floor: git push without a hook", floor),
    ]


def _proposed(path: Path, *, before: int) -> tuple[World, str, str]:
    """A server with so many promotions, its main, and the merge of the next one, which `NEXT` names."""
    long = LongWorld(path)
    long.create()
    if before:
        long.promote(before)
        process("git", "update-ref", "-d", "refs/heads/promote/desk", cwd=long.origin)()
    world, sequence = World(path), before + 1
    world.propose(world.staged(world.staging(f"it-{sequence}")), sequence=sequence)
    world.approve("alice", "bob", sequence=sequence)
    new = world.merge(sequence=sequence)
    process("git", "update-ref", NEXT, new, cwd=world.origin)()
    return world, world.main, new


def history(path: Path, *, promotions: int, runs: int) -> list[Figure]:
    """Offline verification of a fresh clone, and the question which adapter stands where."""
    world, clone = LongWorld(path / "world"), path / "clone"
    with sizes(split(SCENARIOS)):
        world.create()
        world.promote(promotions)
    process("git", "clone", "-q", "--no-local", str(world.origin), str(clone))()
    check = process(HALLMARK, "verify", "--root", world.root_sha256, "-C", str(clone))
    walk = process("git", "log", "--first-parent", "--raw", "--format=%H", "origin/main", cwd=clone)
    verified, walked = side_by_side(max(2, runs // 10), check, walk)
    room = promotion.room(clone, with_bytes=False)
    tip = room.tip(MAIN) or ""
    sources = room.offline()
    asked, scanned = side_by_side(
        runs,
        lambda: sources.promotions(tip, "desk"),
        process("git", "ls-tree", "origin/main:clusters/desk/promotions", cwd=clone),
    )
    cold, _ = side_by_side(max(2, runs // 10), lambda: _fresh(clone, tip), lambda: None)
    return [
        figure(f"verify a fresh clone, {promotions} promotions: each", verified, each=promotions, goal=50),
        figure("  peer: git log --raw of main, each promotion", walked, each=promotions),
        figure(f"registry query, {promotions} promotions, in a running process", asked, goal=50),
        figure("  the first query of a process (all records parsed)", cold),
        figure("  peer: git ls-tree of the promotions", scanned),
    ]


def _fresh(clone: Path, tip: str) -> int:
    yaml_files._parse.cache_clear()
    return len(promotion.room(clone, with_bytes=False).offline().promotions(tip, "desk"))


def signatures(path: Path, *, runs: int) -> list[Figure]:
    """One statement of 4 KB: signed and verified through DSSE, beside ssh-keygen's own runs."""
    key, payload = path / "key", os.urandom(2048).hex().encode()
    process("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f", str(key))()
    signer, space = SshSigner(key), Namespace.APPROVAL
    allowed = f'alice namespaces="{space}" {signer.public_key}\n'.encode()
    (path / "allowed").write_bytes(allowed)
    keys = Keys(allowed, b"")
    message, signature = path / "message", path / "message.sig"
    message.write_bytes(payload)

    def ours() -> None:
        envelope = signer.sign(payload, payload_type=PAYLOAD_TYPE, namespace=space)
        SshVerifier().open(envelope, payload_type=PAYLOAD_TYPE, namespace=space, person="alice", keys=keys, at=NOW)

    def bare() -> None:
        signature.unlink(missing_ok=True)
        process("ssh-keygen", "-q", "-Y", "sign", "-n", space, "-f", str(key), str(message))()
        arguments = ("-f", str(path / "allowed"), "-I", "alice", "-n", space, "-s", str(signature))
        process("ssh-keygen", "-Y", "verify", *arguments, stdin=payload.decode())()

    made, floor = side_by_side(runs, ours, bare)
    return [
        figure("sign and verify one statement", made, goal=20),
        figure("  floor: ssh-keygen -Y sign and -Y verify", floor),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promotions", type=int, default=300)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runs, found = int(arguments.runs), []
    load = f"(load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores)"
    print(f"{'milliseconds':<62} {'p50':>9} {'p95':>9} {'cpu':>9}   goal   {load}")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        os.environ["XDG_RUNTIME_DIR"] = folder  # the process that stays goes when the folder does
        (top / "sign").mkdir()
        late = max(5, runs // 4)
        parts: tuple[Callable[[], list[Figure]], ...] = (
            lambda: [figure("python -c pass", side_by_side(runs, process(sys.executable, "-c", "pass"))[0])],
            lambda: [figure("git --version", side_by_side(runs, process("git", "--version"))[0])],
            lambda: signatures(top / "sign", runs=runs),
            lambda: gate(top / "gate", files=arguments.files, before=0, runs=runs),
            lambda: history(top / "history", promotions=arguments.promotions, runs=runs),
            lambda: gate(top / "late", files=SCENARIOS, before=arguments.promotions, runs=late),
        )
        for part in parts:
            for one in part():
                print(one.line(), flush=True)
                found.append(one)
    missed = [one.name.strip() for one in found if one.goal and not one.reached]
    print(
        f"load at the end {os.getloadavg()[0]:.1f}; "
        + (f"not reached: {'; '.join(missed)}" if missed else "all reached")
    )
    if arguments.json:
        arguments.json.write_text(json.dumps([one._asdict() for one in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
