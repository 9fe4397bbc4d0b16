"""Who had to sign each envelope of a change. `begin` lets ssh-keygen work on them, a process each, while there is more
to read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from runner.errors import VerificationError
from runner.ports_promotion import Keys, Verifier
from runner.records.namespaces import PAYLOAD_TYPE, Namespace

PROPOSAL, ATTESTATION = "proposal.dsse.json", "attestation.dsse.json"


def begin(
    verifier: Verifier, decisions: Mapping[str, bytes], attested: bytes | None, *, ci: str, keys: Keys, at: str
) -> None:
    """Begin on the signatures of decisions, by path, and of the attestation of `ci`. What is wrong is said when they
    are asked for."""
    ask = verifier.begin
    if attested is not None:
        ask(attested, payload_type=PAYLOAD_TYPE, namespace=Namespace.EVIDENCE, person=ci, keys=keys, at=at)
    for path, data in decisions.items():
        with suppress(VerificationError):
            person, space = signer(verifier, path, data)
            ask(data, payload_type=PAYLOAD_TYPE, namespace=space, person=person, keys=keys, at=at)


def named(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".dsse.json")


def signer(verifier: Verifier, path: str, data: bytes) -> tuple[str, Namespace]:
    """Who had to sign, and for what. An approval is its file name's; a proposal says who signed it, and then has to be
    theirs. Raises `VerificationError` for a proposal that names nobody."""
    if path.endswith(f"/{PROPOSAL}"):
        return verifier.claimed(data), Namespace.PROPOSAL
    return named(path), Namespace.APPROVAL
