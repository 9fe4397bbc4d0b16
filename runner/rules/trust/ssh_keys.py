"""SSH public keys in their wire format (RFC 4253, section 6.6; RFC 5656; RFC 8709; PROTOCOL.u2f), read strictly.

One key has one form here, so that it cannot stand twice under two names: canonical base64, every field of its exact
length, and nothing after the last.
"""

from __future__ import annotations

import base64
import binascii

STRONG = "make one with `ssh-keygen -t ed25519`"
KEY_TYPES: dict[str, tuple[int | str | None, ...]] = {
    "ssh-ed25519": (32,),
    "sk-ssh-ed25519@openssh.com": (32, None),
    "ecdsa-sha2-nistp256": ("nistp256", 65),
    "ecdsa-sha2-nistp384": ("nistp384", 97),
    "ecdsa-sha2-nistp521": ("nistp521", 133),
    "sk-ecdsa-sha2-nistp256@openssh.com": ("nistp256", 65, None),
}
"""Accepted types and the fields that follow the type's name: a length in bytes, a text, or anything."""


def strings(data: bytes) -> tuple[bytes, ...]:
    """A sequence of SSH strings, each a length of four bytes and so many bytes. Raises `ValueError` where cut short."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 or len(data) - 4 < size:
            raise ValueError("is cut short")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return tuple(found)


def is_key_type(text: str) -> bool:
    """Whether a word is the name of a key type, accepted or not."""
    return text.startswith(("ssh-", "ecdsa-", "sk-", "rsa-", "webauthn-"))


def key_problem(kind: str, text: str) -> str:
    """Why `<kind> <text>`, a type and base64, is no key that may sign; empty where it is one."""
    try:
        blob = base64.b64decode(text, validate=True)
        name, *fields = strings(blob)
    except (binascii.Error, ValueError):
        return "is not a public key: its base64 cannot be read, or is cut short"
    if name != kind.encode() or base64.b64encode(blob).decode() != text:
        return "is not a public key of the type that it says"
    if kind == "ssh-rsa":
        return f"is an RSA key of {_bits(fields)} bits, and RSA keys are not accepted"
    if kind not in KEY_TYPES:
        return f"is of type {kind}, which is not accepted" + (" (DSA is broken)" if kind == "ssh-dss" else "")
    wanted = KEY_TYPES[kind]
    if len(fields) != len(wanted) or not all(map(_fits, fields, wanted)):
        return f"is not a public key: its fields are not those of {kind}"
    return ""


def _fits(field: bytes, wanted: int | str | None) -> bool:
    """An elliptic point, the one kind of field longer than 32 bytes, is uncompressed: its first byte is 4."""
    if isinstance(wanted, str):
        return field == wanted.encode()
    return wanted is None or (len(field) == wanted and (wanted == 32 or field[0] == 4))


def _bits(fields: list[bytes]) -> int:
    return int.from_bytes(fields[-1], "big").bit_length() if fields else 0
