"""A criterion that a model decides, and what it decided of one answer. The model is a file: `judging.JudgeFile`."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from runner.records.base import Record, Share, Slug, Sparse, Text


class Judge(Record):
    """The judge `rubrics/judges/<judge>.yaml` says whether the answer meets `question`. Without a verdict there is no
    grade."""

    kind: Literal["judge"]
    judge: Slug
    question: Text
    """What is asked of the answer, as the judge reads it."""


class Vote(StrEnum):
    """What a judge said when it was asked once."""

    MET = "met"
    UNMET = "unmet"
    NONE = "none"
    """Nothing that is exactly a verdict, however often it was asked."""


def _paired(votes: tuple[Vote, ...]) -> tuple[Vote, ...]:
    if len(votes) % 2:
        hint = "calibrate the judge again: hallmark calibrate"
        raise PydanticCustomError("unusable", "{problem}", {"problem": "votes come in pairs", "hint": hint})
    return votes


Votes = Annotated[tuple[Vote, ...], AfterValidator(_paired)]
"""In the order of asking: as it stands, then with its order swapped, and so on for each repeat."""


class Judged(Sparse):
    """The verdict on one criterion of one answer."""

    SPARSE = frozenset({"judge", "votes", "shown"})

    credit: Share
    """1 where the criterion is met, 0 where it is not."""
    explanation: Text
    judge: Slug | None = None
    votes: Votes = ()
    shown: bool = False
    """For show: the judge is not known to agree with people on this criterion, which counts for nothing."""
