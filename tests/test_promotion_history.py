"""A history made in bulk is one that the gate would have let through."""

from __future__ import annotations

from pathlib import Path

from runner.promotion.verify import verify
from tests.promotion_history import LongWorld, sizes


def test_promotions_made_in_bulk_verify(tmp_path: Path) -> None:
    world = LongWorld(tmp_path / "world")
    with sizes({"core": 10, "heldout": 20, "representative": 6}):
        world.create()
        world.promote(3)
        found = verify(world.sources(), tip=world.main, root=world.root_sha256)
    assert found.verdict.reasons == ()
    assert found.promotions == ["desk/1", "desk/2", "desk/3"]
