"""The signed envelopes of a change: who had to sign each, what ssh-keygen says, and the statement inside.

`begin` lets ssh-keygen work on them, a process each, while there is more to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from runner.errors import VerificationError
from runner.ports_promotion import Keys
from runner.promotion.sources import Policy, Sources
from runner.records.statement import PAYLOAD_TYPE, DecisionStatement, EvidenceStatement, Namespace
from runner.rules.trust.facts import Signed, SignedEvidence
from runner.rules.trust.statements import statement

PROPOSAL, ATTESTATION = "proposal.dsse.json", "attestation.dsse.json"


def begin(sources: Sources, decisions: Mapping[str, bytes], attested: bytes | None, policy: Policy, now: str) -> None:
    """Begin on the signatures of decisions, by path, and of CI's attestation. What is wrong is said when they are
    asked for."""
    ask, keys = sources.verifier.begin, policy.keys
    if attested is not None:
        ask(
            attested, payload_type=PAYLOAD_TYPE, namespace=Namespace.EVIDENCE, person=policy.trust.ci, keys=keys, at=now
        )
    for path, data in decisions.items():
        with suppress(VerificationError):
            person, space = _signer(sources, path, data)
            ask(data, payload_type=PAYLOAD_TYPE, namespace=space, person=person, keys=keys, at=now)


def proposal_and_approvals(
    sources: Sources, files: Mapping[str, bytes], keys: Keys, now: str
) -> tuple[Signed | None, tuple[Signed, ...]]:
    """The proposal and the approvals among `files`."""
    read = read_decisions(sources, sorted(files.items()), keys, now)
    proposals = [signed for signed in read if signed.path.endswith(f"/{PROPOSAL}")]
    approvals = tuple(signed for signed in read if signed not in proposals)
    return (proposals[0] if proposals else None), approvals


def read_decisions(sources: Sources, files: Iterable[tuple[str, bytes]], keys: Keys, now: str) -> tuple[Signed, ...]:
    return tuple(_decision(sources, path, data, keys, now) for path, data in files)


def _decision(sources: Sources, path: str, data: bytes, keys: Keys, now: str) -> Signed:
    person = _named(path)
    try:
        person, space = _signer(sources, path, data)
        payload = sources.verifier.open(
            data, payload_type=PAYLOAD_TYPE, namespace=space, person=person, keys=keys, at=now
        )
        return Signed(path, person, statement(DecisionStatement, payload))
    except VerificationError as error:
        return Signed(path, person, None, str(error))


def _named(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".dsse.json")


def _signer(sources: Sources, path: str, data: bytes) -> tuple[str, Namespace]:
    """Who had to sign, and for what. An approval is its file name's; a proposal says who signed it, and then has to be
    theirs. Raises `VerificationError` for a proposal that names nobody."""
    if path.endswith(f"/{PROPOSAL}"):
        return sources.verifier.claimed(data), Namespace.PROPOSAL
    return _named(path), Namespace.APPROVAL


def attestation(sources: Sources, data: bytes | None, policy: Policy, now: str) -> SignedEvidence:
    """CI's word on the evidence."""
    if data is None:
        return SignedEvidence(None, "is missing")
    try:
        payload = sources.verifier.open(
            data,
            payload_type=PAYLOAD_TYPE,
            namespace=Namespace.EVIDENCE,
            person=policy.trust.ci,
            keys=policy.keys,
            at=now,
        )
        word = statement(EvidenceStatement, payload)
        ours = word.predicate.repository == policy.trust.repository
        return SignedEvidence(word) if ours else SignedEvidence(None, "is for another repository")
    except VerificationError as error:
        return SignedEvidence(None, str(error))
