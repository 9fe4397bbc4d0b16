"""Step 0 and the policy's own changes: pins, lint, expiry, versions, and who may change it."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk, clock
from tests.attack.forgery import alone, carried, repoliced
from tests.promotion_fixture import CHANGES, PEOPLE, SIGNERS

FILES, KEYS, REVOCATIONS, ROLES, EXPIRY = "0.1 files", "0.2 signers", "0.3 revocations", "0.4 roles", "0.5 expiry"
NEXT, NUMBER = "0.6 next policy", "3.1 number"
DOCS = {"README.md": b"# better\n"}


def under(desk: Desk, **policy: Any) -> Finding:
    """Work that needs nobody's signature, under a policy that main should never have got."""
    made = {name: value(desk) if callable(value) else value for name, value in policy.items()}
    repoliced(desk, **made)
    return alone(desk, DOCS)


def following(desk: Desk, signed_by: tuple[str, ...] = ("carol",), *, version: int = 2, **policy: Any) -> Finding:
    """A change of policy, signed by the people who may."""
    made = {name: value(desk) if callable(value) else value for name, value in policy.items()}
    files = desk.policy(version=version, **made)
    changed = {path: data for path, data in files.items() if data != desk.git.read(desk.main, path)}
    return desk.gate(carried(desk, changed, people=signed_by))


def with_files(desk: Desk, **files: bytes) -> Finding:
    """The next policy's files as they are given, whatever the pins say."""
    return desk.gate(carried(desk, {f"policy/{name}": data for name, data in files.items()}, people=("carol",)))


def bare(desk: Desk) -> bytes:
    return desk.signers() + b"alice " + desk.key("mallory").public_key.encode() + b"\n"


def pattern(desk: Desk) -> bytes:
    return desk.signers() + f'* namespaces="hallmark-approval@v1" {desk.key("mallory").public_key}\n'.encode()


def authority(desk: Desk) -> bytes:
    line = f'alice cert-authority,namespaces="hallmark-approval@v1" {desk.key("mallory").public_key}\n'
    return desk.signers() + line.encode()


def shared(desk: Desk) -> bytes:
    return desk.signers().replace(desk.key("bob").public_key.encode(), desk.key("alice").public_key.encode())


def every_purpose(desk: Desk) -> bytes:
    wide = SIGNERS["alice"] + ",hallmark-receipt@v1"
    return desk.signers({**SIGNERS, "alice": wide})


def rotated(desk: Desk) -> bytes:
    """Alice has a new key; the old one goes."""
    return desk.signers().replace(desk.key("alice").public_key.encode(), desk.key("alice-second").public_key.encode())


def revokes_bob(desk: Desk) -> bytes:
    return desk.key("bob").public_key.encode() + b"\n"


def unreadable_revocations(desk: Desk) -> Finding:
    repoliced(desk, revoked=b"neither a key nor a comment\n")
    return alone(desk, DOCS)


def missing_revocations(desk: Desk) -> Finding:
    desk.land(desk.git.commit_files([desk.main], {"policy/revoked": None}, "Lost\n"))
    return alone(desk, DOCS)


def emptied_revocations(desk: Desk) -> Finding:
    """Somebody empties the revocation file on main; its pin still names what stood there."""
    repoliced(desk, revoked=revokes_bob(desk))
    desk.land(desk.git.commit_files([desk.main], {"policy/revoked": b""}, "Emptied\n"))
    return alone(desk, DOCS)


def unrevoked(desk: Desk) -> Finding:
    """The next policy takes a revocation back, as if it were one more revocation."""
    repoliced(desk, revoked=revokes_bob(desk))
    files = desk.policy(version=3)
    changed = {path: files[path] for path in ("policy/revoked", "policy/trust.yaml")}
    return desk.gate(carried(desk, changed, by="", people=()))


def expired(desk: Desk) -> Finding:
    repoliced(desk, expires=clock(days=-1))
    return alone(desk, DOCS)


def renewed(desk: Desk) -> Finding:
    """The policy ran out yesterday; the people who may sign a new one."""
    repoliced(desk, expires=clock(days=-1))
    return following(desk, version=3)


def quorum_of_the_next(desk: Desk) -> Finding:
    """Under the old policy one admin is enough; the new one asks for two, and so this change needs two."""
    return following(desk, changes={**CHANGES, "policy": [{"role": "admin", "people": 2}]})


WEAK = {**CHANGES, "promotion": [{"role": "engineer", "people": 2}]}
ONE = {**CHANGES, "promotion": [{"role": "approver", "people": 1}]}
FOUR = {**CHANGES, "promotion": [{"role": "approver", "people": 4}]}
NOBODY = {**CHANGES, "code": []}
CI_VOTES = {**PEOPLE, "ci": ["approver"]}
MORE = {**PEOPLE, "dave": ["engineer", "admin", "approver"]}
TRAPS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("key-without-namespaces", KEYS, "a key that signs for every purpose", {"allowed": bare}),
    ("principal-pattern", KEYS, "a `*` that matches anyone", {"allowed": pattern}),
    ("certificate-authority", KEYS, "a key that may mint people", {"allowed": authority}),
    ("key-shared", KEYS, "one key under two people", {"allowed": shared}),
    ("namespace-too-wide", KEYS, "a person who may sign receipts", {"allowed": every_purpose}),
    ("pin-wrong", FILES, "a pin that is not the file's", {"allowed_signers": "0" * 64}),
    ("one-approver", ROLES, "promotions that one person may approve", {"changes": ONE}),
    ("quorum-unreachable", ROLES, "more approvers asked for than there are", {"changes": FOUR}),
    ("code-for-nobody", ROLES, "code that nobody has to approve", {"changes": NOBODY}),
    ("ci-a-person", ROLES, "CI among the people", {"people": CI_VOTES}),
)
CASES = (
    passes(
        "policy-changed",
        "A new policy, signed under the old and the new thresholds.",
        partial(following, approval_days=20),
    ),
    passes("key-rotated", "Alice's new key takes the old one's place.", partial(following, allowed=rotated)),
    passes("key-revoked-by-policy", "Bob's key is revoked by one admin.", partial(following, revoked=revokes_bob)),
    passes("policy-renewed", "A policy that ran out is renewed.", renewed),
    Case("policy-expired", "Work under a policy that ran out.", EXPIRY, expired),
    *(
        Case(f"policy-with-{name}", f"Work under a policy with {what}.", rule, partial(under, **trap))
        for name, rule, what, trap in TRAPS
    ),
    *(
        Case(
            f"next-policy-with-{name}",
            f"A signed change to a policy with {what}.",
            rule,
            partial(following, **trap),
        )
        for name, rule, what, trap in TRAPS
    ),
    Case("revocations-missing", "Main has no revocation file.", FILES, missing_revocations, says="policy/revoked"),
    Case("revocations-emptied", "Main's revocation file is empty, its pin is not.", FILES, emptied_revocations),
    Case("revocations-unreadable", "A revocation file that is none.", REVOCATIONS, unreadable_revocations),
    Case("revocation-taken-back", "A revoked key comes back without signatures.", "7 quorum", unrevoked),
    Case(
        "next-policy-unreadable",
        "The next trust.yaml cannot be read.",
        NEXT,
        partial(with_files, **{"trust.yaml": b"version: [\n"}),
    ),
    Case(
        "next-policy-unknown-key",
        "The next trust.yaml has a field nobody knows.",
        NEXT,
        lambda d: with_files(d, **{"trust.yaml": d.policy(version=2)["policy/trust.yaml"] + b"note: x\n"}),
    ),
    Case(
        "signers-without-their-pin",
        "A key is added and the pin left as it was.",
        FILES,
        lambda d: with_files(d, allowed_signers=rotated(d)),
    ),
    Case(
        "policy-version-same",
        "Another policy under the same version.",
        NUMBER,
        partial(following, version=1, approval_days=20),
    ),
    Case(
        "policy-version-skipped",
        "Version 3 follows version 1.",
        NUMBER,
        partial(following, version=3, approval_days=20),
    ),
    Case(
        "policy-unsigned",
        "A weaker policy that nobody signed.",
        "7 quorum",
        lambda d: alone(d, d.policy(version=2, changes=WEAK)),
    ),
    Case(
        "policy-by-its-proposer",
        "The admin who proposed it is the only one who signs.",
        "7 quorum",
        lambda d: following(d, ("dave",), changes=WEAK),
    ),
    Case(
        "policy-by-approvers",
        "Approvers sign a policy that makes them admins.",
        "7 quorum",
        lambda d: following(d, ("alice", "bob"), approval_days=20),
    ),
    Case(
        "next-quorum-unmet", "Signed as the old policy asks, not as the new one does.", "7 quorum", quorum_of_the_next
    ),
)
