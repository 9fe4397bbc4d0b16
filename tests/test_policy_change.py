"""Policies that change under a running registry: roles, distinct people, rotation, revocation, old and new thresholds.
Every case is a real repository with real keys, judged by the gate itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import VerificationError
from runner.promotion import approve, decide
from runner.promotion.propose import propose
from runner.promotion.rollback import rollback_to
from runner.promotion.verify import verify
from runner.records.statement import Choice
from runner.records.verdict import Verdict
from runner.rules.times import later
from tests.promotion_fixture import CHANGES, LATER, PEOPLE, SIGNERS, World

BRANCH = "refs/heads/policy"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One promotion, approved with the keys of the first policy, merged and receipted."""
    world = World(tmp_path_factory.mktemp("policies") / "world")
    world.promote()
    return world


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return template.copy(tmp_path / "world")


def put_forward(world: World, files: Files, *, by: str = "dave") -> None:
    signer = world.key(by)
    propose(world.sources(), world.git, files, branch=BRANCH, signer=signer, now=world.now, remote=None, check=False)


def signs(world: World, key: str, *, person: str = "", target: str = "policy") -> None:
    """A decision signed without asking the gate first, with whatever key, under whatever name."""
    ref = decide.branch_of(target)
    tip = world.git.resolve(ref) or ""
    found = decide.consider(world.sources(), world.git, main=world.main, branch=ref, tip=tip, now=world.now)
    signer, name = world.key(key), person or key
    data = decide.decide(world.sources(), found.facts, signer, choice=Choice.APPROVE, person=name, now=world.now)
    world.put({f"{found.approvals_at}{name}.dsse.json": data}, branch=ref)


def judged(world: World) -> Verdict:
    return world.judge(world.merge(branch=BRANCH))


def lands(world: World) -> None:
    merged = world.merge(branch=BRANCH)
    assert world.judge(merged).reasons == ()
    world.land(merged)
    world.git.run("update-ref", "-d", BRANCH)


def holds(world: World) -> list[str]:
    found = verify(world.sources(adapters=False), tip=world.main, root=world.root_sha256)
    assert found.verdict.reasons == ()
    return found.promotions


def second(world: World, **change: Any) -> None:
    """A second promotion, proposed and not yet approved."""
    world.propose(world.staged(world.staging("it-2", **change)), sequence=2, check=True)


def line(world: World, name: str, key: str) -> bytes:
    return f'{name} namespaces="{SIGNERS[name]}" {world.key(key).public_key}\n'.encode()


def revoked(world: World, *keys: str) -> bytes:
    return "".join(f"{world.key(key).public_key} lost\n" for key in keys).encode()


def rotated(world: World) -> Files:
    """Alice's second key comes, and her first one goes."""
    allowed = world.signers() + line(world, "alice", "alice-second")
    return world.policy(version=2, allowed=allowed, revoked=revoked(world, "alice"))


# keys


def test_a_rotated_key_signs_what_follows_and_earlier_receipts_stand(world: World) -> None:
    put_forward(world, rotated(world))
    world.approve("carol", target="policy")
    lands(world)
    assert holds(world) == ["desk/1"]
    second(world)
    world.approve("bob", sequence=2)
    with pytest.raises(VerificationError, match="not signed by alice"):
        signed_with_the_old_key(world)
    signs(world, "alice", target="desk/2")
    refused = world.judge(world.merge(sequence=2))
    assert any("alice.dsse.json: is not signed by alice" in reason.problem for reason in refused.reasons)
    world.put({"clusters/desk/promotions/2/approvals/alice.dsse.json": None}, sequence=2)
    signs(world, "alice-second", person="alice", target="desk/2")
    merged = world.merge(sequence=2)
    # the branch itself held an old decision for a while: only what is there in the end is a net path
    assert {reason.step for reason in world.judge(merged).reasons} <= {"5 net paths"}
    squashed = squash(world, sequence=2)
    assert world.judge(squashed).reasons == ()
    world.land(squashed)
    world.reconcile()
    assert holds(world) == ["desk/1", "desk/2"]


def signed_with_the_old_key(world: World) -> None:
    """The old key is still in allowed_signers, so that its name is found, and the envelope does not open."""
    sources, now = world.sources(), world.now
    ref = decide.branch_of("desk/2")
    tip = world.git.resolve(ref) or ""
    found = decide.consider(sources, world.git, main=world.main, branch=ref, tip=tip, now=now)
    data = decide.decide(sources, found.facts, world.key("alice"), choice=Choice.APPROVE, person="alice", now=now)
    keys = sources.policy(world.main).keys
    kind = "application/vnd.in-toto+json"
    world.verifier.open(data, payload_type=kind, namespace="hallmark-approval@v1", person="alice", keys=keys, at=now)


def squash(world: World, *, sequence: int) -> str:
    tip = world.git.resolve(decide.branch_of(f"desk/{sequence}")) or ""
    changes = world.git.diff(world.main, tip)
    files: dict[str, bytes | None] = {change.path: world.git.blob(change.blob) for change in changes}
    return world.git.commit_files([world.main], files, "Squash\n")


def test_whoever_proposes_can_rotate_their_own_key_in_one_step(world: World) -> None:
    allowed = world.signers() + line(world, "dave", "mallory")
    put_forward(world, world.policy(version=2, allowed=allowed, revoked=revoked(world, "dave")))
    world.approve("carol", target="policy")
    lands(world)
    assert holds(world) == ["desk/1"]
    put_forward(world, world.policy(version=3, allowed=allowed, revoked=revoked(world, "dave"), approval_days=9))
    assert any("proposal.dsse.json: is not signed by dave" in reason.problem for reason in judged(world).reasons)


def test_a_revocation_alone_needs_its_own_class_only(world: World) -> None:
    put_forward(world, world.policy(version=2, revoked=revoked(world, "bob")))
    world.approve("carol", target="policy")
    assert decide.consider(
        world.sources(), world.git, main=world.main, branch=BRANCH, tip=world.git.resolve(BRANCH) or "", now=world.now
    ).facts.change == "revocation"  # fmt: skip
    lands(world)
    assert holds(world) == ["desk/1"]
    second(world)
    signs(world, "alice", target="desk/2")
    signs(world, "bob", target="desk/2")
    assert any("bob.dsse.json: is not signed by bob" in r.problem for r in world.judge(world.merge(sequence=2)).reasons)


def test_a_revoked_digest_is_neither_promoted_nor_rolled_back_to(world: World) -> None:
    second(world)
    world.approve("alice", "bob", sequence=2)
    world.land(world.merge(sequence=2))
    world.reconcile()
    digest = rollback_to(world.sources(), world.main, "desk", 1, why="it fell").adapter
    assert digest is not None
    put_forward(world, world.policy(version=2, revoked=f"# sha256:{digest.sha256} trojan\n".encode()))
    world.approve("carol", target="policy")
    lands(world)
    assert holds(world) == ["desk/1", "desk/2"]
    staging = rollback_to(world.sources(), world.main, "desk", 1, why="it fell")
    world.propose(world.staged(staging), sequence=3)
    signs(world, "carol", target="desk/3")
    assert any("revoked by its digest" in r.problem for r in world.judge(world.merge(sequence=3)).reasons)


# people and thresholds


def people(world: World, **roles: list[str]) -> dict[str, list[str]]:
    return {**PEOPLE, **roles}


def admins(count: int) -> dict[str, Any]:
    return {**CHANGES, "policy": [{"role": "admin", "people": count}]}


def test_a_new_threshold_asks_for_its_people_at_once(world: World) -> None:
    files = world.policy(version=2, changes=admins(2), people=people(world, alice=["approver", "owner", "admin"]))
    put_forward(world, files)
    world.approve("carol", target="policy")
    found = judged(world).reasons
    assert [reason.step for reason in found] == ["7 quorum"]
    assert "under the next policy" in found[0].problem
    signs(world, "alice")
    assert judged(world).reasons == ()


def test_somebody_new_signs_for_the_next_policy_only(world: World) -> None:
    allowed = world.signers() + line(world, "dave", "mallory").replace(b"dave", b"erin", 1)
    newcomer = people(world, erin=["admin"])
    put_forward(world, world.policy(version=2, allowed=allowed, changes=admins(2), people=newcomer))
    signs(world, "mallory", person="erin")
    assert {reason.step for reason in judged(world).reasons} == {"7 quorum"}
    world.approve("carol", target="policy")
    assert judged(world).reasons == ()


def test_approve_signs_for_who_is_in_the_next_policy_alone(world: World) -> None:
    """Erin comes with this change, and alice signs it with the key that it brings."""
    allowed = world.signers().replace(
        world.key("alice").public_key.encode(), world.key("alice-second").public_key.encode()
    )
    allowed += line(world, "dave", "mallory").replace(b"dave", b"erin", 1)
    staff = people(world, erin=["admin"], alice=["approver", "admin"])
    put_forward(world, world.policy(version=2, allowed=allowed, changes=admins(3), people=staff))
    world.approve("mallory", target="policy", choice=Choice.REJECT)
    assert any("erin rejects it" in reason.problem for reason in judged(world).reasons)
    world.approve("mallory", "carol", "alice-second", target="policy")
    tip = world.git.resolve(BRANCH) or ""
    paths = {change.path.rpartition("/")[2] for change in world.git.diff(world.main, tip)}
    assert {"erin.dsse.json", "alice.dsse.json", "carol.dsse.json"} <= paths
    assert judged(world).reasons == ()
    # of a change that brings no keys, main's alone count
    world.git.run("update-ref", "-d", BRANCH)
    put_forward(world, world.policy(version=2, approval_days=9))
    with pytest.raises(VerificationError, match="nobody's"):
        world.approve("mallory", target="policy")


def test_somebody_leaves_without_their_own_signature(world: World) -> None:
    staying = {name: roles for name, roles in PEOPLE.items() if name != "bob"}
    allowed = world.signers({name: spaces for name, spaces in SIGNERS.items() if name != "bob"})
    put_forward(world, world.policy(version=2, allowed=allowed, people=staying))
    world.approve("carol", target="policy")
    lands(world)
    assert holds(world) == ["desk/1"]


def test_whoever_leaves_still_counts_under_the_policy_that_knows_them(world: World) -> None:
    """Alice proposes that dave goes: dave's word counts now and not after, so carol's is asked for too."""
    staying = {name: roles for name, roles in PEOPLE.items() if name != "dave"} | {"bob": ["approver", "engineer"]}
    allowed = world.signers({name: spaces for name, spaces in SIGNERS.items() if name != "dave"})
    put_forward(world, world.policy(version=2, allowed=allowed, people=staying), by="alice")
    signs(world, "dave")
    assert {reason.step for reason in judged(world).reasons} == {"7 quorum"}
    signs(world, "carol")
    assert judged(world).reasons == ()


def test_another_change_of_class_needs_its_own_role(world: World) -> None:
    params = {"params.yaml": b"version: 1\n"}
    put_forward(world, params, by="alice")
    signs(world, "bob")
    assert any("holds no role" in reason.problem for reason in judged(world).reasons)
    world.git.run("update-ref", "-d", BRANCH)
    put_forward(world, params, by="alice")
    signs(world, "dave")
    assert judged(world).reasons == ()


# what is refused


def raised(world: World, days: int) -> str:
    return later(world.now, days=days)


REFUSED: dict[str, tuple[str, str, Callable[[World], Files]]] = {
    "a version too many": ("3 sequence", "version 3 follows 1", lambda w: w.policy(version=3)),
    "a version back": ("3 sequence", "version 1 follows 1", lambda w: w.policy(approval_days=3)),
    "another class beside it": (
        "2 one class",
        "several classes",
        lambda w: {**w.policy(version=2), "params.yaml": b"version: 1\n"},
    ),
    "an expiry beyond what anybody looks ahead": (
        "0 policy",
        "would hold until",
        lambda w: w.policy(version=2, expires="2099-01-01T00:00:00Z"),
    ),
    "an expiry in the past": ("0 policy", "expired", lambda w: w.policy(version=2, expires="2026-01-01T00:00:00Z")),
    "a key that changes hands": (
        "0 policy",
        "erin's key was bob's",
        lambda w: w.policy(
            version=2,
            allowed=w.signers().replace(b"bob ", b"erin "),
            people={("erin" if name == "bob" else name): roles for name, roles in PEOPLE.items()},
        ),
    ),
    "a trap": ("0 policy", "every purpose", lambda w: w.policy(version=2, allowed=w.signers() + unbound(w))),
    "keys without their pin": (
        "0 policy",
        "not the file that is pinned",
        lambda w: {**w.policy(version=2), "policy/allowed_signers": w.signers() + line(w, "dave", "mallory")},
    ),
    "a policy that is none": ("0 policy", "cannot be read", lambda w: {"policy/trust.yaml": b"version: 2\n"}),
    "CI among the people": (
        "0 policy",
        "ci is among the people",
        lambda w: w.policy(version=2, people={**PEOPLE, "ci": ["admin"]}),
    ),
}


def unbound(world: World) -> bytes:
    return f"alice {world.key('mallory').public_key}\n".encode()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_the_next_policy_is_refused(name: str, world: World) -> None:
    step, says, make = REFUSED[name]
    found = world.judge(world.git.commit_files([world.main], make(world), "Next\n")).reasons
    assert any(reason.step == step and says in reason.problem and reason.hint for reason in found), found


def test_a_revocation_takes_nothing_back(world: World) -> None:
    """What is revoked stays revoked unless the policy's own threshold says otherwise."""
    put_forward(world, world.policy(version=2, revoked=revoked(world, "mallory", "bob")))
    world.approve("carol", target="policy")
    lands(world)
    for left in (revoked(world, "mallory"), b"", revoked(world, "bob", "mallory")):
        put_forward(world, world.policy(version=3, revoked=left))
        tip = world.git.resolve(BRANCH) or ""
        found = decide.consider(world.sources(), world.git, main=world.main, branch=BRANCH, tip=tip, now=world.now)
        assert found.facts.change == "policy"
        world.git.run("update-ref", "-d", BRANCH)


def test_one_who_proposes_does_not_approve_nor_does_a_machine(world: World) -> None:
    put_forward(world, world.policy(version=2))
    with pytest.raises(VerificationError, match="proposed this"):
        world.approve("dave", target="policy")
    for who in ("ci", "gate"):
        with pytest.raises(VerificationError, match=f"{who} is a machine"):
            world.approve(who, target="policy")
    for who in ("dave", "ci", "gate", "alice"):
        signs(world, who)
        found = judged(world).reasons
        assert any(who in reason.problem for reason in found), found


def test_the_gate_proposes_nothing(world: World) -> None:
    put_forward(world, world.policy(version=2), by="gate")
    assert any("proposal.dsse.json: is not signed by gate" in reason.problem for reason in judged(world).reasons)


def test_an_approval_holds_no_longer_than_the_policy_says(world: World) -> None:
    put_forward(world, world.policy(version=2))
    tip = world.git.resolve(BRANCH) or ""
    found = decide.consider(world.sources(), world.git, main=world.main, branch=BRANCH, tip=tip, now=world.now)
    told: list[str] = []

    class Longer:
        public_key = world.key("carol").public_key

        def signature(self, message: bytes, *, namespace: str) -> bytes:
            return world.key("carol").signature(message, namespace=namespace)

        def sign(self, payload: bytes, *, payload_type: str, namespace: str) -> bytes:
            longer = payload.replace(raised(world, 30).encode(), raised(world, 60).encode())
            told.append(longer.decode())
            return world.key("carol").sign(longer, payload_type=payload_type, namespace=namespace)

    data = decide.decide(world.sources(), found.facts, Longer(), choice=Choice.APPROVE, person="carol", now=world.now)
    assert raised(world, 60) in told[0]
    world.put({f"{found.approvals_at}carol.dsse.json": data}, branch=BRANCH)
    assert any("longer than the 30 days" in reason.problem for reason in judged(world).reasons)


def test_an_expired_policy_lets_nothing_through_but_its_renewal(world: World) -> None:
    expired = "2027-06-02T00:00:00Z"
    world.now = expired
    docs = world.git.commit_files([world.main], {"README.md": b"# better\n"}, "Docs\n")
    assert [reason.step for reason in world.judge(docs, now=expired).reasons] == ["0 policy"]
    assert world.judge(docs, now=LATER).passed


def test_approve_says_whose_key_it_does_not_know(world: World) -> None:
    put_forward(world, world.policy(version=2))
    with pytest.raises(VerificationError, match="nobody's"):
        approve.sign(
            world.sources(), world.git, "policy", choice=Choice.APPROVE, signer=world.key("mallory"), now=world.now,
            remote=None, confirm=lambda told: True,
        )  # fmt: skip
