"""What a reviewer's session at the triage screen keeps beside the review, so that undo outlives a restart."""

from runner.records.base import Record, Sha256, Slug, Text
from runner.records.triage import ReviewDecision


class Step(Record):
    """One thing that a key did to the review."""

    candidate: Text
    before: ReviewDecision | None
    """What was decided before; none where nothing was."""
    after: Sha256
    """Digest of the review that the key left."""
    joined: bool = False
    """It only completes the step before it (the reason of a rejection, a rank), and is undone with it."""


class Journal(Record):
    """`.hallmark/undo/<cluster>/<iteration>/<reviewer>.json`: every step that can be undone, oldest first."""

    cluster: Slug
    iteration: Slug
    reviewer: Slug
    steps: tuple[Step, ...] = ()
