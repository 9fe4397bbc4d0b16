"""Failures, grouped so that a person can name what is wrong and a generator can aim at it."""

from runner.records.base import Amount, Count, Record, Share, Slug, Text
from runner.records.scenario import Severity


class FailureCluster(Record):
    """Failures of one capability with one pattern: the card a domain owner reads."""

    id: Slug
    capability: Slug
    pattern: Text
    """What goes wrong, in words: `answers order-status where missing-item is right`."""
    confused_with: str = ""
    """The answer given most often instead; empty where there is no common one."""
    missed: tuple[Slug, ...]
    """Rubric criteria missed, `rubric/criterion` written as `rubric-criterion`."""
    lenses: tuple[Slug, ...]
    severity: Severity
    scenarios: tuple[Slug, ...]
    """Failed core scenarios."""
    signals: tuple[Text, ...]
    """Ids of unique signals that show the same failure and whose text may be used."""
    frequency: Count
    """Failed scenarios plus failed production traces, duplicates counted, what is over a submitter's quota not."""
    headroom: Share
    """One less the capability's present score on core."""
    priority: Amount = 0.0
    """Severity (low 1, medium 3, high 9) times frequency times headroom: what is aimed at first."""
    covered: bool
    """An approved rubric covers the capability."""
    explanation: Text
    next_target: Text
    """What to collect or generate next, in words."""


class Diagnosis(Record):
    """What phase 5 found. `targets` are the covered failure clusters, most urgent first."""

    failures: tuple[FailureCluster, ...]
    targets: tuple[Slug, ...]
    uncovered: tuple[Slug, ...]
    left_out: dict[Slug, str] = {}
    """Failure clusters that are no target, and why."""
    held: dict[str, int] = {}
    """Failed unique signals whose text is used for nothing, by cause (`records.trace.Held`)."""
    over_quota: dict[str, int] = {}
    """Failed traces that do not count because their submitter sent more than its share, by submitter."""


class RubricDrafts(Record):
    """What phase 6 proposes for people to merge: paths in the repository to their YAML text."""

    covers: tuple[Slug, ...]
    """The failure clusters no rubric covers."""
    files: dict[str, str]
