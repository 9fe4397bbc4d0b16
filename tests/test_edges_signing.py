"""Signatures that ssh-keygen is begun on before they are asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner.edges import signing, sshsig
from runner.edges.signing import MOST, SshSigner, SshVerifier
from runner.errors import VerificationError
from runner.ports_promotion import Keys

AT = "2026-03-01T12:00:00Z"


@pytest.fixture
def signer(tmp_path: Path) -> SshSigner:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return SshSigner(key)


def test_many_are_begun_on_and_no_more_than_the_machine_bears(signer: SshSigner, monkeypatch) -> None:
    started = []
    start = signing._start
    monkeypatch.setattr(signing, "_start", lambda *words, **more: started.append(words) or start(*words, **more))
    keys = Keys(f"alice {signer.public_key}\n".encode(), b"")
    verifier, signature = SshVerifier(), signer.signature(b"yes", namespace="vote")
    for number in range(2 * MOST):
        who = "alice" if number == 0 else f"person-{number}"
        verifier.begin_check(b"yes", signature, namespace="vote", person=who, keys=keys, at=AT)
    assert len(started) == MOST
    verifier.check(b"yes", signature, namespace="vote", person="alice", keys=keys, at=AT)
    for late in (1, 2 * MOST - 1):
        with pytest.raises(VerificationError, match="is not signed by"):
            verifier.check(b"yes", signature, namespace="vote", person=f"person-{late}", keys=keys, at=AT)
    assert len(started) == MOST + 1, "what was begun is not begun again"
    verifier.close()


def test_what_was_begun_answers_its_own_question_only(signer: SshSigner) -> None:
    keys = Keys(f"alice {signer.public_key}\n".encode(), b"")
    verifier, signature = SshVerifier(), signer.signature(b"yes", namespace="vote")
    verifier.begin_check(b"yes", signature, namespace="vote", person="alice", keys=keys, at=AT)
    for message, namespace, known in ((b"no", "vote", keys), (b"yes", "other", keys), (b"yes", "vote", Keys(b"", b""))):
        with pytest.raises(VerificationError, match="is not signed by alice"):
            verifier.check(message, signature, namespace=namespace, person="alice", keys=known, at=AT)
    verifier.check(b"yes", signature, namespace="vote", person="alice", keys=keys, at=AT)
    verifier.close()


def test_an_armored_signature_has_one_form(signer: SshSigner) -> None:
    """Each single bit of it: a vertical tab in the place of a line's end would be read as one."""
    text = signer.signature(b"yes", namespace="vote")
    assert sshsig.armor(sshsig.dearmor(text)) == text
    blobs = set()
    for at in range(len(text)):
        for bit in range(8):
            turned = bytearray(text)
            turned[at] ^= 1 << bit
            try:
                blobs.add(sshsig.dearmor(bytes(turned)))
            except VerificationError:
                continue
    assert sshsig.dearmor(text) not in blobs
    for other in (text + b"\n", b"\n" + text, text.replace(b"\n", b"\r\n"), text[:-1]):
        with pytest.raises(VerificationError, match="ssh-keygen writes"):
            sshsig.dearmor(other)
