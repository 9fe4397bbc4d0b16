"""A key revoked from a ledger size on: which promotions are not deployable any more, and who says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runner.promotion.fetch import Target, fetch
from runner.promotion.propose import propose_branch
from runner.promotion.verify import verify
from runner.rules.loop.adapter_status import adapter_line, adapter_statuses
from runner.rules.trust.signers import read_revoked
from runner.wiring import flywheel
from runner.wiring.status import fallen, promotion_records
from tests.promotion_fixture import LATER, World

PROGRAM = "from runner.cli.main import main; main()"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three promotions: by alice and bob, by alice and bob, and by all three approvers."""
    world = World(tmp_path_factory.mktemp("withdrawn") / "world")
    world.create()
    for number, people in enumerate((("alice", "bob"), ("alice", "bob"), ("alice", "bob", "carol")), 1):
        world.propose(world.staged(world.staging(f"it-{number}")), sequence=number, check=True)
        world.approve(*people, sequence=number)
        world.land(world.merge(sequence=number))
        world.reconcile()
    return world


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return template.copy(tmp_path / "world")


def size(world: World, sequence: int) -> int:
    """Of the ledger when the promotion got its receipt."""
    entries = world.sources().chain("desk").history.promotions()
    return next(one.sequence for one in entries if one.promotion == sequence) - 1


def revoke(world: World, key: str, *, since: str) -> None:
    line = f"{world.key(key).public_key} {since} stolen\n".encode()
    branch = "refs/heads/policy"
    world.put(world.policy(version=2, revoked=line), branch=branch)
    propose_branch(world.sources(), world.git, branch=branch, signer=world.key("dave"), now=world.now, remote=None)
    world.approve("carol", target="policy")
    merged = world.merge(branch=branch)
    assert world.judge(merged).reasons == ()
    world.land(merged)


def found(world: World) -> dict[str, str]:
    told = verify(world.sources(adapters=False), tip=world.main, root=world.root_sha256)
    assert told.verdict.reasons == ()
    return {name: " ".join(reason.problem for reason in reasons) for name, reasons in told.withdrawn.items()}


def fetched(world: World, sequence: int) -> list[str]:
    made = fetch(
        world.sources(adapters=False), world.adapters, Target("desk", sequence), tip=world.main, root="", now=LATER
    )
    return [reason.step for reason in made.verdict.reasons]


def test_what_an_approver_signed_later_is_not_deployable(world: World) -> None:
    revoke(world, "bob", since=f"from=desk:{size(world, 2)}")
    told = found(world)
    assert list(told) == ["desk/2"], "desk/1 came before, and desk/3 has two others"
    assert "bob.dsse.json: is not signed by bob" in told["desk/2"]
    assert "withdrawn" in fetched(world, 2)
    assert fetched(world, 1) == fetched(world, 3) == []


@pytest.mark.parametrize(("key", "says"), [("dave", "proposal"), ("ci", "attestation")])
def test_proposer_and_ci_are_needed_too(world: World, key: str, says: str) -> None:
    revoke(world, key, since=f"from=desk:{size(world, 3)}")
    told = found(world)
    assert list(told) == ["desk/3"]
    assert says in told["desk/3"]


def test_receipts_of_a_stolen_gate_key(world: World) -> None:
    revoke(world, "gate", since=f"from=desk:{size(world, 2)}")
    told = found(world)
    assert list(told) == ["desk/2", "desk/3"]
    assert "receipt" in told["desk/2"]


@pytest.mark.parametrize("since", ["", "from=other:0", "from=desk:999"])
def test_a_revocation_that_reaches_nothing_withdraws_nothing(world: World, since: str) -> None:
    revoke(world, "bob", since=since)
    assert found(world) == {}
    assert fetched(world, 2) == []


def test_a_clone_is_told_by_verify_and_status(world: World, tmp_path: Path) -> None:
    revoke(world, "bob", since=f"from=desk:{size(world, 2)}")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(world.origin), str(clone)], check=True)
    command = [sys.executable, "-c", PROGRAM, "verify", "--root", world.root_sha256, "--json"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["withdrawn"]) == ["desk/2"]
    told = fallen(clone, flywheel.reader(clone), "desk")
    assert list(told) == [2]
    records = promotion_records(flywheel.reader(clone), "desk")
    shown = [adapter_line(one) for one in adapter_statuses(records, approved_by={}, entries=(), withdrawn=told)]
    assert ["NOT DEPLOYABLE: " in line for line in shown] == [False, True, False]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBz0cFRXpnJQ5M6iZ2v7YvN3nB1h1Qv8WnOQm0G0a1bC"


@pytest.mark.parametrize(
    "words",
    ["from desk:3", "from=desk", "from=desk:-1", "from=Desk:3", "from=desk:03", "lost from=desk:3", "FROM=desk:3"],
)
def test_what_looks_like_a_ledger_size_and_is_none_is_a_trap(words: str) -> None:
    _, traps = read_revoked(f"{KEY} {words}\n".encode())
    assert any("ledger size" in trap.problem for trap in traps)


def test_the_lowest_size_of_a_key_counts() -> None:
    revoked, traps = read_revoked(f"{KEY} from=desk:9,shop:2\n{KEY} from=desk:4 stolen earlier\n".encode())
    assert traps == ()
    assert revoked.since == {KEY: {"desk": 4, "shop": 2}}
    assert revoked.withdrawn("desk", 4) == f"{KEY}\n".encode()
    assert revoked.withdrawn("desk", 3) == revoked.withdrawn("bank", 99) == b""
