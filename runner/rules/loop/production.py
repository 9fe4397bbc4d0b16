"""How often production's answers were right, before and lately, by what people and evaluations said of them.

Who says something of an answer was not drawn at random, so a share here is no accuracy; a fall of it, where the same
kind of people go on saying the same kind of things, is one. What holds of failures that steer holds here too: flagged
text counts for nothing, and no submitter for more than its share (`rules.data.sources`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from runner.records.rubric import Normalisation
from runner.records.signal_policy import SignalPolicy
from runner.records.trace import Rating, Trace
from runner.rules.data.signals import signal
from runner.rules.data.sources import UNNAMED, most, submitter
from runner.rules.evaluation.statistics import wilson
from runner.rules.times import moment


class Period(NamedTuple):
    """Signals that somebody judged in some time, as far as they count."""

    judged: int
    passed: int

    @property
    def share(self) -> float:
        return self.passed / self.judged if self.judged else 0.0


class Production(NamedTuple):
    """The last days of production, and the time before them."""

    start: str
    """When the time before begins; empty where nothing says when the model came into production."""
    turn: str
    """When it ends, and the last days begin."""
    end: str
    before: Period
    lately: Period
    undated: int
    """Judged signals that do not say when they were."""


def judged(trace: Trace, normalisation: Sequence[Normalisation]) -> bool | None:
    """Whether the answer was right; None where nobody said. No answer at all is a wrong one."""
    one = signal(trace, normalisation)
    said = trace.feedback.rating is not Rating.NONE or bool(trace.feedback.correct_answer)
    return not one.failed if said or one.failed else None


def production(
    traces: Iterable[Trace],
    normalisation: Sequence[Normalisation],
    policy: SignalPolicy,
    *,
    days: int,
    since: str,
    at: str,
) -> Production:
    """The judged signals of the `days` whole days (UTC) before the day of `at`, and of the time from `since` to these.

    Signals of before `since`, or of the day of `at` and after it, are of neither.
    """
    midnight = moment(at).replace(hour=0, minute=0, second=0)
    turn, start = midnight - timedelta(days=days), moment(since) if since else None
    tallies: tuple[dict[str, Counter[bool]], ...] = (defaultdict(Counter), defaultdict(Counter))
    undated = 0
    for trace in traces:
        right = None if trace.flags and policy.flagged == "hold" else judged(trace, normalisation)
        if right is None:
            continue
        when = dated(trace.timestamp)
        undated += when is None
        if when is not None and when < midnight and (start is None or when >= start):
            tallies[when >= turn][submitter(trace.source)][right] += 1
    before, lately = (_within_quota(tally, policy) for tally in tallies)
    return Production(since, _day(turn), _day(midnight), before, lately, undated)


def fallen(found: Production, *, confidence: float) -> float:
    """How far the share of right answers fell, at the lower end of a one-sided interval.

    Newcombe's hybrid of two Wilson intervals (Newcombe 1998, method 10), which keeps its level at shares near 0 and 1.
    """
    level = 2 * confidence - 1
    low = wilson(found.before.passed, found.before.judged, level=level)[0]
    high = wilson(found.lately.passed, found.lately.judged, level=level)[1]
    before, lately = found.before.share, found.lately.share
    return before - lately - math.sqrt((before - low) ** 2 + (high - lately) ** 2)


def dated(text: str) -> datetime | None:
    """When a trace was, as its log wrote it; None where it does not say, or not with its time zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _day(when: datetime) -> str:
    return when.strftime("%Y-%m-%d")


def _within_quota(tally: Mapping[str, Counter[bool]], policy: SignalPolicy) -> Period:
    """All of a period, a submitter that sent more than its share counted for that share, with its own share passed."""
    sizes = {name: count.total() for name, count in tally.items()}
    cap = most(sizes, policy)
    whole = passed = 0
    for name, count in sorted(tally.items()):
        free = name == UNNAMED and policy.unnamed == "each"
        kept = sizes[name] if free else min(sizes[name], cap)
        whole += kept
        passed += round(kept * count[True] / sizes[name])
    return Period(whole, passed)
