"""Structured answers, scored by their fields: bags of (path, scalar), compared with the reference's."""

from runner.records.base import Count, Record, Share, Slug
from runner.records.terms import SetName


class FieldTally(Record):
    """One answer: fields in both, in the answer, and in the reference, summed over the rubric's criteria on fields."""

    right: Count
    given: Count
    wanted: Count
    conforms: bool = True
    """The answer meets every JSON schema of the rubric."""


class FieldScore(Record):
    """One model on one set as written: F1 is micro-averaged over all answers' fields."""

    set: SetName
    model: Slug
    answers: Count
    conforming: Count
    right: Count
    given: Count
    wanted: Count
    precision: Share
    recall: Share
    f1: Share


class FieldReport(Record):
    """`fields.json`, in the evidence of clusters whose answers are graded by their fields."""

    scores: tuple[FieldScore, ...]
