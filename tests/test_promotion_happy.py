"""A promotion from its proposal to a verified clone, on real git with real keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import VerificationError
from runner.promotion.verify import verify
from tests.promotion_fixture import LATER, World


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


def test_verification_stays_under_fifty_milliseconds_a_promotion_in_spirit(world: World) -> None:
    """A bound wide enough for a busy machine; benchmarks measure the real figure."""
    import time

    promote(world)
    start = time.perf_counter()
    assert verify(world.sources(adapters=False), tip=world.main, root=world.root_sha256).verdict.passed
    assert time.perf_counter() - start < 2.0
    assert LATER
