"""The outside of a triage session: where a list and its reviews are kept, and where candidates come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.records.triage import Review, TriageFile
from runner.records.triage_session import Step
from runner.rules.triage.background import Background
from runner.rules.triage.session import Session


@dataclass(frozen=True)
class Kept:
    """A list, one person's review of it (begun, where there was none), and everybody else's."""

    file: TriageFile
    review: Review
    others: tuple[Review, ...] = ()
    steps: tuple[Step, ...] = ()
    """What that person did in earlier sessions on this machine, oldest first."""


class ReviewStore(Protocol):
    """Where one person's review is kept. What was kept is there after a kill, and nothing that somebody else wrote
    meanwhile is written over."""

    name: str
    """The review, for messages."""

    def read(self) -> Kept:
        """Raises `RecordError` for a list or review that does not hold."""

    def keep(self, session: Session) -> None:
        """Write the session's review and steps. Raises `ChangedError` where the list or the review is no longer what
        was last read or kept, and writes nothing then."""

    def changed(self) -> bool:
        """Whether `keep` would refuse."""


class Room(Protocol):
    """What the triage screen needs besides the review."""

    @property
    def title(self) -> str:
        """The cluster, the iteration and the reviewer, for the top of the screen."""

    @property
    def told(self) -> str:
        """What the reviewer should know at the start; empty for nothing."""

    def now(self) -> str:
        """The time, ISO 8601 in UTC to the second."""

    def background(self) -> Background:
        """Where the candidates come from; may take as long as fetching takes, and never fails."""

    def finish(self) -> str:
        """Sign, commit and push the review. Says in words what was done. Raises `HallmarkError`."""
