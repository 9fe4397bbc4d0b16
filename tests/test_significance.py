"""Intervals that hold what they should, tiers, outcome types, and what repeats of the incumbent say."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from runner.records.plateau import PlateauPolicy
from runner.records.score import Comparison
from runner.records.significance import Detectable, Interval, Repeats, SignificancePolicy, Tally, Tier
from runner.records.terms import OutcomeType
from runner.rules.evaluation.comparison_words import sentence
from runner.rules.evaluation.composites import spread
from runner.rules.evaluation.outcomes import detection, tallies, with_intervals
from runner.rules.evaluation.repeats import at_least, excess, repeats
from runner.rules.evaluation.statistics import mcnemar
from runner.rules.evaluation.tiers import reliable, tier


@pytest.mark.parametrize(
    ("capabilities", "scenarios", "shares"), [(13, 8, (0.95, 0.95)), (5, 20, (0.3, 0.99)), (3, 5, (0.7, 0.9))]
)
def test_the_composite_s_interval_holds_the_truth(
    capabilities: int, scenarios: int, shares: tuple[float, float]
) -> None:
    """At least as often as it says, also where few scenarios of a capability pass or all do."""
    generator = np.random.default_rng(3)
    true = np.linspace(*shares, capabilities)
    names = [f"c{number}" for number in range(capabilities)]
    runs, inside = 300, 0
    for run in range(runs):
        drawn = generator.random((capabilities, scenarios)) < true[:, None]
        scores = {name: row.astype(float).tolist() for name, row in zip(names, drawn, strict=True)}
        found = spread(scores, dict.fromkeys(names, 1.0), resamples=400, seed=run)
        assert found is not None
        inside += found.composite.low <= true.mean() <= found.composite.high
    assert inside >= 0.93 * runs


def test_the_composite_s_interval_is_stratified_weighted_and_seeded() -> None:
    scores = {"a": [1.0] * 50, "b": [0.0] * 50}
    apart = spread(scores, {"a": 1.0, "b": 1.0}, resamples=500, seed=1)
    mixed = spread({"a": [1.0, 0.0] * 50}, {"a": 1.0}, resamples=500, seed=1)
    assert apart is not None
    assert mixed is not None
    assert apart.composite.high - apart.composite.low < 0.6 * (mixed.composite.high - mixed.composite.low)
    heavy = spread(scores, {"a": 9.0, "b": 1.0}, resamples=500, seed=1)
    assert heavy is not None
    assert heavy.composite.low < 0.9 < heavy.composite.high
    partial = {"a": [0.2, 0.5, 0.9, 0.4] * 10}
    assert spread(partial, {"a": 1.0}, resamples=500, seed=4) == spread(partial, {"a": 1.0}, resamples=500, seed=4)
    assert spread({}, {}, resamples=10, seed=1) is None


def comparison(gained: int, lost: int, scenarios: int = 200) -> Comparison:
    difference = (gained - lost) / scenarios
    around = Interval(low=difference - 0.05, high=difference + 0.05)
    return Comparison(
        against="incumbent",
        scenarios=scenarios,
        gained=gained,
        lost=lost,
        difference=difference,
        interval=around,
        p_value=mcnemar(gained, lost),
    )


def sees(difference: float | None) -> Detectable:
    return Detectable(difference=difference, discordance=0.1, alpha=0.01, power=0.8, effect=0.1, scenarios=480)


@pytest.mark.parametrize(
    ("gained", "lost", "seen", "believed", "expected", "said"),
    [
        (40, 4, 0.05, True, Tier.IMPROVED, "improved over the incumbent: +18.0 points (+13.0 to +23.0), 40 gained"),
        (4, 40, 0.05, True, Tier.REGRESSED, "regressed from the incumbent: \N{MINUS SIGN}18.0 points"),
        (5, 4, 0.05, True, Tier.NO_CHANGE, "a difference of 5.0 points would be found in 80% of cases"),
        (5, 4, 0.2, True, Tier.INSUFFICIENT_DATA, "for the 10 that matter it takes about 480 scenarios"),
        (5, 4, None, True, Tier.INSUFFICIENT_DATA, "show no difference at all"),
        (40, 4, 0.2, True, Tier.IMPROVED, "improved over"),
        (40, 4, 0.05, False, Tier.UNRELIABLE_BASELINE, "the incumbent turns 8.0% of its own verdicts"),
    ],
)
def test_the_tiers(gained: int, lost: int, seen: float | None, believed: bool, expected: Tier, said: str) -> None:
    one = comparison(gained, lost)
    found = tier(one, significant=one.p_value <= 0.01, believed=believed, detectable=sees(seen))
    assert found is expected
    again = Repeats(runs=1, scenarios=100, flipped=8, share=0.08)
    words = sentence(one.model_copy(update={"tier": found, "detectable": sees(seen)}), repeats=again)
    assert words.startswith(f"{expected}")
    assert said in words


def test_a_baseline_is_unreliable_where_it_turns_more_than_the_policy_bears() -> None:
    first = {f"s{number}": number % 2 == 0 for number in range(40)}
    again = {name: passed != (name in {"s0", "s1", "s2"}) for name, passed in first.items()}
    found = repeats(first, [again, first])
    assert found == Repeats(runs=2, scenarios=40, flipped=3, share=0.0375)
    assert reliable(found, SignificancePolicy())
    assert not reliable(found, SignificancePolicy(max_flip_share=0.03))
    assert reliable(None, SignificancePolicy(max_flip_share=0.0))
    assert repeats(first, []) is None


def test_the_excess_is_exact_by_every_order_of_the_runs() -> None:
    """Were the candidate one more run of the incumbent, each scenario's verdicts could stand in any order."""
    rows = [(True, True, False), (True, False, True), (True, True, False), (False, True, True), (True, True, True)]
    names = [f"s{number}" for number in range(len(rows))]

    def of(verdicts: list[tuple[bool, ...]]) -> tuple[float, int]:
        first, again, own = ({n: row[at] for n, row in zip(names, verdicts, strict=True)} for at in range(3))
        lost = sum(first[name] and again[name] and not own[name] for name in names)
        return excess(own, (first, again)), lost

    stated, observed = of(rows)
    orders = list(itertools.product(*(set(itertools.permutations(range(3))) for _ in rows)))
    shuffled = (of([tuple(row[at] for at in order) for row, order in zip(rows, one, strict=True)]) for one in orders)
    as_many = sum(lost >= observed for _, lost in shuffled)
    assert stated == pytest.approx(as_many / len(orders))


def test_the_excess_is_rarely_small_where_the_candidate_is_one_more_run() -> None:
    generator = np.random.default_rng(8)
    steady = generator.random(400) < 0.7
    runs, alarms = 1000, 0
    for _ in range(runs):
        flips = generator.random((3, 400)) < 0.04
        first, again, own = ({f"s{n}": bool(p) for n, p in enumerate(steady ^ row)} for row in flips)
        alarms += excess(own, (first, again)) <= 0.05
    assert alarms <= (0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5) * runs
    worse = {name: passed and int(name[1:]) % 10 != 0 for name, passed in own.items()}
    assert excess(worse, (first, again)) < 0.001


def test_the_binomial_tail_is_scipy_s() -> None:
    from scipy.stats import binom

    for least, draws, chance in ((0, 5, 0.3), (3, 10, 1 / 3), (40, 300, 0.1), (7, 7, 0.5)):
        assert at_least(least, draws, chance) == pytest.approx(float(binom.sf(least - 1, draws, chance)), rel=1e-9)


def test_flagging_everything_passes_one_side_and_fails_the_other() -> None:
    kinds = [OutcomeType.TP] * 300 + [OutcomeType.FN_GUARD] * 20 + [OutcomeType.TN] * 15 + [OutcomeType.FP_GUARD] * 5
    found = with_intervals(tallies((kind, kind in (OutcomeType.TP, OutcomeType.FN_GUARD)) for kind in kinds))
    assert {kind: (one.passed, one.scenarios) for kind, one in found.items()} == {
        OutcomeType.TP: (300, 300),
        OutcomeType.TN: (0, 15),
        OutcomeType.FP_GUARD: (0, 5),
        OutcomeType.FN_GUARD: (20, 20),
    }
    both = detection(found)
    assert both is not None
    assert (both.sensitivity.passed, both.specificity.passed, both.balanced_accuracy) == (320, 0, 0.5)
    assert detection({OutcomeType.TP: Tally(passed=3, scenarios=4)}) is None


def test_balanced_accuracy_s_interval_is_newcombe_s() -> None:
    """56/70 less 48/80 is .2, from .0524 to .3339 (Newcombe 1998, table II, method 10); with 32/80 for its complement
    the mean of the two is (1 + that) / 2."""
    found = with_intervals(
        {OutcomeType.TP: Tally(passed=56, scenarios=70), OutcomeType.TN: Tally(passed=32, scenarios=80)}
    )
    both = detection(found)
    assert both is not None
    assert both.balanced_accuracy == pytest.approx(0.6)
    assert [round(2 * end - 1, 4) for end in (both.interval.low, both.interval.high)] == [0.0524, 0.3339]


def test_the_documented_tiers_and_policies_are_the_real_ones() -> None:
    lines = (Path(__file__).parent.parent / "docs" / "statistics.md").read_text().splitlines()
    first = [re.match(r"\| `([\w -]+)` \|", line) for line in lines]
    documented = [found[1] for found in first if found]
    tiers = ["unreliable baseline", "improved", "regressed", "insufficient data", "no change"]
    assert sorted(tiers) == sorted(Tier)
    assert documented == [*tiers, *SignificancePolicy.model_fields, *PlateauPolicy.model_fields]
    defaults = re.findall(r"\| `(\w+)` \| ([\w.]*) \|", "\n".join(lines))
    plain = [
        *SignificancePolicy().model_dump().items(),
        ("patience", PlateauPolicy().patience),
        ("acknowledged", "none"),
    ]
    assert dict(defaults) == {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in plain}
