"""Judges: a criterion that a model decides, and what it decided of one answer."""

from typing import Literal

from runner.records.base import Record, Share, Text


class Judge(Record):
    """A judge says whether the answer meets `question`. Without a verdict there is no grade."""

    kind: Literal["judge"]
    question: Text
    """What is asked of the answer, as the judge reads it."""


class Judged(Record):
    """The verdict on one criterion of one answer."""

    credit: Share
    """1 where the criterion is met, 0 where it is not."""
    explanation: Text
