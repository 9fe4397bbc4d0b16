"""The SSH signature format (OpenSSH PROTOCOL.sshsig), read strictly.

ssh-keygen accepts a signature with bytes after its end, and ignores what a reader could write into the unsigned parts
(PROTOCOL.md, fact 4). Here a blob has one form only: every field, and nothing after the last.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap
from typing import NamedTuple

from runner.errors import VerificationError

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
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except binascii.Error as error:
        raise VerificationError("is not base64") from error


def parse(blob: bytes) -> SshSignature:
    """The signature's fields. Raises `VerificationError` for another version, a field cut short, junk after it."""
    if not blob.startswith(b"SSHSIG\x00\x00\x00\x01"):
        raise VerificationError("is not an SSH signature, version 1")
    key, rest = _string(blob[10:])
    namespace, rest = _string(rest)
    reserved, rest = _string(rest)
    hash_name, rest = _string(rest)
    signature, rest = _string(rest)
    if rest:
        raise VerificationError("the signature has junk after its end")
    if reserved or hash_name not in (b"sha256", b"sha512"):
        raise VerificationError("the signature uses what version 1 reserves")
    kind, body = _string(signature)
    own_kind, own_body = _string(key)
    if not kind.startswith((b"ssh-ed25519", b"ecdsa-sha2-", b"sk-ssh-ed25519@", b"sk-ecdsa-")) or kind != own_kind:
        raise VerificationError("the signature's key is of a type that is not accepted")
    if kind == b"ssh-ed25519" and (len(body), len(own_body)) != (68, 36):
        raise VerificationError("the signature has junk after its end")
    return SshSignature(key, namespace.decode(errors="replace"))


def _string(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < 4 or len(data) - 4 < (size := int.from_bytes(data[:4], "big")):
        raise VerificationError("the signature is cut short")
    return data[4 : 4 + size], data[4 + size :]
