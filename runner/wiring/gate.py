"""Settings to the edges that judging needs, and no others: the hook, `gate` and `verify` start with these."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from runner.edges.adapter_store import DvcAdapterStore
from runner.edges.aside import Aside
from runner.edges.clock import now as now
from runner.edges.dvc_objects import DvcObjects
from runner.edges.git_calls import Said
from runner.edges.git_write import GitRepository
from runner.edges.ledger_store import LEDGER, GitLedgerStore
from runner.edges.signing import SshVerifier
from runner.edges.yaml_files import parse
from runner.errors import GitError
from runner.promotion.governed import Ahead
from runner.promotion.sources import Beside, Sources
from runner.promotion.updates import MAIN
from runner.records.ledger import Entry


@dataclass(frozen=True)
class Room:
    """One repository, as the promotion verbs see it. With a remote, main, ledger and branches are the remote's."""

    path: Path
    remote: str | None
    store: DvcAdapterStore | None
    """None leaves adapters' bytes out."""
    asked: Callable[[], Said] = dict
    """What another process has asked git."""
    answered: Callable[[], Mapping[str, str]] = dict
    """What ssh-keygen has told it."""

    @cached_property
    def repository(self) -> GitRepository:
        return GitRepository(self.path, asked=self.asked)

    @cached_property
    def ledger(self) -> GitLedgerStore:
        return GitLedgerStore(self.path, remote=self.remote, repository=self.repository)

    @cached_property
    def verifier(self) -> SshVerifier:
        return SshVerifier(answered=self.answered)

    def close(self) -> None:
        """End git's process and remove what ssh-keygen read, as the end of this one would."""
        self.repository.close()
        self.verifier.close()

    def sources(self, ahead: Ahead = dict) -> Sources:
        """Fresh: the ledger is read as it now stands. `ahead` is what another process reads of scenarios meanwhile."""
        return Sources(self.repository, parse, self.verifier, self.ledger.read, self.store, ahead)

    def offline(self) -> Sources:
        """The ledger as this clone has it; nothing is fetched, and adapters' bytes are left out."""
        beside = self._beside(lambda own: own._local_ledger)
        return Sources(self.repository, parse, self.verifier, self._local_ledger, beside=beside)

    def _local_ledger(self, cluster: str) -> tuple[Entry, ...]:
        return self.ledger.read_at(self.tip(LEDGER), cluster)

    def pushed(self, ref: str, new: str, ahead: Ahead = dict) -> Sources:
        """What a hook reads: the ledger is the one that the push would make of it."""
        if ref != LEDGER:
            return replace(self.sources(ahead), beside=self._beside(lambda own: own.ledger.read))
        return Sources(self.repository, parse, self.verifier, lambda cluster: self.ledger.read_at(new, cluster))

    def _beside(self, ledger: Callable[[Room], Callable[[str], tuple[Entry, ...]]]) -> Beside:
        """In a copy of this process, which asks a git and an ssh-keygen of its own and reads that `ledger`; in this
        one where the copy came to nothing."""

        def begin(sources: Sources, work: Callable[[Sources], Iterable[str]]) -> Callable[[], Sequence[str]]:
            def copied() -> bytes:
                with closing(replace(self, asked=dict, answered=dict)) as own:
                    theirs = replace(sources, objects=own.repository, verifier=own.verifier, ledger=ledger(own))
                    return json.dumps(list(work(theirs))).encode()

            begun = Aside(copied)

            @cache
            def answer() -> Sequence[str]:
                found = begun.result()
                return tuple(json.loads(found) if found else work(sources))

            return answer

        return begin

    @property
    def heads(self) -> str:
        """Where the branches stand: the remote's, as they were fetched last, or this repository's own."""
        return f"refs/remotes/{self.remote}/" if self.remote else "refs/heads/"

    def refresh(self) -> None:
        """Fetch the remote's branches and tags, where there is one."""
        if self.remote:
            self.repository.fetch(self.remote)

    def tip(self, ref: str) -> str | None:
        """A branch as this clone has it: what was fetched last, before what is local."""
        fetched = ref.replace("refs/heads/", "refs/remotes/origin/")
        return self.repository.resolve(fetched) or self.repository.resolve(ref)

    def now_at(self, ref: str) -> str | None:
        """A branch as it is now: the remote's, which is asked, where there is one."""
        return self.repository.remote_ref(self.remote, ref) if self.remote else self.repository.resolve(ref)

    def main(self) -> str:
        """Main's tip, the remote's where there is one. Raises `GitError` where there is no main."""
        found = self.now_at(MAIN)
        if found is None:
            raise GitError(f"{self.path} has no main")
        return found


def bare(
    path: Path,
    *,
    store: Path | None = None,
    asked: Callable[[], Said] = dict,
    answered: Callable[[], Mapping[str, str]] = dict,
) -> Room:
    """The bare repository at `path`, which is its own truth: what a hook guards."""
    return Room(path, None, _adapters(path, store), asked, answered)


def room(path: Path, *, store: Path | None = None, with_bytes: bool = True) -> Room:
    """The repository at `path`: a bare one is its own truth; a clone follows its `origin`, if it has one."""
    with GitRepository(path) as git:
        bare = git.run("rev-parse", "--is-bare-repository").strip() == b"true"
        top = path if bare else Path(git.run("rev-parse", "--show-toplevel").decode().strip())
        remotes = [] if bare else git.run("remote").decode().split()
    return Room(top, "origin" if "origin" in remotes else None, _adapters(top, store) if with_bytes else None)


def _adapters(top: Path, store: Path | None) -> DvcAdapterStore:
    return DvcAdapterStore(DvcObjects.in_folder(store) if store else DvcObjects.of_work_tree(top))
