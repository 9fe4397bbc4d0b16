"""ssh-keygen as signer and verifier, and DSSE envelopes around what it signs.

A signature is made over the envelope's PAE (securesystemslib), in the namespace of its purpose. The revocation file is
always given, and who signed is decided by `-Y verify -I <person>` alone (PROTOCOL.md, facts 2 to 4).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from runner.edges import dsse, sshsig
from runner.errors import SigningError, VerificationError
from runner.ports_promotion import Keys
from runner.rules.canonical import canonical, sha256
from runner.rules.strict_json import strict_json

PERSON = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}


@lru_cache(maxsize=1)
def ssh_keygen() -> str:
    """The absolute path of ssh-keygen. Raises `SigningError` where there is none."""
    found = shutil.which("ssh-keygen")
    if found is None:
        raise SigningError("ssh-keygen is not installed")
    return os.path.abspath(found)


def _run(*arguments: str, data: bytes, agent: bool = False) -> subprocess.CompletedProcess[bytes]:
    kept = {name: os.environ[name] for name in ("SSH_AUTH_SOCK", "HOME", "TMPDIR") if name in os.environ and agent}
    try:
        return subprocess.run(
            [ssh_keygen(), *arguments], input=data, capture_output=True, check=False, env={**ENVIRONMENT, **kept}
        )
    except OSError as error:
        raise SigningError(f"ssh-keygen cannot be run: {error}") from error


class SshSigner:
    """Signs with one private key (or, through ssh-agent, with the private half of a public key file)."""

    def __init__(self, key: Path) -> None:
        self.key = Path(key)
        if not self.key.is_file():
            raise SigningError(f"there is no key at {key}")

    @property
    def public_key(self) -> str:
        """`<type> <base64>`, without the comment."""
        public = self.key if self.key.suffix == ".pub" else self.key.with_name(self.key.name + ".pub")
        if public.is_file():
            text = public.read_text()
        else:
            done = _run("-y", "-P", "", "-f", str(self.key), data=b"")
            if done.returncode:
                raise SigningError(f"the public half of {self.key} cannot be read: {_said(done)}")
            text = done.stdout.decode()
        return " ".join(text.split()[:2])

    def signature(self, message: bytes, *, namespace: str) -> bytes:
        """The armored signature of `message`."""
        done = _run("-q", "-Y", "sign", "-n", namespace, "-f", str(self.key), data=message, agent=True)
        if done.returncode or not done.stdout:
            raise SigningError(f"ssh-keygen did not sign with {self.key}: {_said(done)}")
        return done.stdout

    def sign(self, payload: bytes, *, payload_type: str, namespace: str) -> bytes:
        """A DSSE envelope around `payload`, in the one form that `SshVerifier` accepts."""
        from securesystemslib.dsse import Envelope  # half of a gate's start, and a gate does not sign
        from securesystemslib.signer import Signature

        envelope = Envelope(payload, payload_type, {})
        blob = sshsig.dearmor(self.signature(envelope.pae(), namespace=namespace))
        keyid = sshsig.parse(blob).fingerprint
        envelope.signatures[keyid] = Signature(keyid, blob.hex())
        document: Any = envelope.to_dict()
        return canonical(document) + b"\n"


class SshVerifier:
    """Verifies envelopes and bare signatures against a policy's keys, from any thread. A question is asked once."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="hallmark-keys-")
        self._known: dict[tuple[str, ...], Future[str]] = {}
        self._lock = Lock()

    def open(self, data: bytes, *, payload_type: str, namespace: str, person: str, keys: Keys, at: str) -> bytes:
        """The payload that `person` signed. Raises `VerificationError` with why it does not hold.

        `at` is the time (ISO 8601, UTC) at which the key must be valid.
        """
        envelope = dsse.read(data)
        if envelope.payload_type != payload_type:
            raise VerificationError(f"its payload is {envelope.payload_type}, not {payload_type}")
        found = sshsig.parse(envelope.signature)
        if found.fingerprint != envelope.keyid:
            raise VerificationError("the key id is not the signing key's")
        if found.namespace != namespace:
            raise VerificationError(f"was signed for {found.namespace}, not for {namespace}")
        armored = sshsig.armor(envelope.signature)
        self.check(envelope.pae, armored, namespace=namespace, person=person, keys=keys, at=at)
        return envelope.payload

    def peek(self, data: bytes) -> bytes:
        """An envelope's payload, unverified."""
        return dsse.read(data).payload

    def claimed(self, data: bytes) -> str:
        """The person that an envelope's statement names. Unverified: it says whom to ask `open` about."""
        try:
            person = strict_json(self.peek(data))["predicate"]["person"]
        except (ValueError, KeyError, TypeError) as error:
            raise VerificationError("its statement names no person") from error
        if not isinstance(person, str) or not PERSON.match(person):
            raise VerificationError("its statement names no person")
        return person

    def check(self, message: bytes, signature: bytes, *, namespace: str, person: str, keys: Keys, at: str) -> None:
        """Raises `VerificationError` unless `person` signed `message` with a key that counts at that time."""
        if not PERSON.match(person):
            raise VerificationError(f"{person!r} is no person's name")
        question = (sha256(message), sha256(signature), namespace, person, keys.digest, at)
        with self._lock:
            answer, first = self._known.get(question), question not in self._known
            if answer is None:
                answer = self._known[question] = Future()
        if first:
            try:
                answer.set_result(self._verify(message, signature, namespace, person, keys, at))
            except BaseException as error:
                answer.set_exception(error)
                raise
        if problem := answer.result():
            raise VerificationError(problem)

    def _verify(self, message: bytes, signature: bytes, namespace: str, person: str, keys: Keys, at: str) -> str:
        """Why the signature does not hold; empty where it does."""
        allowed = self._file(keys.allowed_signers)
        revoked = self._file(keys.revoked)
        moment = at.translate({ord(sign): None for sign in "-:TZ"})
        with tempfile.NamedTemporaryFile(dir=self._scratch.name, suffix=".sig") as file:
            file.write(sshsig.armor(sshsig.dearmor(signature)))
            file.flush()
            arguments = ["-Y", "verify", "-f", allowed, "-r", revoked, "-I", person, "-n", namespace, "-s", file.name]
            done = _run(*arguments, "-O", f"verify-time={moment}", data=message)
        told = _said(done).replace(allowed, "policy/allowed_signers").replace(revoked, "policy/revoked")
        return f"is not signed by {person}: {told}" if done.returncode else ""

    def _file(self, data: bytes) -> str:
        path = Path(self._scratch.name) / sha256(data)
        if not path.exists():
            handle, part = tempfile.mkstemp(dir=self._scratch.name)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(part, path)
        return str(path)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit {done.returncode}"
