"""One person's review signed, and its signature opened: by the reviewer, by phase 9 and by the gate alike."""

from __future__ import annotations

from runner.errors import VerificationError
from runner.ports_promotion import Keys, Signer, Verifier
from runner.records.policy import Trust
from runner.records.statement import PAYLOAD_TYPE, Namespace, ReviewClaim, ReviewStatement, subjects
from runner.records.triage import Review
from runner.rules.canonical import canonical, sha256
from runner.rules.trust.approvals import latest
from runner.rules.trust.facts import SignedReview
from runner.rules.trust.statements import statement

REVIEW, ENVELOPE = ".yaml", ".dsse.json"


def review_path(cluster: str, iteration: str, person: str) -> str:
    return f"clusters/{cluster}/triage/{iteration}/{person}{REVIEW}"


def envelope_path(path: str) -> str:
    """Where the envelope of the review at `path` stands."""
    return path.removesuffix(REVIEW) + ENVELOPE


def place_of(path: str) -> tuple[str, str, str]:
    """Cluster, iteration and person of a review's or an envelope's path."""
    _, cluster, _, iteration, name = path.split("/")
    return cluster, iteration, name.removesuffix(REVIEW).removesuffix(ENVELOPE)


def sign(review: Review, data: bytes, signer: Signer, trust: Trust, *, now: str, nonce: str) -> bytes:
    """The envelope of a review, whose file has the bytes `data`. Raises `SigningError`.

    `trust` says which repository it is for, and how long it may wait for its merge; `nonce` is 32 hex digits.
    """
    claim = ReviewClaim(
        repository=trust.repository,
        cluster=review.cluster,
        iteration=review.iteration,
        person=review.reviewer,
        not_before=now,
        expires=latest(now, trust.approval_days),
        nonce=nonce,
    )
    named = subjects({"review": sha256(data), "candidates": review.candidates})
    payload = canonical(ReviewStatement(subject=named, predicate=claim))
    return signer.sign(payload, payload_type=PAYLOAD_TYPE, namespace=Namespace.TRIAGE)


def opened(
    path: str,
    review: Review | None,
    data: bytes,
    envelope: bytes,
    *,
    candidates: str,
    verifier: Verifier,
    keys: Keys,
    at: str,
) -> SignedReview:
    """A review, and what its envelope (empty where there is none) says under these keys at that time.

    `candidates` is the digest of the list beside it, empty where there is none.
    """
    cluster, iteration, person = place_of(path)
    word, problem = None, ""
    if envelope:
        try:
            payload = verifier.open(
                envelope, payload_type=PAYLOAD_TYPE, namespace=Namespace.TRIAGE, person=person, keys=keys, at=at
            )
            word = statement(ReviewStatement, payload)
        except VerificationError as error:
            problem = str(error)
    return SignedReview(path, cluster, iteration, person, review, sha256(data), candidates, word, problem)
