"""Envelopes as securesystemslib writes them, and every other form refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature

from runner.edges import dsse
from runner.errors import VerificationError
from runner.rules.canonical import canonical


def test_the_published_vector() -> None:
    """From the DSSE protocol's own test vector."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == expected


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.binary(max_size=80))
def test_what_securesystemslib_writes_is_read_back(payload: bytes, kind: str, signature: bytes) -> None:
    theirs = Envelope(payload, kind, {"key": Signature("key", signature.hex())})
    document: Any = theirs.to_dict()
    ours = dsse.read(canonical(document) + b"\n")
    assert (ours.payload, ours.payload_type, ours.keyid, ours.signature) == (payload, kind, "key", signature)
    assert ours.pae == theirs.pae()


def document() -> dict[str, Any]:
    return {"payload": "e30=", "payloadType": "text", "signatures": [{"keyid": "key", "sig": "AA=="}]}


BAD: dict[str, Any] = {
    "an unknown field": {**document(), "x": 1},
    "an unknown field of a signature": {**document(), "signatures": [{"keyid": "k", "sig": "AA==", "x": 1}]},
    "no signature": {**document(), "signatures": []},
    "two signatures": {**document(), "signatures": document()["signatures"] * 2},
    "no payload": {"payloadType": "text", "signatures": document()["signatures"]},
    "not base64": {**document(), "payload": "!"},
    "base64 of another alphabet": {**document(), "payload": "_-__"},
    "base64 with other last bits": {**document(), "payload": "e31="},
    "a number for a type": {**document(), "payloadType": 1},
    "a lone surrogate": {**document(), "payloadType": "\ud800"},
    "a list": [document()],
}


@pytest.mark.parametrize("name", BAD)
def test_other_documents_are_refused(name: str) -> None:
    with pytest.raises(VerificationError):
        dsse.read(json.dumps(BAD[name], separators=(",", ":"), sort_keys=True).encode() + b"\n")


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b'{"payload":"e30="}' * 80_000])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        dsse.read(data)


def test_another_spelling_of_the_same_document_is_refused() -> None:
    good = canonical(document()) + b"\n"
    assert dsse.read(good).payload == b"{}"
    for other in (good[:-1], good + b"\n", b" " + good, json.dumps(document()).encode() + b"\n"):
        with pytest.raises(VerificationError, match="canonical"):
            dsse.read(other)
