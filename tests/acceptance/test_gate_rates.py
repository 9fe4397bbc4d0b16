"""The gate's rates over more settings than `tests/test_gate_rates.py` has time for: 2,000 simulated pairs each."""

from __future__ import annotations

import numpy as np
import pytest

from runner.rules.evaluation.power import detectable, power
from tests.test_gate_rates import PAIRS, Gate, asking, paired, share

SIZES = (30, 250, 500)


@pytest.mark.acceptance
@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("discordance", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("scenarios", SIZES)
def test_under_no_difference(scenarios: int, discordance: float, alpha: float) -> None:
    gate = Gate(asking(alpha), strong_control=False, scenarios=scenarios)
    generator, worst = np.random.default_rng(scenarios), np.zeros(scenarios, dtype=bool)
    drawn = paired(generator, discordance, 0.0, scenarios=scenarios)
    promoted = sum(gate.promotes(before, after, worst) for before, after in drawn)
    size = power(scenarios, discordance=discordance, difference=0.0, alpha=alpha)
    assert size <= alpha / 2
    share(promoted, max(size, 1 / PAIRS))


@pytest.mark.acceptance
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("scenarios", SIZES)
def test_at_the_stated_effect(scenarios: int, wanted: float) -> None:
    effect = detectable(scenarios, discordance=0.3, alpha=0.01, wanted=wanted)
    assert effect is not None
    discordance = max(0.3, effect)
    gate = Gate(asking(0.01), strong_control=False, scenarios=scenarios)
    generator, worst = np.random.default_rng(scenarios + 1), np.zeros(scenarios, dtype=bool)
    drawn = paired(generator, discordance, effect, scenarios=scenarios)
    promoted = sum(gate.promotes(before, after, worst) for before, after in drawn)
    share(promoted, power(scenarios, discordance=discordance, difference=effect, alpha=0.01))
