"""What is asked of a forge: pull requests, the one comment that is ours, who approved, and a workflow's start.

Whatever is done twice is done once: a comment is written over, a branch has one pull request. Every method raises
`ForgeForbidden` where the token may not, `ForgeUnavailable` where the forge answers nothing for now, and `ForgeError`
where it answers otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Written(StrEnum):
    """What became of something that is written once."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True)
class PullRequest:
    number: int
    url: str
    branch: str
    """The branch that it asks to merge, in `refs/heads/` or in the fork's."""
    base: str
    """The branch that it asks to merge into."""
    head: str
    """The commit that its branch stands at."""
    state: PullState
    fork: bool
    """Whether the branch is in another repository, or in one that is gone."""


@dataclass(frozen=True)
class Opened:
    pull: PullRequest
    written: Written


@dataclass(frozen=True)
class Approver:
    """Somebody whose last word on a pull request is an approval of the commit that was asked about."""

    login: str
    author: bool = False
    """Whether it is their own."""


class Forge(Protocol):
    def pull(self, number: int) -> PullRequest: ...

    def comment(self, number: int, text: str) -> Written:
        """Write the comment of a pull request that begins with the first line of `text`: over an earlier one of ours,
        or a new one. Somebody else's that begins so is left alone."""

    def open(self, branch: str, *, head: str, title: str, body: str, base: str = "main") -> Opened:
        """The pull request of `branch`, which stands at `head`: the open one, or one that was closed or merged with
        this very commit (people have answered it), or a new one. One that `close` closed is opened again."""

    def ours(self, *, base: str = "main") -> tuple[PullRequest, ...]:
        """The open pull requests onto `base` that we opened ourselves, by number."""

    def close(self, number: int, *, why: str) -> Opened:
        """Close a pull request, and say why above its words. One that was closed so and that people opened again stays
        open."""

    def approvers(self, number: int, *, head: str) -> tuple[Approver, ...]:
        """Who approved the pull request's commit `head`, by login. A later word of theirs takes it back."""

    def in_team(self, team: str, login: str) -> bool:
        """Whether `login` is in the team `organisation/name`. Raises `ForgeForbidden` where the token may not know."""

    def start(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow (its file's name) as it stands at the branch `ref`."""
