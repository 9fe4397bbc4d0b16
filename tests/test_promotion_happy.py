"""A promotion from its proposal to a verified clone, on real git with real keys."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.edges.yaml_dump import dump
from runner.errors import RecordError, RefMovedError, VerificationError
from runner.promotion.propose import adapter_record, stage
from runner.promotion.receipt import Registry
from runner.promotion.rollback import rollback_to
from runner.promotion.signed import attestation
from runner.promotion.tags import write_tag
from runner.promotion.verify import verify
from runner.records.ledger import RunState
from runner.rules.trust.facts import SignedEvidence
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


def test_a_signed_tag_of_another_name_is_none(world: World) -> None:
    promote(world)
    ref = "refs/tags/promotions/desk/1"
    other = write_tag(world.git, world.key("gate"), world.main, "promotions/desk/2", world.now)
    world.git.move({ref: (other, world.git.refs(ref)[ref])})
    reasons = verify(world.sources(), tip=world.main, root=world.root_sha256).verdict.reasons
    assert [one.problem for one in reasons] == [f"tag promotions/desk/1 names promotions/desk/2 at {world.main[:12]}"]


def test_who_is_overtaken_while_a_receipt_is_written_reads_again(world: World, monkeypatch) -> None:
    tried, publish = [], Registry.publish

    def raced(self: Registry, updates) -> None:
        tried.append(set(updates))
        if len(tried) == 1:
            raise RefMovedError("refs/heads/ledger moved")
        publish(self, updates)

    monkeypatch.setattr(Registry, "publish", raced)
    world.land(world.merge())
    world.reconcile()
    assert tried == [{"refs/heads/ledger", "refs/tags/promotions/desk/1"}] * 2, "both or neither"
    assert verify(world.sources(), tip=world.main, root=world.root_sha256).verdict.passed


def test_evidence_that_ci_signed_for_another_repository_is_none_here(world: World) -> None:
    staging = world.staging("it-2")
    sources, said = world.sources(), {}
    policy = sources.policy(world.main)
    for repository in ("example/desk", "example/other"):
        trust = policy.trust.model_copy(update={"repository": repository})
        files = stage(staging, chain=sources.chain("desk"), trust=trust, ci=world.key("ci"), dump=dump)
        envelope = files[f"{staging.home}evidence/attestation.dsse.json"]
        said[repository] = attestation(sources, envelope, policy, world.now)
    assert said["example/desk"].statement is not None
    assert said["example/other"] == SignedEvidence(None, "is for another repository")


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
