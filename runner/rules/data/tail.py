"""Which unique signals stand in the tail: the hundredth that recurs most, is worded most rarely, costs most.

Averages hide them, and a set cut down to its usual messages loses them. The records carry neither price nor tokens, so
the length of the exchange stands for its cost.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from runner.records.conversation import last_user_text
from runner.records.trace import Tail, UniqueSignal
from runner.rules.text.similarity import words

SHARE = 0.99
FEWEST = 100
"""Of fewer signals a hundredth is less than one: none is marked."""


def with_tail(signals: Sequence[UniqueSignal]) -> tuple[UniqueSignal, ...]:
    """The signals, in their order, each with the tails that it stands in."""
    if len(signals) < FEWEST:
        return tuple(signals)
    measures = {
        Tail.RECURRING: [float(one.count) for one in signals],
        Tail.RARE: rarity([last_user_text(one.signal.trace.input) for one in signals]),
        Tail.COSTLY: [float(_characters(one)) for one in signals],
    }
    marked = {tail: _highest(values) for tail, values in measures.items()}
    return tuple(
        one.model_copy(update={"tail": tuple(tail for tail in Tail if position in marked[tail])})
        for position, one in enumerate(signals)
    )


def rarity(texts: Sequence[str]) -> list[float]:
    """Of each text the mean over its different words of ln(texts / texts with the word); 0 without words."""
    found = [sorted(set(words(text))) for text in texts]
    holders = Counter(word for one in found for word in one)
    surprise = {word: math.log(len(texts) / count) for word, count in holders.items()}
    return [math.fsum(surprise[word] for word in one) / len(one) if one else 0.0 for one in found]


def _characters(one: UniqueSignal) -> int:
    trace = one.signal.trace
    calls = [*trace.tool_calls, *(call for message in trace.input for call in message.tool_calls)]
    said = sum(len(message.content) for message in trace.input) + len(trace.response)
    return said + sum(len(call.arguments) for call in calls)


def _highest(values: Sequence[float]) -> frozenset[int]:
    """The positions above the 99th percentile (nearest rank): a hundredth at most, none where all are equal."""
    bound = sorted(values)[math.ceil(SHARE * len(values)) - 1]
    return frozenset(position for position, value in enumerate(values) if value > bound)
