"""What the hook says of each ref, by itself: main's root, the ledger, tags, and branches that hold decisions."""

from __future__ import annotations

from contextlib import closing

import pytest

from runner.edges.ledger_store import LEDGER, GitLedgerStore, entry_bytes, entry_path
from runner.ledger import History
from runner.promotion.hook import refuse_or_pass
from runner.promotion.judge import judge_root
from runner.promotion.updates import ABSENT, MAIN, Update
from runner.records.change import File
from runner.records.ledger import Entry, EntryKind
from runner.wiring import gate
from tests.promotion_fixture import LATER, World

RECEIPT = {"kind": EntryKind.RECEIPT, "iteration": "it-1", "promotion": 1, "receipt": {"payload": "", "signatures": []}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A root, and a ledger with an iteration through its bundle."""
    world = World(tmp_path_factory.mktemp("refs") / "world")
    world.create()
    world.ledger("it-1", "a" * 64, "b" * 64)
    return world


def said(world: World, ref: str, old: str, new: str) -> str:
    """Why the update is refused; empty where it passes."""
    with closing(gate.bare(world.origin)) as room:
        update = Update(old, new, ref)
        verdict = refuse_or_pass(room.pushed(ref, new), update, root=world.root_sha256, now=LATER)
    assert all(reason.hint for reason in verdict.reasons)
    return "; ".join(reason.problem for reason in verdict.reasons)


def ledger(world: World) -> str:
    return world.git.resolve(LEDGER) or ""


def entry(world: World, **fields: object) -> Entry:
    history = History.from_entries("desk", GitLedgerStore(world.origin, remote=None).read("desk"))
    place = {"cluster": "desk", "sequence": history.size + 1, "previous": history.head}
    return Entry.model_validate({**place, "kind": EntryKind.QUEUED, "iteration": "it-2", **fields})


def appended(world: World, **fields: object) -> str:
    """The ledger with one more entry; no ref moves."""
    made = entry(world, **fields)
    return world.git.commit_files([ledger(world)], {entry_path(made): entry_bytes(made)}, "Append\n")


def test_an_entry_is_appended_to_the_ledger_that_is_pushed(world: World) -> None:
    assert said(world, LEDGER, ledger(world), appended(world)) == ""
    assert said(world, LEDGER, ABSENT, ledger(world)) == "", "the first push of a whole ledger"
    assert "receipts are written by the gate" in said(world, LEDGER, ledger(world), appended(world, **RECEIPT))
    assert said(world, LEDGER, ledger(world), appended(world, previous="0" * 64))


def test_the_ledger_only_grows(world: World) -> None:
    tip, name = ledger(world), "desk/00000002.json"
    assert name in world.git.files(tip)
    forward = "the ledger only moves forward"
    assert said(world, LEDGER, tip, ABSENT) == forward
    assert said(world, LEDGER, tip, world.git.commit_files([], {}, "Anew\n", base=tip)) == forward
    for data in (b"{}", None):
        edited = world.git.commit_files([tip], {name: data}, "Edit\n")
        assert said(world, LEDGER, tip, edited) == f"{name} is in the ledger already"
    made = entry(world)
    for mode in ("100755", "120000"):
        file = File(mode, world.git.write("blob", entry_bytes(made)))
        odd = world.git.commit_files([tip], {entry_path(made): file}, "Odd\n")
        assert said(world, LEDGER, tip, odd) == f"{entry_path(made)!r} is no regular file"
    stray = world.git.commit_files([tip], {"desk/notes.txt": b"x"}, "Notes\n")
    assert "notes.txt" in said(world, LEDGER, tip, stray)


def test_tags_of_promotions_and_replacements_are_nobodys(world: World) -> None:
    other = world.git.commit_files([world.main], {"README.md": b"# another\n"}, "Another\n")
    for old, new in ((ABSENT, world.main), (world.main, other), (world.main, ABSENT)):
        assert "is written by the gate" in said(world, "refs/tags/promotions/desk/1", old, new)
    assert "replace refs" in said(world, f"refs/replace/{world.main}", ABSENT, other)
    assert said(world, "refs/tags/v1", ABSENT, world.main) == ""


@pytest.mark.parametrize("kind", ["promote", "rollback"])
def test_a_branch_that_holds_decisions_only_moves_forward(world: World, kind: str) -> None:
    ref, first = f"refs/heads/{kind}/desk/1", world.main
    second = world.git.commit_files([first], {"README.md": b"# second\n"}, "Second\n")
    beside = world.git.commit_files([first], {"README.md": b"# beside\n"}, "Beside\n")
    assert said(world, ref, ABSENT, first) == said(world, ref, first, second) == ""
    for new in (first, beside, ABSENT):
        assert "only moves forward" in said(world, ref, second, new)
        assert said(world, f"refs/heads/{kind}d", second, new) == "", "any other branch may go where it wants"


def test_main_is_begun_once_and_never_deleted(world: World) -> None:
    assert said(world, MAIN, ABSENT, world.main) == ""
    assert said(world, MAIN, world.main, ABSENT) == "main is never deleted"


def test_the_first_commit_of_main_is_the_pinned_root_and_nothing_more(world: World) -> None:
    def problems(commit: str, *, root: str = world.root_sha256, now: str = LATER) -> list[str]:
        verdict = judge_root(world.sources(), commit, root, now=now)
        assert verdict.passed == (not verdict.reasons)
        return [reason.problem for reason in verdict.reasons]

    assert problems(world.main) == []
    child = world.git.commit_files([world.main], {"README.md": b"# child\n"}, "Child\n")
    assert problems(child) == [f"{child[:12]} has parents"]
    assert problems(world.main, root="0" * 64) == [
        f"policy/trust.yaml has sha256 {world.root_sha256}, and {'0' * 64} is pinned"
    ]
    expires = world.sources().policy(world.main).trust.expires
    assert problems(world.main, now=expires) == []
    assert problems(world.main, now="2027-06-01T00:00:01Z") == [f"the policy expired at {expires}"]
    path = "clusters/desk/promotions/1/record.yaml"
    promoted = world.git.commit_files([], {path: b"x"}, "Root\n", base=world.main)
    assert problems(promoted) == [f"{path} is promoted without a gate"]
    without = world.git.commit_files([], {"policy/trust.yaml": None}, "Root\n", base=world.main)
    assert "policy/trust.yaml" in problems(without)[0]
