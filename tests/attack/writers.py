"""Writers that race for one ledger branch: processes of their own, real git, several clusters."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from runner.edges.ledger_store import LEDGER, GitLedgerStore
from runner.ledger import PHASES, History, extend
from runner.records.ledger import Entry, EntryKind


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


def write(path: Path, remote: str | None, clusters: Sequence[str], count: int) -> list[tuple[str, int]]:
    """What one writer does: `count` appends, the clusters in turn. (cluster, sequence) of each entry it made."""
    store = GitLedgerStore(path, remote=remote)
    made = [extend(store, clusters[at % len(clusters)], next_entry) for at in range(count)]
    return [(entry.cluster, entry.sequence) for entry in made if entry]


def race(
    home: Path, *, writers: int, each: int, clusters: Sequence[str] = ("desk",), clones: bool = False
) -> list[str]:
    """Race below the empty directory `home`, on one bare repository or from a clone a writer. What went wrong."""
    origin = home / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    paths = [home / f"clone-{at}" if clones else origin for at in range(writers)]
    for path in paths if clones else ():
        subprocess.run(["git", "clone", "-q", str(origin), str(path)], check=True, capture_output=True)
    remote = "origin" if clones else None
    with ProcessPoolExecutor(writers) as pool:
        turns = [[*clusters[at % len(clusters) :], *clusters[: at % len(clusters)]] for at in range(writers)]
        futures = [pool.submit(write, path, remote, turn, each) for path, turn in zip(paths, turns, strict=True)]
        said = sorted(one for future in futures for one in future.result())
    return problems(origin, said, clusters=clusters, total=writers * each)


def problems(origin: Path, said: Sequence[tuple[str, int]], *, clusters: Sequence[str], total: int) -> list[str]:
    """Gaps, duplicates and lost entries of a ledger, against what its writers say that they wrote."""
    store, found = GitLedgerStore(origin, remote=None), []
    chains = {cluster: History.from_entries(cluster, store.read(cluster)) for cluster in clusters}
    there = sorted((cluster, entry.sequence) for cluster, chain in chains.items() for entry in chain.entries)
    if there != list(said):
        found.append(f"the writers wrote {len(said)} entries, the ledger has {len(there)}")
    if len(said) != total or len(set(said)) != total:
        found.append(f"{total} appends made {len(set(said))} entries")
    commits = int(subprocess.check_output(["git", "-C", str(origin), "rev-list", "--count", LEDGER]))
    if commits != total:
        found.append(f"{total} appends made {commits} commits")
    return found
