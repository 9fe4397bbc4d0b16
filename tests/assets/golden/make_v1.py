"""Make the golden set of the first release: a small registry whose records every later release has to verify.

    python -m tests.assets.golden.make_v1

writes, beside this file, `v1/registry.bundle` (main, the ledger and the tags: a policy, two promotions, a rollback to
the first and a revocation, each through the gate) and `v1/expected.json` (the root of trust and what is to be found).
The keys are made for the occasion and thrown away with their directory, so nobody can add to what is signed here.
Do not make it again after the release that it stands for: mend the code until it verifies.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from runner.promotion.propose import propose
from runner.promotion.rollback import rollback_to
from runner.promotion.verify import verify
from tests.promotion_fixture import World

HOME = Path(__file__).parent / "v1"
REFS = ("refs/heads/main", "refs/heads/ledger", "refs/tags/promotions/desk/1", "refs/tags/promotions/desk/2")
ROLLED_BACK = "refs/tags/promotions/desk/3"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        world = World(Path(scratch) / "world", now=clock())
        world.create()
        promote(world, "it-1", 1, "alice", "bob")
        promote(world, "it-2", 2, "alice", "carol")
        roll_back(world)
        revoke(world)
        found = verify(world.sources(adapters=False), tip=world.main, root=world.root_sha256)
        if found.verdict.reasons:
            raise SystemExit(f"what was made does not hold: {found.verdict.reasons}")
        HOME.mkdir(exist_ok=True)
        bundle = str(HOME / "registry.bundle")
        subprocess.run(
            ["git", "-C", str(world.origin), "bundle", "create", "-q", bundle, *REFS, ROLLED_BACK], check=True
        )
        expected = {"root": world.root_sha256, "promotions": found.promotions, "commits": found.commits}
        (HOME / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def clock() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def promote(world: World, iteration: str, sequence: int, *people: str) -> None:
    world.propose(world.staged(world.staging(iteration)), sequence=sequence, check=True)
    world.approve(*people, sequence=sequence)
    land(world, world.merge(sequence=sequence))


def roll_back(world: World) -> None:
    """To the first adapter, by the one person on call."""
    staging = rollback_to(world.sources(), world.main, "desk", 1, why="refunds are misrouted")
    world.propose(world.staged(staging), sequence=3, check=True)
    world.approve("carol", sequence=3)
    land(world, world.merge(sequence=3))


def revoke(world: World) -> None:
    """Bob's key, as lost."""
    lost = f"{world.key('bob').public_key} lost\n".encode()
    files, branch = world.policy(version=2, revoked=lost), "refs/heads/revoke"
    propose(world.sources(), world.git, files, branch=branch, signer=world.key("dave"), now=world.now, remote=None)
    world.approve("carol", target="revoke")
    land(world, world.merge(branch=branch))


def land(world: World, merged: str) -> None:
    """What the server does: judge, move main, write receipt and tag."""
    verdict = world.judge(merged, now=clock())
    if verdict.reasons:
        raise SystemExit(f"the gate refuses it: {verdict.reasons}")
    world.land(merged)
    world.reconcile(now=clock())
    world.now = clock()


if __name__ == "__main__":
    main()
