"""Power of the paired comparison against published values, against scipy, and against simulation."""

from __future__ import annotations

import time

import numpy as np
import pytest

from runner.rules.evaluation.power import MOST, critical, detectable, normal_pairs, pairs_needed, power
from runner.rules.evaluation.statistics import holm, mcnemar


@pytest.mark.parametrize(("gained", "lost", "published"), [(1, 7, 0.070), (6, 16, 0.052)])
def test_the_p_value_is_that_of_fagerland_lydersen_and_laake(gained: int, lost: int, published: float) -> None:
    """BMC Medical Research Methodology 13:91 (2013), the exact conditional test of their two examples."""
    assert round(mcnemar(gained, lost), 3) == published


def test_the_p_value_of_many_pairs_is_scipy_s_and_told_at_once() -> None:
    from scipy.stats import binomtest

    begun = time.process_time()
    found = mcnemar(20_400, 19_800)
    assert time.process_time() - begun < 1
    assert found == pytest.approx(binomtest(19_800, 40_200).pvalue, rel=1e-6)


def test_power_is_o_brien_s() -> None:
    """O'Brien (2002), which G*Power's manual repeats: discordant .32 and .08, 50 pairs, one-sided .05."""
    assert power(50, discordance=0.4, difference=0.24, alpha=0.10) == pytest.approx(0.839, abs=5e-4)
    assert power(50, discordance=0.4, difference=0.0, alpha=0.10) == pytest.approx(0.0326, abs=5e-5)


def test_power_and_sample_size_are_those_of_pwrss() -> None:
    """The manual of R's pwrss, checked by its authors against PASS and G*Power: discordant .20 and .10, two-sided."""
    assert power(100, discordance=0.3, difference=0.1, alpha=0.05) == pytest.approx(0.373, abs=5e-4)
    assert power(249, discordance=0.3, difference=0.1, alpha=0.05) == pytest.approx(0.801, abs=5e-4)
    assert pairs_needed(0.1, discordance=0.3, alpha=0.05, wanted=0.8) == 249


def test_the_normal_sample_size_is_connor_s() -> None:
    """Connor (1987), p. 209: discordant .45 and .05, two-sided .05, power .80."""
    assert normal_pairs(0.4, discordance=0.5, alpha=0.05, wanted=0.8) == 23


def test_holm_rejects_what_benjamini_and_hochberg_say_of_their_example() -> None:
    """The fifteen p-values of Neuhaus et al. (1992): three stand with control of the family-wise error."""
    values = (0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459)
    values += (0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000)
    found = holm({f"h{number:02d}": value for number, value in enumerate(values)}, 0.05)
    assert found == ("h00", "h01", "h02")


def test_the_least_number_of_gains_is_the_one_that_is_significant() -> None:
    for alpha in (0.05, 0.01, 0.001):
        for count, least in enumerate(critical(60, alpha)):
            assert least > count or mcnemar(least, count - least) <= alpha
            assert least == 1 or mcnemar(least - 1, count - least + 1) > alpha


def test_power_is_scipy_s() -> None:
    from scipy.stats import binom

    for pairs, discordance, difference, alpha in ((40, 0.5, 0.2, 0.05), (300, 0.12, 0.07, 0.01), (90, 1.0, 0.3, 0.01)):
        gains = (discordance + difference) / (2 * discordance)
        least = critical(pairs, alpha)
        expected = sum(
            binom.pmf(count, pairs, discordance) * binom.sf(least[count] - 1, count, gains)
            for count in range(pairs + 1)
        )
        found = power(pairs, discordance=discordance, difference=difference, alpha=alpha)
        assert found == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize(("pairs", "discordance", "difference"), [(60, 0.4, 0.25), (250, 0.15, 0.08), (500, 0.3, 0.0)])
def test_power_is_how_often_it_is_found(pairs: int, discordance: float, difference: float) -> None:
    generator = np.random.default_rng(11)
    chances = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    draws, alpha = 4000, 0.05
    found = sum(
        gained > lost and mcnemar(int(gained), int(lost)) <= alpha
        for gained, lost, _ in generator.multinomial(pairs, chances, draws)
    )
    stated = power(pairs, discordance=discordance, difference=difference, alpha=alpha)
    assert found / draws == pytest.approx(stated, abs=4 * (0.25 / draws) ** 0.5)


@pytest.mark.parametrize("discordance", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("pairs", [12, 80, 600])
def test_what_is_detectable_is_found_as_often_as_asked_and_less_is_not(pairs: int, discordance: float) -> None:
    least = detectable(pairs, discordance=discordance, alpha=0.01, wanted=0.8)
    assert least is not None

    def at(difference: float) -> float:
        return power(pairs, discordance=max(discordance, difference), difference=difference, alpha=0.01)

    assert at(least) >= 0.8
    assert at(least - 2e-4) < 0.8


@pytest.mark.parametrize("discordance", [0.001, 0.2])
def test_what_many_scenarios_can_see_is_told_at_once_and_much_as_exactly(discordance: float) -> None:
    least = detectable(6000, discordance=discordance, alpha=0.01, wanted=0.8)
    assert least is not None

    def at(difference: float) -> float:
        return power(6000, discordance=max(discordance, difference), difference=difference, alpha=0.01)

    assert at(least) >= 0.79
    assert at(least - 5e-4) < 0.8
    begun = time.process_time()
    assert detectable(300_000, discordance=discordance, alpha=0.0001, wanted=0.8) is not None
    assert time.process_time() - begun < 0.1


def test_the_ends_of_power() -> None:
    assert detectable(7, discordance=0.2, alpha=0.01, wanted=0.8) is None, "2 / 2**7 is above .01"
    assert detectable(8, discordance=0.2, alpha=0.01, wanted=0.8) is not None
    assert power(0, discordance=0.5, difference=0.5, alpha=0.05) == 0.0
    assert pairs_needed(0.0005, discordance=0.5, alpha=0.01, wanted=0.8) is None, f"more than {MOST}"
    assert pairs_needed(0.01, discordance=0.3, alpha=0.05, wanted=0.8) == 23545
    with pytest.raises(ValueError, match="does not hold"):
        power(10, discordance=0.1, difference=0.2, alpha=0.05)
