"""The SSH signature format (OpenSSH PROTOCOL.sshsig), read strictly.

ssh-keygen accepts a signature with bytes after its end, and ignores what a reader could write into the unsigned parts
(PROTOCOL.md, fact 4). Here a blob has one form only: every field, and nothing after the last.
"""

from __future__ import annotations

import base64
import hashlib
import textwrap
from typing import NamedTuple

from runner.errors import VerificationError
from runner.rules.trust.ssh_keys import key_problem, strings

ED25519, FLAGS_AND_COUNT = 64, 5
"""Bytes of an Ed25519 signature, and of what a security key adds to one."""
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


class SshSignature(NamedTuple):
    key: bytes
    """The public key's blob."""
    namespace: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return fingerprint(self.key)


def fingerprint(key: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def armor(blob: bytes) -> bytes:
    """The text form that ssh-keygen reads."""
    body = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), 70))
    return f"{BEGIN}\n{body}\n{END}\n".encode()


def dearmor(text: bytes) -> bytes:
    """The blob in what ssh-keygen wrote. Raises `VerificationError` where it is not exactly one armored signature."""
    lines = text.decode(errors="replace").strip().splitlines()
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        raise VerificationError("is not an armored SSH signature")
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except ValueError as error:
        raise VerificationError("is not base64") from error
    if armor(blob) != text:
        raise VerificationError("is not written as ssh-keygen writes it")
    return blob


def parse(blob: bytes) -> SshSignature:
    """The signature's fields. Raises `VerificationError` for another version, a field cut short, junk after it."""
    if not blob.startswith(b"SSHSIG\x00\x00\x00\x01"):
        raise VerificationError("is not an SSH signature, version 1")
    key, namespace, reserved, hash_name, signature = _fields(blob[10:], 5)
    if reserved or hash_name not in (b"sha256", b"sha512"):
        raise VerificationError("the signature uses what version 1 reserves")
    kind, body = _string(signature)
    problem = key_problem(kind.decode(errors="replace"), base64.b64encode(key).decode())
    if problem:
        raise VerificationError(f"the signature's key {problem}")
    _check_body(kind, body)
    return SshSignature(key, namespace.decode(errors="replace"))


def _check_body(kind: bytes, body: bytes) -> None:
    """One form for each type: what follows the signature proper is nothing or, from a security key, flags and count."""
    inner, rest = _string(body)
    if kind.startswith((b"ecdsa-", b"sk-ecdsa-")):
        _fields(inner, 2)
    elif len(inner) != ED25519:
        raise VerificationError("the signature is not of its type's length")
    if len(rest) != (FLAGS_AND_COUNT if kind.startswith(b"sk-") else 0):
        raise VerificationError("the signature has junk after its end")


def _fields(data: bytes, count: int) -> tuple[bytes, ...]:
    try:
        found = strings(data)
    except ValueError as error:
        raise VerificationError(f"the signature {error}") from error
    if len(found) != count:
        said = "has junk after its end" if len(found) > count else "is cut short"
        raise VerificationError(f"the signature {said}")
    return found


def _string(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 4 or len(data) - 4 < (size := int.from_bytes(data[:4], "big")):
        raise VerificationError("the signature is cut short")
    return data[4 : 4 + size], data[4 + size :]
