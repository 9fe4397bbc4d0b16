"""A history made in bulk is one that the gate would have let through, and two walks find what one finds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from runner.edges.aside import Aside
from runner.promotion import verify as walks
from runner.promotion.verify import Verified, verify
from runner.wiring import gate
from tests.promotion_history import LongWorld, sizes

PROMOTIONS = 9
MIDDLE = (1 + PROMOTIONS) // 2
"""The first step that the second walk takes: the root is the step 0, promotion N the step N."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LongWorld]:
    world = LongWorld(tmp_path_factory.mktemp("history") / "world")
    with sizes({"core": 10, "heldout": 20, "representative": 6}):
        world.create()
        world.promote(PROMOTIONS)
        yield world


def verified(world: LongWorld, *, root: str = "") -> Verified:
    """As `hallmark verify` does it: in two processes."""
    with closing(gate.room(world.origin, with_bytes=False)) as room:
        return verify(room.offline(), tip=world.main, root=root or world.root_sha256)


@pytest.fixture
def alone(world: LongWorld, monkeypatch: pytest.MonkeyPatch) -> object:
    """What one walk finds, in one process."""

    def walk(**settings: str) -> Verified:
        with monkeypatch.context() as patch:
            patch.setattr(walks, "TOGETHER", 1000)
            patch.setattr(os, "fork", lambda: pytest.fail("a second process"))
            sources = world.sources()
            return verify(sources, tip=world.main, root=settings.get("root", world.root_sha256))

    return walk


def test_promotions_made_in_bulk_verify(world: LongWorld, alone) -> None:
    found = verified(world)
    assert found.verdict.reasons == ()
    assert found.promotions == [f"desk/{number}" for number in range(1, PROMOTIONS + 1)]
    assert found.commits == 1 + PROMOTIONS
    assert found.receipted
    assert found == alone()


@pytest.mark.parametrize("number", [1, MIDDLE - 1, MIDDLE, PROMOTIONS])
def test_each_walk_names_the_first_step_that_does_not_hold(world: LongWorld, alone, number: int) -> None:
    refs = [f"refs/tags/promotions/desk/{one}" for one in sorted({number, PROMOTIONS})]
    were = {ref: world.git.refs(ref)[ref] for ref in refs}
    try:
        for ref in refs:
            world.git.run("update-ref", "-d", ref)
        found = verified(world)
        assert found.commits == number
        assert found.commit
        assert "tag" in found.verdict.reasons[0].problem
        expected = alone()
        assert (found.commit, found.verdict, found.commits) == (expected.commit, expected.verdict, expected.commits)
    finally:
        for ref, oid in were.items():
            world.git.run("update-ref", ref, oid)


def test_a_root_that_is_another_is_said_whatever_the_later_half_is(world: LongWorld, alone) -> None:
    found, expected = verified(world, root="0" * 64), alone(root="0" * 64)
    assert (found.commits, found.verdict) == (0, expected.verdict)
    assert not found.verdict.passed


def test_a_tag_of_no_promotion_is_found_by_two_walks(world: LongWorld, alone) -> None:
    world.git.run("update-ref", "refs/tags/promotions/desk/77", world.main)
    try:
        found = verified(world)
        assert [one.problem for one in found.verdict.reasons] == [
            "tag refs/tags/promotions/desk/77 is of no promotion on main"
        ]
        assert found.verdict == alone().verdict
    finally:
        world.git.run("update-ref", "-d", "refs/tags/promotions/desk/77")


def test_the_later_walk_begins_with_the_time_that_the_earlier_ends_with(
    world: LongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, walk = [], walks._walk

    def watched(sources, links, root, tags, found) -> None:
        before = found.receipted
        walk(sources, links, root, tags, found)
        times.append((before, found.receipted))

    monkeypatch.setattr(walks, "_walk", watched)
    assert verify(world.sources(), tip=world.main, root=world.root_sha256).verdict.passed
    (start, middle), (later, end) = times
    assert start == ""
    assert start < middle == later <= end


def test_where_the_second_process_dies_the_first_walks_on(
    world: LongWorld, alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def dead(self: Aside) -> bytes:
        asked.append(result(self))
        return b""

    result = Aside.result
    monkeypatch.setattr(Aside, "result", dead)
    found = verified(world)
    assert len(asked) == 1
    assert asked[0], "the second process had an answer, which was lost"
    assert found == alone()
