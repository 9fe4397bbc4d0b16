"""What the fleet's table reads of a repository: names of refs, the ledger's last entries, and a few files a cluster.

One git process gives all objects, two say where the refs are: the time of a fleet does not go into starting programs.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from runner.edges.git_objects import read_tree
from runner.edges.git_write import GitRepository
from runner.edges.ledger_store import LEDGER, entry_path
from runner.errors import GitError, VerificationError
from runner.ledger import PHASES
from runner.records.change import File
from runner.records.ledger import Entry, EntryKind

MAIN = "refs/heads/main"
HEADS, TAGS, FETCHED = "refs/heads/", "refs/tags/", "refs/remotes/origin/"
END = ".dsse.json"


class Tip(NamedTuple):
    commit: str
    since: str
    """When it was committed, ISO 8601 in UTC; empty where the commit is not here."""


class FleetReading:
    """A clone with its `origin`, where it has one; else the repository's own branches."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self._git = GitRepository(top)
        self._dates: dict[str, str] = {}
        self.refs: Mapping[str, Tip] = {}
        """Branches and tags by full name."""
        self.broken: dict[str, str] = {}
        """Clusters whose ledger cannot be read, and why."""
        self.behind = False
        """Whether main there is another than main here."""

    def look(self, *, offline: bool) -> None:
        """Learn where branches and tags are: of the remote now, or (`offline`) as they were fetched last."""
        local = dict(self._listed())
        cloned = any(name.startswith(FETCHED) for name in local)
        if cloned and not offline:
            there = self._there()
            self.refs = {name: Tip(commit, self._dates.get(commit, "")) for name, commit in there.items()}
            self.behind = MAIN in local and MAIN in there and local[MAIN].commit != there[MAIN]
            return
        heads = FETCHED if cloned else HEADS
        self.refs = {
            HEADS + name.removeprefix(heads) if name.startswith(heads) else name: tip
            for name, tip in local.items()
            if name.startswith((heads, TAGS))
        }

    def _there(self) -> Mapping[str, str]:
        try:
            return self._git.remote_refs("origin")
        except GitError as error:
            raise GitError(f"{error}\n`hallmark status --offline` shows the fleet as it was fetched last") from error

    def _listed(self) -> Iterator[tuple[str, Tip]]:
        form = "--format=%(objectname) %(committerdate:unix) %(refname)"
        for line in self._git.run("for-each-ref", form).decode(errors="surrogateescape").splitlines():
            commit, seconds, name = line.split(" ", 2)
            since = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
            self._dates[commit] = since
            yield name, Tip(commit, since)

    def tails(
        self, clusters: Sequence[str], *, told: Callable[[Sequence[Entry], bool], bool]
    ) -> dict[str, tuple[Entry, ...]]:
        """The last ledger entries of each cluster, oldest first: as many as `told` asks for, who is given those read
        so far and whether they are all. What is not the entry that it should be makes the cluster one of `broken`."""
        at = self.refs.get(LEDGER)
        if at is None:
            return dict.fromkeys(clusters, ())
        self._bring(LEDGER, at.commit)
        trees = self._git.contents([f"{at.commit}:{name}" for name in clusters])
        files = {name: _entries(name, tree) for name, tree in zip(clusters, trees, strict=True)}
        found: dict[str, list[Entry]] = {name: [] for name in clusters}
        open_, step = list(clusters), 1
        while open_:
            asked = {name: files[name][: len(files[name]) - len(found[name])][-step:] for name in open_}
            read = self._git.blobs([file.blob for rows in asked.values() for _, file in rows])
            for name, rows in asked.items():
                try:
                    found[name][:0] = [_entry(read[file.blob], path) for path, file in rows]
                except VerificationError as error:
                    self.broken[name] = str(error)
            open_ = [name for name in open_ if name not in self.broken]
            open_ = [name for name in open_ if not told(found[name], len(found[name]) == len(files[name]))]
            open_ = [name for name in open_ if len(found[name]) < len(files[name])]
            step *= 4
        return {name: tuple(entries) for name, entries in found.items()}

    def _bring(self, ref: str, commit: str) -> None:
        """The objects of a ref that the remote has moved since."""
        if commit not in self._dates and not self._git.has(commit):
            self._git.remote_ref("origin", ref)

    def run_files(self, wanted: Mapping[str, str], file: str) -> dict[str, bytes]:
        """A file of the runs' folder on the branch of each cluster's iteration in `wanted`; those that are here."""
        names = {}
        for cluster, iteration in wanted.items():
            at = self.refs.get(f"{HEADS}runs/{cluster}/{iteration}")
            if at is not None and at.commit in self._dates:
                names[cluster] = f"{at.commit}:clusters/{cluster}/run/{file}"
        found = self._git.contents(list(names.values()))
        return {cluster: data for cluster, data in zip(names, found, strict=True) if data is not None}

    def decisions(self, proposals: Sequence[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
        """Who decided what, by the ref of each proposal, given with the folder of its envelopes; signatures are not
        checked."""
        here = [(ref, folder) for ref, folder in proposals if self.refs[ref].commit in self._dates]
        trees = self._git.contents([f"{self.refs[ref].commit}:{folder}" for ref, folder in here])
        files = [
            (ref, name, file.blob)
            for (ref, folder), tree in zip(here, trees, strict=True)
            for name, file in (read_tree(folder, tree) if tree is not None else {}).items()
            if name.endswith(END) and name != f"proposal{END}"
        ]
        envelopes = self._git.contents([blob for _, _, blob in files])
        found: dict[str, list[tuple[str, str]]] = {}
        for (ref, name, _), data in zip(files, envelopes, strict=True):
            found.setdefault(ref, []).append((name.removesuffix(END), _decision(data or b"")))
        return found

    def names(self, folder: str) -> tuple[str, ...]:
        """What a folder of the work tree holds itself, sorted; nothing where there is none, or only a link to one."""
        path = self.top / folder
        try:
            return () if path.is_symlink() else tuple(sorted(os.listdir(path)))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def close(self) -> None:
        self._git.close()


def top_of(path: Path) -> Path | None:
    """The work tree that `path` is in, found without asking git; None outside of one."""
    here = path.resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)


def _entries(cluster: str, tree: bytes | None) -> list[tuple[str, File]]:
    """The files of a cluster's ledger, in its order; none where it has none."""
    files = read_tree(cluster, tree) if tree is not None else {}
    return [(f"{cluster}/{name}", file) for name, file in sorted(files.items())]


def _entry(data: bytes, path: str) -> Entry:
    """As it says, and at its place; whether its bytes are canonical and the chain holds, `verify` looks at."""
    try:
        entry = Entry.model_validate_json(data)
    except ValidationError as error:
        raise VerificationError(f"{path} is not a ledger entry: {error.errors()[0]['msg']}") from error
    if entry_path(entry) != path:
        raise VerificationError(f"{path} does not hold the entry that belongs there")
    if (entry.phase or entry.kind is EntryKind.PHASE) and entry.phase not in PHASES:
        raise VerificationError(f"{path} names a phase {entry.phase!r}, and there is none")
    return entry


def _decision(envelope: bytes) -> str:
    """`approve` or `reject`, or nothing where it does not say."""
    try:
        statement = json.loads(base64.b64decode(json.loads(envelope)["payload"], validate=True))
        return str(statement["predicate"]["decision"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return ""
