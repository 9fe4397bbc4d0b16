"""A promotion from its proposal to a verified clone, on real git with real keys."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import RecordError, VerificationError
from runner.promotion.propose import adapter_record
from runner.promotion.rollback import rollback_to
from runner.promotion.verify import verify
from runner.records.ledger import RunState
from tests.promotion_fixture import World


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("promotion") / "world")
    world.create()
    world.propose(world.staged(world.staging()), check=True)
    world.approve("alice", "bob")
    return world


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return template.copy(tmp_path / "world")


def promote(world: World, sequence: int = 1) -> str:
    new = world.merge(sequence=sequence)
    assert world.judge(new).reasons == ()
    world.land(new)
    world.reconcile()
    return new


def test_an_approved_promotion_passes_and_verifies(world: World) -> None:
    promote(world)
    found = verify(world.sources(adapters=False), tip=world.main, root=world.root_sha256)
    assert found.verdict.reasons == ()
    assert (found.promotions, found.commits) == (["desk/1"], 2)


def test_a_second_promotion_follows_the_first(world: World) -> None:
    promote(world)
    world.propose(world.staged(world.staging("it-2")), sequence=2, check=True)
    world.approve("alice", "carol", sequence=2)
    promote(world, 2)
    found = verify(world.sources(), tip=world.main, root=world.root_sha256)
    assert found.verdict.reasons == ()
    assert found.promotions == ["desk/1", "desk/2"]


def test_reconciling_again_changes_nothing(world: World) -> None:
    promote(world)
    before = world.git.refs("refs/")
    world.reconcile(now="2026-11-21T15:00:00Z")
    assert world.git.refs("refs/") == before


def test_a_lost_tag_is_written_again(world: World) -> None:
    promote(world)
    world.git.run("update-ref", "-d", "refs/tags/promotions/desk/1")
    assert "no tag" in verify(world.sources(), tip=world.main, root=world.root_sha256).verdict.reasons[0].problem
    world.reconcile()
    assert verify(world.sources(), tip=world.main, root=world.root_sha256).verdict.passed


def test_a_merge_without_the_gate_is_named(world: World) -> None:
    promote(world)
    new = world.git.commit_files([world.main], {"clusters/desk/promotions/2/record.yaml": b"x: 1\n"}, "By an admin\n")
    world.land(new)
    found = verify(world.sources(), tip=world.main, root=world.root_sha256)
    assert not found.verdict.passed
    assert found.commit == new
    with pytest.raises(VerificationError):
        world.reconcile()


def test_another_root_of_trust_is_refused(world: World) -> None:
    found = verify(world.sources(), tip=world.main, root="0" * 64)
    assert not found.verdict.passed


def test_work_on_another_class_leaves_approvals_valid(world: World) -> None:
    docs = world.git.commit_files([world.main], {"README.md": b"# desk, better\n"}, "Docs\n")
    assert world.judge(docs).passed
    world.land(docs)
    assert world.judge(world.merge()).reasons == ()


def test_the_proposer_is_told_before_signing(world: World) -> None:
    with pytest.raises(VerificationError, match="proposed this"):
        world.approve("dave")
    with pytest.raises(VerificationError, match="nobody's"):
        world.approve("mallory")
    with pytest.raises(VerificationError, match="machine"):
        world.approve("ci")


def test_a_rollback_is_a_new_sequence_that_one_person_on_call_signs(world: World) -> None:
    promote(world)
    world.propose(world.staged(world.staging("it-2")), sequence=2, check=True)
    world.approve("alice", "carol", sequence=2)
    promote(world, 2)
    with pytest.raises(RecordError, match="cannot be rolled back"):
        rollback_to(world.sources(), world.main, "desk", 2, why="it is what serves")
    staging = rollback_to(world.sources(), world.main, "desk", 1, why="refunds misrouted")
    world.propose(world.staged(staging), sequence=3, check=True)
    new = world.merge(sequence=3)
    assert [reason.step for reason in world.judge(new).reasons] == ["7 quorum"]
    world.approve("carol", sequence=3)
    promote(world, 3)
    found = verify(world.sources(), tip=world.main, root=world.root_sha256)
    assert found.verdict.reasons == ()
    assert found.promotions == ["desk/1", "desk/2", "desk/3"]
    history = world.sources().chain("desk").history
    assert history.state("it-2") is RunState.ROLLED_BACK
    assert history.state("it-1") is RunState.PROMOTED


def test_the_base_is_gone_back_to_once(world: World) -> None:
    promote(world)
    world.propose(world.staged(rollback_to(world.sources(), world.main, "desk", 0, why="it falls")), sequence=2)
    world.approve("carol", sequence=2)
    promote(world, 2)
    with pytest.raises(RecordError, match="desk/0 cannot be rolled back to") as refused:
        rollback_to(world.sources(), world.main, "desk", 0, why="it falls")
    assert refused.value.hint == "earlier sequences: 1"
    assert rollback_to(world.sources(), world.main, "desk", 1, why="it was the data").adapter is not None


def test_a_rollback_brings_back_no_other_adapter(world: World) -> None:
    promote(world)
    world.propose(world.staged(world.staging("it-2")), sequence=2, check=True)
    world.approve("alice", "carol", sequence=2)
    promote(world, 2)
    staging = rollback_to(world.sources(), world.main, "desk", 1, why="refunds misrouted")
    other = {"adapter_model.safetensors": b"trojan"}
    world.adapters.put(other)
    forged = replace(staging, adapter=adapter_record(other))
    with pytest.raises(VerificationError, match="not the one of sequence 1"):
        world.propose(world.staged(forged), sequence=3, check=True)


def test_who_writes_the_receipt_in_a_clone_can_verify_there(world: World, tmp_path: Path) -> None:
    """As the workflow `promote` does: the tag is at the remote, and here too."""
    world.land(world.merge())
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(world.origin), str(clone)], check=True)
    for words in (["reconcile", "--key", str(world.path / "keys" / "gate"), "--store", str(world.path / "storage")],
                  ["verify", "--root", world.root_sha256]):  # fmt: skip
        command = [sys.executable, "-m", "runner.cli", *words, "-C", str(clone)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
