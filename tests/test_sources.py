"""A quota for each submitter: nobody steers the set by sending more, and nobody is left out by name alone."""

from __future__ import annotations

import random

import pytest

from runner.records.signal_policy import SignalPolicy
from runner.records.trace import UniqueSignal
from runner.rules.data.signals import signal, unique_signals
from runner.rules.data.sources import UNNAMED, most, over_quota, spread, submitter, within_quota
from tests.test_rules_diagnosis import STEPS, trace

STRICT = SignalPolicy(max_source_share=0.25, free_rows=0)


def uniques(senders: dict[str, int], *, copies: int = 1) -> tuple[UniqueSignal, ...]:
    """Failed signals, so many of each sender, each sent `copies` times."""
    traces = [
        trace(
            f"{name} {number} asks for {number * 13}", "refund", "login", source=f"{name}/router", timestamp=str(copy)
        )
        for name, count in senders.items()
        for number in range(count)
        for copy in range(copies)
    ]
    found, _ = unique_signals([signal(one, STEPS) for one in traces], threshold=0.99, suspects=lambda texts: [])
    return found


def counted(signals: tuple[UniqueSignal, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in signals:
        (name,) = one.sources
        found[name] = found.get(name, 0) + one.counted
    return found


def test_a_submitter_is_known_without_its_workload() -> None:
    assert [submitter(one) for one in ("mail/router", "mail", "import:a.csv:3", "")] == [
        "mail",
        "mail",
        "import:a.csv:3",
        "",
    ]


def test_a_flood_is_cut_to_its_share_of_what_counts() -> None:
    policy = SignalPolicy(max_source_share=0.4, free_rows=0)
    signals = within_quota(uniques({"flood": 120, "a": 20, "b": 30, "c": 10}), policy)
    assert counted(signals) == {"flood": 40, "a": 20, "b": 30, "c": 10}
    assert over_quota(signals) == {"flood": 80}
    assert sum(one.usable for one in signals) == 100


@pytest.mark.parametrize("seed", range(30))
def test_the_cap_is_the_largest_that_holds_the_share(seed: int) -> None:
    rng = random.Random(seed)
    counts = {f"s{n}": rng.randint(1, 200) for n in range(rng.randint(1, 9))}
    policy = SignalPolicy(max_source_share=rng.choice([0.1, 0.25, 0.34, 0.5, 1.0]), free_rows=0)
    share = max(policy.max_source_share, 1 / len(counts))

    def holds(cap: int) -> bool:
        return cap <= share * sum(min(size, cap) for size in counts.values()) + 1e-9

    cap = most(counts, policy)
    assert cap == max(one for one in range(max(counts.values()) + 1) if holds(one))


def test_one_submitter_alone_is_not_cut_and_two_weigh_the_same() -> None:
    assert most({"only": 500}, STRICT) == 500
    assert most({"more": 60, "less": 40}, STRICT) == 40


def test_a_small_log_is_no_flood() -> None:
    assert most({"a": 9, "b": 1}, SignalPolicy(max_source_share=0.25)) == 10


def test_traces_without_a_sender_are_one_source_only_if_the_cluster_says_so() -> None:
    each = within_quota(uniques({UNNAMED: 300, "a": 10, "b": 10}), STRICT)
    assert over_quota(each) == {}
    one = within_quota(uniques({UNNAMED: 300, "a": 10, "b": 10}), STRICT.model_copy(update={"unnamed": "one"}))
    assert over_quota(one) == {UNNAMED: 290}


def test_what_is_kept_of_a_flood_is_as_varied_as_can_be() -> None:
    assert spread({"a": 100, "b": 3, "c": 50}, 20) == {"a": 9, "b": 3, "c": 8}
    assert spread({"a": 5, "b": 5}, 100) == {"a": 5, "b": 5}
    assert sum(spread({str(n): 1 for n in range(50)}, 7).values()) == 7
    signals = within_quota(uniques({"flood": 30, "a": 10, "b": 10, "c": 10}, copies=4), STRICT)
    flood = [one.counted for one in signals if "flood" in one.sources]
    assert max(flood) - min(flood) <= 1


def test_the_same_rows_are_kept_whatever_the_order_of_the_log() -> None:
    signals = uniques({"flood": 90, "a": 10, "b": 5})
    again = tuple(reversed(signals))
    assert within_quota(again, STRICT) == tuple(reversed(within_quota(signals, STRICT)))
