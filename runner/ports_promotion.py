"""The outside of the promotion room: keys and signatures, a repository's objects, where adapters' bytes are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from runner.records.change import Commit, File, PathChange
from runner.rules.canonical import tree_digest

if TYPE_CHECKING:  # what asks of signatures alone begins without pydantic
    from runner.records.promotion import PromotionRecord


@dataclass(frozen=True)
class Keys:
    """A policy's keys, in OpenSSH's own formats."""

    allowed_signers: bytes
    revoked: bytes

    @cached_property
    def digest(self) -> str:
        return tree_digest({"allowed_signers": self.allowed_signers, "revoked": self.revoked})


class Signer(Protocol):
    """One private key."""

    @property
    def public_key(self) -> str:
        """`<type> <base64>`."""

    def sign(self, payload: bytes, *, payload_type: str, namespace: str) -> bytes:
        """A DSSE envelope. Raises `SigningError`."""

    def signature(self, message: bytes, *, namespace: str) -> bytes:
        """An armored SSH signature. Raises `SigningError`."""


class Verifier(Protocol):
    def open(self, data: bytes, *, payload_type: str, namespace: str, person: str, keys: Keys, at: str) -> bytes:
        """The payload that `person` signed. Raises `VerificationError` with why it does not hold."""

    def begin(self, data: bytes, *, payload_type: str, namespace: str, person: str, keys: Keys, at: str) -> None:
        """Begin on what `open` will be asked, and do not wait."""

    def peek(self, data: bytes) -> bytes:
        """An envelope's payload, unverified."""

    def claimed(self, data: bytes) -> str:
        """The person that an envelope's statement names. Unverified: it says whom to ask `open` about."""

    def check(self, message: bytes, signature: bytes, *, namespace: str, person: str, keys: Keys, at: str) -> None:
        """The same for a bare signature."""

    def begin_check(
        self, message: bytes, signature: bytes, *, namespace: str, person: str, keys: Keys, at: str
    ) -> None: ...


class AdapterStore(Protocol):
    """Where promoted adapters' bytes are: transport, whose every byte is checked by whoever asks."""

    def fetch(self, record: PromotionRecord) -> Mapping[str, bytes]:
        """The adapter's files by relative path. Raises `DataError` where they cannot be had."""

    def base(self, record: PromotionRecord) -> Mapping[str, bytes] | None:
        """The files of the base under it, where the record says where they are. Raises `DataError`."""


class Objects(Protocol):
    """A repository's objects and refs, read without work tree, index or configuration."""

    def resolve(self, ref: str) -> str | None: ...

    def refs(self, prefix: str) -> Mapping[str, str]: ...

    def commit(self, oid: str) -> Commit: ...

    def object(self, oid: str) -> tuple[str, bytes]: ...

    def blob(self, oid: str) -> bytes: ...

    def blobs(self, oids: Sequence[str]) -> Mapping[str, bytes]: ...

    def read(self, commit: str, path: str) -> bytes:
        """Raises `RecordError` where there is no such file."""

    def files(self, commit: str, prefix: str = "") -> Mapping[str, File]: ...

    def names(self, commit: str, directory: str) -> tuple[str, ...]:
        """What a directory holds itself."""

    def tree_at(self, commit: str, directory: str) -> str:
        """The directory's object; empty where there is none."""

    def diff(self, old: str | None, new: str) -> tuple[PathChange, ...]: ...

    def touched(self, commit: str) -> frozenset[str]: ...

    def incoming(self, old: str, new: str) -> tuple[str, ...]: ...

    def graph(self, tip: str) -> Mapping[str, tuple[str, ...]]: ...


class Repository(Objects, Protocol):
    """A repository that commits are made in and refs moved in, by compare-and-swap."""

    def write(self, kind: str, content: bytes) -> str: ...

    def commit_files(
        self, parents: Sequence[str], files: Mapping[str, bytes | File | None], message: str, *, base: str | None = None
    ) -> str: ...

    def merge_base(self, one: str, other: str) -> str:
        """The best common ancestor. Raises `GitError` where the two share no history."""

    def move(self, refs: Mapping[str, tuple[str, str | None]]) -> None:
        """`{ref: (new, old)}`, all or none. Raises `GitError` where another writer was first."""

    def remote_ref(self, remote: str, ref: str) -> str | None: ...

    def push(self, remote: str, updates: Mapping[str, str], *, atomic: bool = False) -> None: ...

    def uncommitted(self) -> tuple[str, ...]:
        """The tracked files of the work tree that are not as committed."""
