"""DSSE envelopes, read: the one form that `SshSigner` writes, and no other bytes.

securesystemslib writes them. It is not asked to read them: importing it takes as long as the whole judgement of a small
push, and it keeps fields that it does not know. Specification: https://github.com/secure-systems-lab/dsse, version 1.
"""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

from runner.errors import RecordError, VerificationError
from runner.rules.canonical import canonical

MAX_BYTES = 1024 * 1024


class Envelope(NamedTuple):
    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes

    @property
    def pae(self) -> bytes:
        """The pre-authentication encoding: what is signed."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read(data: bytes) -> Envelope:
    """The envelope in `data`. Raises `VerificationError` for any bytes but the canonical form with one signature."""
    if len(data) > MAX_BYTES:
        raise VerificationError(f"is larger than {MAX_BYTES} bytes")
    try:
        document = json.loads(data)
        payload = base64.b64decode(document["payload"], validate=True)
        payload_type, signatures = str(document["payloadType"]), list(document["signatures"])
        signed = [(str(one["keyid"]), base64.b64decode(one["sig"], validate=True)) for one in signatures]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError(f"is not a DSSE envelope: {type(error).__name__}") from error
    if len(signed) != 1:
        raise VerificationError("has not exactly one signature")
    keyid, signature = signed[0]
    if _bytes(payload, payload_type, keyid, signature) != data:
        raise VerificationError("is not the canonical form of its envelope")
    return Envelope(payload, payload_type, keyid, signature)


def _bytes(payload: bytes, payload_type: str, keyid: str, signature: bytes) -> bytes:
    try:
        return (
            canonical(
                {
                    "payload": base64.b64encode(payload).decode(),
                    "payloadType": payload_type,
                    "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
                }
            )
            + b"\n"
        )
    except RecordError:  # half a surrogate pair has no UTF-8
        return b""
