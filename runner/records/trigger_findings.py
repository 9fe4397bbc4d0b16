"""What the triggers of a cluster say: which fired, and on what evidence."""

from enum import StrEnum

from runner.records.base import Record, Sha256, Slug, Text


class Answer(StrEnum):
    """Whether a trigger fired."""

    FIRED = "fired"
    QUIET = "quiet"
    UNKNOWN = "unknown"
    """It could not be told: something that it compares is not to be had."""


class Evidence(Record):
    """What a trigger held against what. `was` and `now` are words; the rest is what they were made of, by name."""

    against: Slug | None = None
    """The iteration; none where there has been none."""
    was: str = ""
    now: str = ""
    digests: dict[str, Sha256] = {}
    counts: dict[str, int] = {}
    shares: dict[str, float] = {}
    dates: dict[str, str] = {}


class Finding(Record):
    """What became of one trigger."""

    trigger: Text
    answer: Answer
    because: Text
    evidence: Evidence = Evidence()
    due: bool = False
    """It fired, and no iteration that began since was of the same."""
    since: str = ""
    """Of one that fired and is not due: the iteration that was of the same."""


class Findings(Record):
    """`hallmark triggers CLUSTER --json`; without CLUSTER, a list of these."""

    cluster: Slug
    at: Text
    """The time that ages and windows count to."""
    incumbent: str = ""
    """The iteration whose model serves; empty for the base alone."""
    last: str = ""
    """The iteration begun last; empty where none was."""
    findings: tuple[Finding, ...]
    queued: str = ""
    """The iteration that was queued; empty where none was."""
    held: str = ""
    """Why none was, where one is due and was asked for."""
    waits: bool = False
    """People have to decide before one can be."""
    problem: str = ""
    """Why the cluster could not be read, and has no findings: the others of the list are judged all the same."""

    @property
    def due(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.due)
