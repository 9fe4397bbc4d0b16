"""What becomes of the origin: its branches, tags and ledger, and the pull requests beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.rehearsal.forge import Forge

LEDGER, MAIN = "ledger", "main"


class Origin:
    """`since` tells in words what has changed since it was asked last."""

    def __init__(self, forge: Forge, cluster: str) -> None:
        self.forge, self.cluster = forge, cluster
        self.refs, self._entries, self._pulls = self._now(), self._count(), 0

    def since(self) -> str:
        before, self.refs = self.refs, self._now()
        entries, self._entries = self._entries, self._count()
        pulls, self._pulls = self._pulls, len(self.forge.pulls.pulls)
        made = [name for name in self.refs if name not in before and name != LEDGER]
        moved = [name for name, at in self.refs.items() if before.get(name, at) != at and name not in (MAIN, LEDGER)]
        opened = [f"#{number}" for number in list(self.forge.pulls.pulls)[pulls:]]
        said = {
            f"main → {self.refs[MAIN][:7]}": before[MAIN] != self.refs[MAIN],
            f"new: {', '.join(_short(made))}": made,
            f"moved: {', '.join(_short(moved))}": moved,
            f"ledger +{self._entries - entries}": self._entries != entries,
            f"pull request {', '.join(opened)}": opened,
        }
        return "; ".join(words for words, holds in said.items() if holds)

    def branches(self, kind: str) -> list[str]:
        """The cluster's branches of a kind: `runs`, `triage`, `promote` or `rollback`."""
        found = self.forge.git("for-each-ref", "--format=%(refname:short)", f"refs/heads/{kind}/{self.cluster}/")
        return found.split()

    def waiting(self, kind: str) -> str:
        """The newest of these with an open pull request; empty for none."""
        return next((one for one in reversed(self.branches(kind)) if self.forge.pulls.of_branch(one)), "")

    def passed(self) -> list[tuple[str, str]]:
        """Iteration and phase of everything that passed, in the ledger's order."""
        entries = [entry for entry in self._ledger() if entry["kind"] == "phase"]
        return [(entry["iteration"], entry["phase"]) for entry in entries if entry["verdict"]["outcome"] == "pass"]

    def _ledger(self) -> list[dict[str, Any]]:
        return [json.loads(self.forge.git("show", f"{LEDGER}:{name}")) for name in self._names(f"{self.cluster}/")]

    def _count(self) -> int:
        return len(self._names())

    def _names(self, *below: str) -> list[str]:
        if self.forge.tip(LEDGER) is None:
            return []
        return self.forge.git("ls-tree", "-r", "--name-only", LEDGER, *below).splitlines()

    def _now(self) -> dict[str, str]:
        """Where branches and tags stand, by their short names."""
        said = self.forge.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
        pairs = (line.split() for line in said.splitlines())
        return {name.split("/", 2)[2] if "/heads/" in name else name: at for name, at in pairs}


def _short(names: Sequence[str]) -> list[str]:
    plain = [name.removeprefix("refs/tags/") if name.startswith("refs/") else name for name in names]
    return [f"tag {one}" if name.startswith("refs/") else one for name, one in zip(names, plain, strict=True)]
