"""The ledger branch in git: `<cluster>/<seq8>.json`, fast-forward only; git's ref update is the compare-and-swap."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from runner.edges.git_write import GitRepository, RefUpdate
from runner.edges.write_points import WritePoint, reach
from runner.errors import LedgerRace, RefMovedError, VerificationError
from runner.ledger import entry_digest
from runner.records.ledger import Entry

LEDGER = "refs/heads/ledger"
SHORTEST, LONGEST = 0.05, 0.5
"""Seconds that a writer waits at most after its first lost race, and after many."""


def entry_path(entry: Entry) -> str:
    return f"{entry.cluster}/{entry.sequence:08d}.json"


def entry_bytes(entry: Entry) -> bytes:
    """Sorted keys, one a line, so that a diff can be read."""
    text = json.dumps(entry.content(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def parse_entry(data: bytes, *, path: str) -> Entry:
    """The entry that belongs at `path`. What it leaves out has its default, and is no part of its digest: an entry of
    an earlier release, which had fewer fields, stays what it was.

    Raises `VerificationError` for an unknown key, and for all but the bytes that what the entry says is written in.
    """
    try:
        entry = Entry.model_validate_json(data)
        written = entry_bytes(entry)
        if written != data:
            entry = entry.as_read()
            written = entry_bytes(entry)
    except ValidationError as error:
        raise VerificationError(f"{path} is not a ledger entry: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise VerificationError(f"{path} is not a ledger entry: {error}") from error
    if entry_path(entry) != path or written != data:
        raise VerificationError(f"{path} does not hold the bytes of the entry that belongs there")
    return entry


class GitLedgerStore:
    """`ports.LedgerStore` on the branch `ledger` of `remote`, or of the repository itself where `remote` is none."""

    def __init__(
        self,
        path: Path,
        *,
        remote: str | None = "origin",
        name: str = "hallmark",
        repository: GitRepository | None = None,
        attempts: int = 40,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`attempts` bounds how often one entry may lose the race for the branch. A `repository` at `path` that is open
        already is used."""
        self._git = repository or GitRepository(path, name=name)
        self._remote = remote
        self._attempts, self._sleep = attempts, sleep
        self._entries: dict[tuple[str, str], Entry] = {}
        """Parsed entries by path and blob."""

    @property
    def repository(self) -> GitRepository:
        return self._git

    def tip(self) -> str | None:
        """The ledger's present commit; none before the first entry. The remote is asked every time."""
        if self._remote is None:
            return self._git.resolve(LEDGER)
        return self._git.remote_ref(self._remote, LEDGER)

    def read(self, cluster: str) -> tuple[Entry, ...]:
        """The cluster's entries, in order. Raises `VerificationError` for a file that is not the entry it should be."""
        return self.read_at(self.tip(), cluster)

    def read_at(self, tip: str | None, cluster: str) -> tuple[Entry, ...]:
        if tip is None:
            return ()
        keys = [(path, file.blob) for path, file in sorted(self._git.files(tip, cluster).items())]
        fresh = [blob for path, blob in keys if (path, blob) not in self._entries]
        read = self._git.blobs(list(dict.fromkeys(fresh)))
        for path, blob in keys:
            if (path, blob) not in self._entries:
                self._entries[(path, blob)] = parse_entry(read[blob], path=path)
        return tuple(self._entries[key] for key in keys)

    def commit(self, entry: Entry, tip: str | None) -> str:
        """The commit that adds `entry` to the ledger at `tip`. Raises `LedgerRace` unless it is the next one there."""
        before = self.read_at(tip, entry.cluster)
        previous = entry_digest(before[-1]) if before else None
        if (entry.sequence, entry.previous) != (len(before) + 1, previous):
            raise LedgerRace(
                f"the ledger of {entry.cluster} is at {len(before)}; entry {entry.sequence} does not follow"
            )
        # two writers of the same entry must not make the same commit: pushing what is there already succeeds
        subject = f"{entry.cluster} {entry.sequence}: {entry.kind.value} {entry.phase or entry.iteration}"
        message = f"{subject}\n\nWriter: {secrets.token_hex(8)}\n"
        return self._git.commit_files([tip] if tip else [], {entry_path(entry): entry_bytes(entry)}, message)

    def append(self, entry: Entry) -> None:
        """Add one entry. Raises `LedgerRace` where another writer took its place in the cluster's chain.

        Who moved the branch with another cluster's entry takes nothing: this one is put on top of that. The pauses
        between are random and double up to a bound, so that writers spread out instead of meeting again.
        """
        for attempt in range(self._attempts):
            tip = self.tip()
            made = self.commit(entry, tip)
            reach(WritePoint.ENTRY_STORED, entry_path(entry))
            try:
                self._move(made, tip)
            except RefMovedError:
                self._sleep(random.uniform(0, min(LONGEST, SHORTEST * 2**attempt)))
            else:
                reach(WritePoint.ENTRY_APPENDED, entry_path(entry))
                return
        raise LedgerRace(
            f"entry {entry.sequence} of {entry.cluster}: other writers moved the ledger first, {self._attempts} times; "
            "nothing was written, run the same command again"
        )

    def _move(self, made: str, tip: str | None) -> None:
        if self._remote is None:
            self._git.update_refs([RefUpdate(LEDGER, made, tip)])
        else:
            self._git.push(self._remote, {LEDGER: made})
