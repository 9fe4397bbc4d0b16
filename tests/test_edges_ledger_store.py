"""The ledger branch under racing writers and tampering, on real git."""

from __future__ import annotations

import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from runner.edges.git_write import GitRepository, RefUpdate
from runner.edges.ledger_store import LEDGER, GitLedgerStore, append_with_retry, entry_path
from runner.errors import LedgerRace, VerificationError
from runner.ledger import PHASES, History
from runner.records.ledger import Entry, EntryKind


def bare(path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
    return path


def next_entry(history: History) -> Entry:
    """Whatever is legal next: phase after phase, iteration after iteration."""
    done = sum(1 for entry in history.entries if entry.kind is EntryKind.PHASE)
    queued = sum(1 for entry in history.entries if entry.kind is EntryKind.QUEUED)
    fresh = done == queued * len(PHASES)
    return Entry(
        cluster=history.cluster,
        sequence=history.size + 1,
        previous=history.head,
        kind=EntryKind.QUEUED if fresh else EntryKind.PHASE,
        iteration=f"it-{queued + fresh}",
        phase="" if fresh else PHASES[done % len(PHASES)],
    )


def write_entries(path: Path, remote: str | None, cluster: str, count: int) -> list[int]:
    store = GitLedgerStore(path, remote=remote)
    made = [append_with_retry(store, cluster, next_entry, attempts=400) for _ in range(count)]
    return [entry.sequence for entry in made if entry]


@pytest.mark.parametrize("remote", [None, "origin"])
def test_racing_writers_leave_no_gap_and_no_duplicate(tmp_path: Path, remote: str | None) -> None:
    origin = bare(tmp_path / "origin.git")
    paths = [origin] * 8
    if remote:
        paths = [tmp_path / f"clone-{at}" for at in range(4)]
        for path in paths:
            subprocess.run(["git", "clone", "-q", str(origin), str(path)], check=True, capture_output=True)
    each = 4
    with ProcessPoolExecutor(len(paths)) as pool:
        futures = [pool.submit(write_entries, path, remote, "c", each) for path in paths]
        sequences = sorted(sequence for future in futures for sequence in future.result())
    assert sequences == list(range(1, each * len(paths) + 1))
    store = GitLedgerStore(origin, remote=None)
    assert History.from_entries("c", store.read("c")).size == each * len(paths)


def test_a_stale_entry_is_a_race(tmp_path: Path) -> None:
    store = GitLedgerStore(bare(tmp_path / "origin.git"), remote=None)
    first = next_entry(History("c"))
    store.append(first)
    with pytest.raises(LedgerRace):
        store.append(first)
    assert store.read("c") == (first,)
    assert store.read("other") == ()


def test_a_file_that_is_not_its_entry_is_found(tmp_path: Path) -> None:
    store = GitLedgerStore(bare(tmp_path / "origin.git"), remote=None)
    append_with_retry(store, "c", next_entry)
    entry = store.read("c")[0]
    tip = store.tip()
    repository = store.repository
    good = repository.read(tip or "", entry_path(entry))
    for path, data in {
        entry_path(entry): good.replace(b"it-1", b"it-2") + b" ",
        "c/00000002.json": good,
        "c/notes.txt": b"hello",
    }.items():
        made = repository.commit_files([tip or ""], {path: data}, "tamper")
        with pytest.raises(VerificationError):
            store.read_at(made, "c")


def test_refs_move_together_or_not_at_all(tmp_path: Path) -> None:
    repository = GitRepository(bare(tmp_path / "origin.git"))
    commit = repository.commit_files([], {"a": b"1"}, "one")
    repository.update_refs([RefUpdate("refs/heads/one", commit, None)])
    with pytest.raises(Exception, match="one"):
        repository.update_refs([RefUpdate("refs/heads/two", commit, None), RefUpdate("refs/heads/one", commit, None)])
    assert repository.resolve("refs/heads/two") is None
    assert repository.resolve(LEDGER) is None
