"""What is left to worry about, in words."""

from runner.records.base import Record, Text


class Risk(Record):
    """Something an approver takes on by signing."""

    title: Text
    detail: Text


class Risks(Record):
    risks: tuple[Risk, ...]
