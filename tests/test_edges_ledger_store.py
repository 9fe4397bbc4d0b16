"""The ledger branch under racing writers and tampering, on real git."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.edges.git_write import GitRepository, RefUpdate
from runner.edges.ledger_store import LEDGER, GitLedgerStore, entry_bytes, entry_path, parse_entry
from runner.errors import LedgerRace, VerificationError
from runner.ledger import History, entry_digest, extend
from runner.records.ledger import Entry, EntryKind
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.canonical import digest
from tests.attack.writers import next_entry, race


def bare(path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
    return path


@pytest.mark.parametrize(
    ("clusters", "clones"), [(["desk"], False), (["desk", "shop", "bank"], False), (["desk"], True)]
)
def test_racing_writers_leave_no_gap_and_no_duplicate(tmp_path: Path, clusters: list[str], clones: bool) -> None:
    assert race(tmp_path, writers=4 if clones else 8, each=4, clusters=clusters, clones=clones) == []


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("clusters", "clones"), [(["desk"], False), (["desk", "shop", "bank"], False), (["desk"], True)]
)
def test_eight_writers_of_fifty_entries_each(tmp_path: Path, clusters: list[str], clones: bool) -> None:
    assert race(tmp_path, writers=8, each=50, clusters=clusters, clones=clones) == []


def test_a_race_that_is_always_lost_ends_with_a_clear_error(tmp_path: Path) -> None:
    """Another writer moves the branch every time between this one's look and its push: a cluster of its own does it."""
    origin, pauses = bare(tmp_path / "origin.git"), list[float]()
    store = GitLedgerStore(origin, remote=None, attempts=6, sleep=pauses.append)
    other = GitLedgerStore(origin, remote=None)

    class Overtaken(GitLedgerStore):
        def commit(self, entry: Entry, tip: str | None) -> str:
            made = super().commit(entry, tip)
            extend(other, "other", next_entry)
            return made

    store.__class__ = Overtaken
    with pytest.raises(LedgerRace, match="6 times; nothing was written, run the same command again"):
        store.append(next_entry(History("c")))
    assert len(pauses) == 6
    assert all(0 <= pause <= 0.05 * 2**at for at, pause in enumerate(pauses))
    assert (len(other.read("other")), other.read("c")) == (6, ())


def test_another_clusters_writer_takes_no_place(tmp_path: Path) -> None:
    """The branch moved between look and push, but the cluster's chain did not: the entry goes on top."""
    store = GitLedgerStore(bare(tmp_path / "origin.git"), remote=None)
    stale = store.tip()
    extend(store, "other", next_entry)
    first = next_entry(History("c"))
    looks = iter([stale, store.tip()])
    store.tip = lambda: next(looks)
    store.append(first)
    del store.tip
    assert store.read("c") == (first,)
    assert len(store.read("other")) == 1


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
    extend(store, "c", next_entry)
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


def of_a_release_before(entry: Entry, *later: str) -> bytes:
    """The entry's file as it would be had these fields come later; `hint` is a reason's."""
    said: dict[str, Any] = json.loads(entry_bytes(entry))
    for field in later:
        said.pop(field, None)
        for reason in said["verdict"]["reasons"]:
            reason.pop(field, None)
    return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def test_an_entry_of_before_a_field_came_keeps_its_place_in_the_chain(tmp_path: Path) -> None:
    store = GitLedgerStore(bare(tmp_path / "origin.git"), remote=None)
    refused = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="1", problem="no"),))
    first = Entry(cluster="c", sequence=1, previous=None, kind=EntryKind.QUEUED, iteration="it-1", verdict=refused)
    old = of_a_release_before(first, "promotion", "receipt", "hint")
    said = {name: value for name, value in json.loads(old).items() if name != "measured"}
    second = Entry(
        cluster="c", sequence=2, previous=digest(said), kind=EntryKind.PHASE, iteration="it-1", phase="intake"
    )
    files = {entry_path(first): old, entry_path(second): entry_bytes(second)}
    made = store.repository.commit_files([], files, "two releases")
    store.repository.update_refs([RefUpdate(LEDGER, made, None)])
    found = store.read("c")
    assert History.from_entries("c", found).head == entry_digest(second)
    assert entry_digest(found[0]) == digest(said) != entry_digest(first)
    assert entry_bytes(found[0]) == old
    assert extend(
        store,
        "c",
        lambda history: Entry(**{**dict(second), "sequence": 3, "previous": history.head, "phase": "ingest"}),
    )
    assert len(store.read("c")) == 3


def test_what_an_entry_leaves_out_or_adds_is_not_open_to_choice() -> None:
    first = Entry(cluster="c", sequence=1, previous=None, kind=EntryKind.QUEUED, iteration="it-1")
    for data in (
        of_a_release_before(first, "kind"),
        of_a_release_before(first, "previous"),
        entry_bytes(first).replace(b' "version"', b' "verzion": 1,\n "version"'),
        entry_bytes(first).replace(b'"version": 1', b'"version": "1"'),
        entry_bytes(first).replace(b'"version": 1', b'"version": 1.0'),
        entry_bytes(first).replace(b'"version": 1', b'"version": 1,\n "version": 1'),
        entry_bytes(first).replace(b"\n", b""),
    ):
        with pytest.raises(VerificationError, match="c/00000001"):
            parse_entry(data, path="c/00000001.json")


def test_refs_move_together_or_not_at_all(tmp_path: Path) -> None:
    repository = GitRepository(bare(tmp_path / "origin.git"))
    commit = repository.commit_files([], {"a": b"1"}, "one")
    repository.update_refs([RefUpdate("refs/heads/one", commit, None)])
    with pytest.raises(Exception, match="one"):
        repository.update_refs([RefUpdate("refs/heads/two", commit, None), RefUpdate("refs/heads/one", commit, None)])
    assert repository.resolve("refs/heads/two") is None
    assert repository.resolve(LEDGER) is None
