"""Figures by outcome type: a model that flags everything passes every `tp` and fails every `tn`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from runner.records.significance import Detection, Interval, Tally
from runner.records.terms import OutcomeType
from runner.rules.evaluation.statistics import wilson

FLAGGED = (OutcomeType.TP, OutcomeType.FN_GUARD)
"""What a right answer flags: the plain cases, and those that are easily missed."""
LEFT_ALONE = (OutcomeType.TN, OutcomeType.FP_GUARD)
"""What a right answer leaves alone: the plain cases, and those that look as if."""


def tallies(graded: Iterable[tuple[OutcomeType, bool]]) -> dict[OutcomeType, Tally]:
    """Per outcome type, in the order of `OutcomeType`; those that no scenario has are left out."""
    counts = Counter(graded)
    both = {kind: (counts[kind, True], counts[kind, False]) for kind in OutcomeType}
    return {kind: Tally(passed=good, scenarios=good + bad) for kind, (good, bad) in both.items() if good + bad}


def with_intervals(outcomes: Mapping[OutcomeType, Tally]) -> dict[OutcomeType, Tally]:
    """The same, each with Wilson's interval."""
    return {kind: _tally(one.passed, one.scenarios) for kind, one in outcomes.items()}


def detection(outcomes: Mapping[OutcomeType, Tally]) -> Detection | None:
    """Sensitivity, specificity and their mean; None unless scenarios of both sides were asked.

    The interval of the mean combines the two Wilson intervals (MOVER: Zou and Donner 2008; Newcombe 1998, method 10).
    """
    flagged, left = (_sum(outcomes, kinds) for kinds in (FLAGGED, LEFT_ALONE))
    if not flagged.scenarios or not left.scenarios or flagged.interval is None or left.interval is None:
        return None
    shares = [one.passed / one.scenarios for one in (flagged, left)]
    ends = (flagged.interval, left.interval)
    middle = sum(shares) / 2
    below = math.hypot(*(share - end.low for share, end in zip(shares, ends, strict=True))) / 2
    above = math.hypot(*(end.high - share for share, end in zip(shares, ends, strict=True))) / 2
    return Detection(
        sensitivity=flagged,
        specificity=left,
        balanced_accuracy=round(middle, 9),
        interval=Interval(low=round(max(0.0, middle - below), 9), high=round(min(1.0, middle + above), 9)),
    )


def _sum(outcomes: Mapping[OutcomeType, Tally], kinds: Iterable[OutcomeType]) -> Tally:
    found = [outcomes[kind] for kind in kinds if kind in outcomes]
    return _tally(sum(one.passed for one in found), sum(one.scenarios for one in found))


def _tally(passed: int, scenarios: int) -> Tally:
    low, high = wilson(passed, scenarios)
    return Tally(passed=passed, scenarios=scenarios, interval=Interval(low=low, high=high))
