"""What the hook's second process reads, and that it neither outlives the hook nor answers for another file."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from runner.edges import signing
from runner.edges.git import GitObjects
from runner.promotion.gather import Step
from runner.promotion.judge import judge
from runner.promotion.sources import LEDGER
from runner.promotion.updates import MAIN
from runner.wiring.gate import bare
from runner.wiring.hook import read_ahead
from tests.promotion_fixture import NOW, World
from tests.promotion_history import LongWorld

LEAVES = """
import os
from runner.edges.aside import Aside
Aside(lambda: b"x" * 1_000_000)
os._exit(0)
"""


def test_what_nobody_asks_for_keeps_no_push_waiting() -> None:
    """The pipes close only when both processes have ended: what a server waits for before it answers a push."""
    subprocess.run([sys.executable, "-c", LEAVES], capture_output=True, check=True, timeout=20)


def test_an_answer_is_given_again_where_nothing_could_be_read(tmp_path: Path) -> None:
    """A base that holds a scenario which cannot be read is asked about by more than one step of the gate."""
    ahead = read_ahead(tmp_path, old="1" * 40, new="2" * 40, at=NOW)
    assert [ahead.scenarios(), ahead.scenarios(), ahead.git(), ahead.signatures()] == [{}, {}, {}, {}]


def test_what_the_second_process_asked_is_what_git_says(tmp_path: Path) -> None:
    """Branches, one of them with a name that is no UTF-8, and the commits that a merge brings."""
    world = World(tmp_path / "world")
    world.create()
    old = world.main
    work = [world.git.commit_files([old], {"clusters/desk/problem.md": b"%d" % n}, f"{n}\n") for n in range(2)]
    new = world.git.commit_files([old, work[0]], {"clusters/desk/problem.md": b"0"}, "Merge\n")
    names = (b"promote/desk/1", b"odd-\xff")
    refs = b"".join(b"create refs/heads/%s %s\n" % (name, work[1].encode()) for name in names)
    subprocess.run(["git", "update-ref", "--stdin"], cwd=world.origin, input=refs, check=True)
    said = read_ahead(world.origin, old=old, new=new, at=NOW).git()
    with GitObjects(world.origin) as alone, GitObjects(tmp_path, asked=lambda: said) as told:  # no repository
        assert told.incoming(old, new) == alone.incoming(old, new) == (work[0],)
        assert told.resolve(LEDGER) == alone.resolve(LEDGER)
        assert told.refs("refs/heads/") == alone.refs("refs/heads/")
        assert "refs/heads/odd-\udcff" in told.refs("refs/heads/")


def test_what_ssh_keygen_told_the_second_process_is_not_asked_again(tmp_path: Path, monkeypatch) -> None:
    world = LongWorld(tmp_path / "world")
    world.create()
    world.promote(1)
    new, at, storage = world.main, NOW, world.path / "storage"
    with GitObjects(world.origin) as objects:
        old = objects.commit(new).parents[0]
    ahead = read_ahead(world.origin, old=old, new=new, at=at)
    told = dict(ahead.signatures())
    assert len(told) >= 3, "the proposal, an approval and CI's attestation"
    assert set(told.values()) == {""}
    with closing(bare(world.origin, store=storage, asked=ahead.git, answered=lambda: told)) as room:
        monkeypatch.setattr(signing, "_start", None)
        verdict = judge(room.pushed(MAIN, new, ahead=ahead.scenarios), Step(old, new, at)).verdict
    assert [one for one in verdict.reasons if one.step.startswith(("6.2", "7"))] == []
    with closing(
        bare(world.origin, store=storage, answered=lambda: dict.fromkeys(told, "is not signed by anybody"))
    ) as room:
        verdict = judge(room.pushed(MAIN, new), Step(old, new, at)).verdict
    assert sum("is not signed by anybody" in one.problem for one in verdict.reasons) == len(told)


def test_what_is_worked_out_beside_the_judgement_is_what_it_would_say(tmp_path: Path) -> None:
    """Step 6.9 in a copy of the process, and here where the copy dies."""
    world = World(tmp_path / "world")
    world.create()
    with closing(bare(world.origin)) as room:
        sources = room.pushed(MAIN, world.main)
        read = sources.beside(sources, lambda own: (str(own.objects.read(world.main, "clusters/desk/handoff.md")),))
        assert read() == read() == (str(sources.objects.read(world.main, "clusters/desk/handoff.md")),)
        here = os.getpid()
        dies = sources.beside(sources, lambda own: ("here",) if os.getpid() == here else os._exit(1))
        assert dies() == ("here",)
