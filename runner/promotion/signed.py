"""The signed envelopes of a change: what ssh-keygen says of each, and the statement inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.errors import VerificationError
from runner.ports_promotion import Keys
from runner.promotion.envelopes import PROPOSAL, named, signer
from runner.promotion.sources import Policy, Sources
from runner.records.namespaces import PAYLOAD_TYPE, Namespace
from runner.records.statement import DecisionStatement, EvidenceStatement
from runner.rules.trust.facts import Signed, SignedEvidence
from runner.rules.trust.statements import statement


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
    person = named(path)
    try:
        person, space = signer(sources.verifier, path, data)
        payload = sources.verifier.open(
            data, payload_type=PAYLOAD_TYPE, namespace=space, person=person, keys=keys, at=now
        )
        return Signed(path, person, statement(DecisionStatement, payload))
    except VerificationError as error:
        return Signed(path, person, None, str(error))


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
