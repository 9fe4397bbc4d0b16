"""What a gate says: whether it lets a thing through, and every reason why not."""

from enum import StrEnum

from runner.records.base import Record, Text


class Outcome(StrEnum):
    PASS = "pass"
    REFUSE = "refuse"
    WAIT = "wait"


class Reason(Record):
    """One thing that does not hold, and what to do about it. `step` is the check that found it."""

    step: Text
    problem: Text
    hint: str = ""


class Verdict(Record):
    """A judgement, written down. It lists every reason, not the first."""

    outcome: Outcome = Outcome.PASS
    reasons: tuple[Reason, ...] = ()
    by_policy: str = ""
    """Where a human gate passed because the cluster's policy asks for no people: that policy, in words."""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS
