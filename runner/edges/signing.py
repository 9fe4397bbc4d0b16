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
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from runner.edges import dsse, sshsig
from runner.errors import SigningError, VerificationError
from runner.ports_promotion import Keys
from runner.rules.canonical import canonical, sha256
from runner.rules.strict_json import strict_json

PERSON = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
MOST = 32
"""Signatures begun on at once: who pushes ten thousand envelopes starts no ten thousand processes."""


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


def _start(*arguments: str, stdin: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [ssh_keygen(), *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
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


class _Question(NamedTuple):
    """Whether `person` signed the message with a key that counts at that time."""

    message: bytes
    signature: bytes
    """Armored."""
    namespace: str
    person: str
    keys: Keys
    at: str

    @property
    def name(self) -> str:
        parts = (sha256(self.message), sha256(self.signature), self.namespace, self.person, self.keys.digest, self.at)
        return sha256("\n".join(parts).encode())


class SshVerifier:
    """Verifies envelopes and bare signatures against a policy's keys. A question is asked once, and `begin` lets
    ssh-keygen work on it while this process goes on. What is `answered` already, another process has asked."""

    def __init__(self, *, answered: Callable[[], Mapping[str, str]] = dict) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="hallmark-keys-")
        self._begun: dict[str, tuple[_Question, subprocess.Popen[bytes]]] = {}
        self._answered = answered

    @cached_property
    def _answers(self) -> dict[str, str]:
        """By the question's name: why the signature does not hold, empty where it does."""
        return dict(self._answered())

    def answers(self) -> Mapping[str, str]:
        """What ssh-keygen says to everything that was begun, for another process to be told."""
        for name, begun in self._begun.items():
            self._answers[name] = self._answer(*begun)
        self._begun.clear()
        return self._answers

    def close(self) -> None:
        """End what was begun and never asked, and remove the files that ssh-keygen read."""
        for _, process in self._begun.values():
            process.kill()
            process.communicate()
        self._begun.clear()
        self._scratch.cleanup()

    def open(self, data: bytes, *, payload_type: str, namespace: str, person: str, keys: Keys, at: str) -> bytes:
        """The payload that `person` signed. Raises `VerificationError` with why it does not hold.

        `at` is the time (ISO 8601, UTC) at which the key must be valid.
        """
        envelope, armored = _signed(data, payload_type, namespace)
        self.check(envelope.pae, armored, namespace=namespace, person=person, keys=keys, at=at)
        return envelope.payload

    def begin(self, data: bytes, *, payload_type: str, namespace: str, person: str, keys: Keys, at: str) -> None:
        """Begin on what `open` will be asked. What is wrong with the envelope is said there."""
        try:
            envelope, armored = _signed(data, payload_type, namespace)
        except VerificationError:
            return
        self.begin_check(envelope.pae, armored, namespace=namespace, person=person, keys=keys, at=at)

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
        question = _Question(message, sshsig.armor(sshsig.dearmor(signature)), namespace, person, keys, at)
        name = question.name
        if name not in self._answers:
            _, process = self._begun.pop(name) if name in self._begun else (question, self._ask(question))
            self._answers[name] = self._answer(question, process)
        if problem := self._answers[name]:
            raise VerificationError(problem)

    def begin_check(
        self, message: bytes, signature: bytes, *, namespace: str, person: str, keys: Keys, at: str
    ) -> None:
        """Begin on what `check` will be asked."""
        try:
            question = _Question(message, sshsig.armor(sshsig.dearmor(signature)), namespace, person, keys, at)
        except VerificationError:
            return
        name = question.name
        if len(self._begun) < MOST and PERSON.match(person) and name not in self._answers and name not in self._begun:
            self._begun[name] = question, self._ask(question)

    def _ask(self, question: _Question) -> subprocess.Popen[bytes]:
        allowed, revoked = self._file(question.keys.allowed_signers), self._file(question.keys.revoked)
        moment = question.at.translate({ord(sign): None for sign in "-:TZ"})
        arguments = ["-f", allowed, "-r", revoked, "-I", question.person, "-n", question.namespace]
        arguments += ["-s", self._file(question.signature), "-O", f"verify-time={moment}"]
        with open(self._file(question.message), "rb") as message:
            return _start("-Y", "verify", *arguments, stdin=message)

    def _answer(self, question: _Question, process: subprocess.Popen[bytes]) -> str:
        """Why the signature does not hold; empty where it does."""
        out, err = process.communicate()
        told = _last_line(err or out, process.returncode)
        for data, path in ((question.keys.allowed_signers, "allowed_signers"), (question.keys.revoked, "revoked")):
            told = told.replace(self._file(data), f"policy/{path}")
        return f"is not signed by {question.person}: {told}" if process.returncode else ""

    def _file(self, data: bytes) -> str:
        path = Path(self._scratch.name) / sha256(data)
        if not path.exists():
            path.write_bytes(data)
        return str(path)


def _signed(data: bytes, payload_type: str, namespace: str) -> tuple[dsse.Envelope, bytes]:
    """An envelope of that type for that purpose, and its armored signature. Raises `VerificationError`."""
    envelope = dsse.read(data)
    if envelope.payload_type != payload_type:
        raise VerificationError(f"its payload is {envelope.payload_type}, not {payload_type}")
    found = sshsig.parse(envelope.signature)
    if found.fingerprint != envelope.keyid:
        raise VerificationError("the key id is not the signing key's")
    if found.namespace != namespace:
        raise VerificationError(f"was signed for {found.namespace}, not for {namespace}")
    return envelope, sshsig.armor(envelope.signature)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return _last_line(done.stderr or done.stdout, done.returncode)


def _last_line(said: bytes, code: int) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit {code}"
