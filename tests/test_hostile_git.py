"""Objects that nobody's git would make, pushed by somebody whose would: read as git reads them, or refused."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.edges import git_objects
from runner.edges.git import GitObjects
from runner.edges.git_objects import read_commit, read_tree
from runner.edges.git_write import GitRepository
from runner.errors import GitError, VerificationError
from runner.promotion.gather import Step
from runner.promotion.judge import judge
from tests.promotion_fixture import LATER, World

OID, OTHER = b"a" * 40, b"b" * 40
PERSON = b"somebody <somebody@localhost> 1700000000 +0000"
GOOD = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n" % (OID, OTHER, PERSON, PERSON)
ENTRY = bytes(range(20))
PARTS = st.lists(st.sampled_from([GOOD, b"tree ", b"parent ", OID, b"\n", b" "]))


@pytest.fixture
def git(tmp_path: Path) -> GitRepository:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare")], check=True)
    return GitRepository(tmp_path / "bare")


def write(git: GitRepository, kind: str, content: bytes) -> str:
    """An object that git stores unlooked at, as it does a pushed one."""
    return git.run("hash-object", "-t", kind, "--literally", "-w", "--stdin", data=content).decode().strip()


def commit(git: GitRepository, tree: str, *parents: str) -> str:
    body = [f"tree {tree}", *(f"parent {one}" for one in parents)]
    return write(git, "commit", "\n".join(body).encode() + b"\nauthor %s\ncommitter %s\n\nm\n" % (PERSON, PERSON))


def test_a_commit_is_read_as_git_reads_it() -> None:
    found = read_commit("x", GOOD + b"encoding latin-1\ngpgsig a\n tree b\n\ntree in the message\n")
    assert (found.tree, found.parents, found.time) == (OID.decode(), (OTHER.decode(),), 1_700_000_000)


MALFORMED = {
    "a second tree that git does not see": GOOD + b"tree " + OTHER,
    "a second parent that git does not see": GOOD + b"parent " + OID,
    "a second committer": GOOD + b"committer " + PERSON,
    "no tree": GOOD.partition(b"\n")[2],
    "no author": b"tree %s\ncommitter %s\n" % (OID, PERSON),
    "no committer": b"tree %s\nauthor %s\n" % (OID, PERSON),
    "a parent that is no object": GOOD.replace(OTHER, b"../evil"),
    "another header between": GOOD.replace(b"author", b"note x\nauthor"),
    "no time": GOOD.replace(b"1700000000 +0000", b""),
    "a time before 1970": GOOD.replace(b"1700000000", b"-1"),
    "a time after all calendars": GOOD.replace(b"1700000000", b"9" * 30),
    "nothing": b"",
}


@pytest.mark.parametrize("what", sorted(MALFORMED))
def test_a_commit_that_two_readers_could_take_for_two_things_is_refused(what: str) -> None:
    with pytest.raises(VerificationError, match="malformed"):
        read_commit("x", MALFORMED[what])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200) | PARTS.map(b"".join))
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    for read in (read_commit, read_tree):
        with suppress(VerificationError):
            read("x", data)


@pytest.mark.parametrize(
    "content",
    [
        b"100644 a\0" + ENTRY[:-1],
        b"100644 a",
        b"junk",
        b"1x0644 a\0" + ENTRY,
        b"100644 a\0" + ENTRY + b"100644 a\0" + ENTRY,
        b"100644 policy/trust.yaml\0" + ENTRY,
        b"100644 ..\0" + ENTRY,
        b"100644 \0" + ENTRY,
    ],
)
def test_a_malformed_tree_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="tree x"):
        read_tree("x", content)


def test_a_tree_that_holds_itself_a_billion_times_is_refused(git: GitRepository, monkeypatch) -> None:
    monkeypatch.setattr(git_objects, "MOST", 2_000)
    for leaf in (write(git, "blob", b"x"), None):
        tree = write(git, "tree", b"100644 f\0" + bytes.fromhex(leaf) if leaf else b"")
        for _ in range(12):
            tree = write(git, "tree", b"".join(b"40000 %d\0" % name + bytes.fromhex(tree) for name in range(10)))
        bomb = commit(git, tree)
        with pytest.raises(VerificationError, match="more than 2000 entries"):
            git.diff(None, bomb)
        with pytest.raises(VerificationError, match="more than 2000 entries"):
            git.files(bomb)


def test_a_tree_too_deep_is_refused(git: GitRepository) -> None:
    tree = write(git, "tree", b"100644 f\0" + bytes.fromhex(write(git, "blob", b"x")))
    for _ in range(60):
        tree = write(git, "tree", b"40000 d\0" + bytes.fromhex(tree))
    deep = commit(git, tree)
    with pytest.raises(VerificationError, match="nested deeper"):
        git.files(deep)
    with pytest.raises(VerificationError, match="nested deeper"):
        git.diff(None, deep)


def test_an_object_too_large_is_refused_unread_and_reading_goes_on(git: GitRepository, monkeypatch) -> None:
    small, large = write(git, "blob", b"x"), write(git, "blob", b"x" * 10_000_000)
    monkeypatch.setattr("runner.edges.git.LARGEST", 5_000_000)
    with pytest.raises(VerificationError, match="10000000 bytes"):
        git.blob(large)
    assert git.blob(small) == b"x"


def test_what_is_not_there_is_an_error_of_gits(git: GitRepository) -> None:
    with pytest.raises(GitError, match="no object"):
        git.blob("0" * 40)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("hostile") / "world")
    world.create()
    return world


def test_the_gate_does_not_judge_a_tree_that_git_does_not_check_out(world: World) -> None:
    """A commit whose first `tree`, the one git checks out, takes the policy away, and whose last one is harmless."""
    harmless = world.git.commit_files([world.main], {"README.md": b"# better\n"}, "Docs\n")
    evil = world.git.commit_files([world.main], {"runner/gate.py": b"evil"}, "Evil\n")
    _, body = world.git.object(evil)
    head, _, message = body.partition(b"\n\n")
    lie = head + b"\ntree " + world.git.commit(harmless).tree.encode() + b"\n\n" + message
    forged = write(world.git, "commit", lie)
    assert world.git.run("ls-tree", "--name-only", f"{forged}:runner").strip() == b"gate.py"
    assert world.judge(harmless).passed
    with pytest.raises(VerificationError, match="malformed"):
        judge(world.sources(), Step(world.main, forged, LATER))


def entry(world: World, mode: str, name: bytes, oid: str) -> str:
    """A commit on main whose root tree has one entry more, of any mode and name."""
    _, tree = world.git.object(world.git.commit(world.main).tree)
    made = write(world.git, "tree", tree + mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid))
    return commit(world.git, made, world.main)


@pytest.mark.parametrize(
    ("mode", "name", "says"),
    [
        ("120000", b"link.md", "not a regular file (mode 120000)"),
        ("160000", b"module.md", "is a submodule"),
        ("100664", b"group.md", "not a regular file (mode 100664)"),
        ("100644", b"-rf.md", "not a safe name"),
        ("100644", b".git", "not a safe name"),
        ("100644", b".GIT", "not a safe name"),
        ("100644", b"a\x1b[2J.md", "not a safe name"),
        ("100644", b"a\r.md", "not a safe name"),
        ("100644", b"a b.md", "not a safe name"),
        ("100644", b"\xff.md", "not a safe name"),
        ("100644", "caf\u00e9.md".encode(), "not a safe name"),
        ("100644", "cafe\u0301.md".encode(), "not a safe name"),
        ("100644", "a\u202eb.md".encode(), "not a safe name"),
        ("100644", "\u0430.md".encode(), "not a safe name"),
        ("100644", b"readme.md", "differ only in case"),
        ("100644", b"x" * 300 + b".md", "too long"),
        ("100644", b"Makefile2", "no class"),
    ],
)
def test_the_gate_refuses_what_is_no_plain_file_with_a_plain_name(
    world: World, mode: str, name: bytes, says: str
) -> None:
    oid = world.main if mode == "160000" else write(world.git, "blob", b"/etc/passwd")
    verdict = world.judge(entry(world, mode, name, oid))
    assert any(says in reason.problem for reason in verdict.reasons), verdict.reasons


def test_a_path_spelt_as_one_name_is_refused(world: World) -> None:
    new = entry(world, "100644", b"policy/trust.yaml", write(world.git, "blob", b"x"))
    with pytest.raises(VerificationError, match="no name"):
        world.judge(new)


def test_objects_are_closed_twice_without_harm(git: GitRepository) -> None:
    with GitObjects(git.path) as objects:
        objects.close()
