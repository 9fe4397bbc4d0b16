"""Who sent production's traces, and how much of what fails may be one submitter's.

A trace's source is `submitter/workload`. A submitter is a client, a user or a session, as the log names them; users
and sessions stand as pseudonyms. What `hallmark import` made is people's own, and each row counts for itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from runner.records.signal_policy import SignalPolicy
from runner.records.trace import UniqueSignal

UNNAMED = "unknown"
"""The source of a trace that says nothing of it."""


def submitter(source: str) -> str:
    """Who sent it, without the workload that it was sent to."""
    return source.partition("/")[0]


def most(counts: Mapping[str, int], policy: SignalPolicy) -> int:
    """How many rows of one submitter count: the most at which none has more than the share of all that count.

    Where there are so few submitters that the share cannot be held, an equal share takes its place.
    """
    sizes = [size for name, size in counts.items() if name != UNNAMED or policy.unnamed == "one"]
    single = counts.get(UNNAMED, 0) if policy.unnamed == "each" else 0
    if not sizes:
        return policy.free_rows
    share = max(policy.max_source_share, 1 / (len(sizes) + single))
    low, high = 0, max(sizes)
    while low < high:  # the cap less the share that it makes grows with the cap, once it is above
        cap = (low + high + 1) // 2
        if cap <= share * (sum(min(size, cap) for size in sizes) + single) + 1e-9:
            low = cap
        else:
            high = cap - 1
    return max(low, policy.free_rows)


def within_quota(signals: Sequence[UniqueSignal], policy: SignalPolicy) -> tuple[UniqueSignal, ...]:
    """The signals, in their order, each with the rows of it that do not count (`left_out`), by submitter.

    Of failed signals that nothing holds back alone: the others steer nothing. A submitter over the quota keeps some
    rows of as many different signals as can be, the same ones whatever the order of the log.
    """
    steering = [one for one in signals if one.signal.failed and one.held is None]
    counts: Counter[str] = Counter()
    for one in steering:
        counts.update(one.sources)
    cap = most(counts, policy)
    left_out: dict[str, dict[str, int]] = defaultdict(dict)
    for name, size in sorted(counts.items()):
        if size > cap and not (name == UNNAMED and policy.unnamed == "each"):
            own = {one.signal.fingerprint: one.sources[name] for one in steering if name in one.sources}
            for fingerprint, kept in spread(own, cap).items():
                if own[fingerprint] > kept:
                    left_out[fingerprint][name] = own[fingerprint] - kept
    return tuple(
        one.model_copy(update={"left_out": left_out[one.signal.fingerprint]})
        if one.signal.fingerprint in left_out
        else one
        for one in signals
    )


def over_quota(signals: Iterable[UniqueSignal]) -> dict[str, int]:
    """How many failed traces do not count because their submitter sent more than its share, by submitter."""
    found: Counter[str] = Counter()
    for one in signals:
        found.update(one.left_out)
    return dict(sorted(found.items()))


def spread(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` shared out among names, none above its size, as evenly as can be; what is over goes by name."""
    level, left = 0, total
    while left and (open_ := [name for name, size in sizes.items() if size > level]) and left >= len(open_):
        level, left = level + 1, left - len(open_)
    more = set(sorted(name for name, size in sizes.items() if size > level)[:left])
    return {name: min(size, level) + (name in more) for name, size in sizes.items()}
