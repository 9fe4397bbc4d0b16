"""How often the gate promotes: through `assessed` and `limits`, the functions that judge every promotion.

Thousands of simulated candidates are judged by the figures that their per-scenario grades give. Under no difference at
most the stated rate is promoted; at the stated effect as many as stated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from runner.records.cluster import Cluster
from runner.records.score import ScoredScenario
from runner.records.terms import OutcomeType, SetName
from runner.records.verdict import Reason
from runner.rules.evaluation.assessment import PERTURBED, Subject, assessed
from runner.rules.evaluation.limits import limits
from runner.rules.evaluation.power import detectable, power
from tests.flywheel_fixture import cluster

PAIRS, SCENARIOS = 2000, 80
ADAPTERS = dict.fromkeys(("base", "incumbent", "control", "candidate"))
SUBJECT = Subject("it", 1, "0" * 64)
Bits = npt.NDArray[np.bool_]


def asking(alpha: float, **gate: Any) -> Cluster:
    """A cluster that asks for nothing but a significant gain on held-out, and what `gate` says."""
    nothing = {"thresholds": {"composite": 0.0, "heldout": 0.0}, "max_regressions": 1.0, "capability_alpha": 1e-9}
    return cluster(gate={**nothing, "max_p_value": alpha, **gate})


def row(name: SetName, scenario: str, passed: dict[str, bool], **more: Any) -> ScoredScenario:
    scores = {model: float(value) for model, value in passed.items()}
    return ScoredScenario(set=name, scenario=scenario, capability="login", scores=scores, passed=passed, **more)


def core() -> ScoredScenario:
    """One core scenario that everyone passes, perturbed or not."""
    perturbed = {kind: {"candidate": 1.0} for kind in PERTURBED}
    return row(SetName.CORE, "core", dict.fromkeys(ADAPTERS, True), perturbed=perturbed)


class Gate:
    """The gate's judgement of simulated candidates. Rows are made once for each pair of verdicts."""

    def __init__(self, asked: Cluster, *, strong_control: bool, scenarios: int = SCENARIOS) -> None:
        self.cluster = asked
        self.rows = {
            (at, before, after, control): row(
                SetName.HELDOUT,
                f"s{at}",
                {"base": before, "incumbent": before, "control": control, "candidate": after},
            )
            for at in range(scenarios)
            for before in (False, True)
            for after in (False, True)
            for control in ((False, True) if strong_control else (False,))
        }

    def promotes(self, before: Bits, after: Bits, control: Bits) -> bool:
        keys = zip(range(len(before)), before.tolist(), after.tolist(), control.tolist(), strict=True)
        rows = [core(), *(self.rows[key] for key in keys)]
        return not limits(assessed(rows, self.cluster, subject=SUBJECT, adapters=ADAPTERS), self.cluster)


def share(promoted: int, stated: float) -> None:
    """Within three standard errors and a half of what is stated."""
    assert promoted / PAIRS == pytest.approx(stated, abs=3.5 * math.sqrt(stated * (1 - stated) / PAIRS))


def paired(
    generator: np.random.Generator, discordance: float, difference: float, *, scenarios: int = SCENARIOS
) -> Iterator[tuple[Bits, Bits]]:
    """Verdicts of incumbent and candidate, which differ on a share `discordance` of scenarios, by `difference` net."""
    gain = (discordance + difference) / 2
    for _ in range(PAIRS):
        drawn = generator.random(scenarios)
        before = generator.random(scenarios) < 0.7
        before = np.where(drawn < gain, False, np.where(drawn < discordance, True, before))
        yield before, np.where(drawn < discordance, ~before, before)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_under_no_difference_it_promotes_at_most_at_its_rate(alpha: float) -> None:
    """Two-sided p at most alpha and a gain: alpha / 2 at most, with a control that anything beats."""
    gate, worst = Gate(asking(alpha), strong_control=False), np.zeros(SCENARIOS, dtype=bool)
    generator = np.random.default_rng(int(1000 * alpha))
    promoted = sum(gate.promotes(before, after, worst) for before, after in paired(generator, 0.3, 0.0))
    size = power(SCENARIOS, discordance=0.3, difference=0.0, alpha=alpha)
    assert size <= alpha / 2
    share(promoted, size)
    assert promoted <= PAIRS * alpha / 2 + 3.5 * math.sqrt(PAIRS * alpha / 2)


def test_a_control_that_is_no_worse_makes_it_rarer_still() -> None:
    gate, generator = Gate(asking(0.05), strong_control=True), np.random.default_rng(3)
    promoted = 0
    for before, after in paired(generator, 0.3, 0.0):
        promoted += gate.promotes(before, after, generator.random(SCENARIOS) < 0.7)
    assert promoted <= PAIRS * 0.025


@pytest.mark.parametrize("alpha", [0.01])
def test_at_the_stated_effect_its_power_is_as_stated(alpha: float) -> None:
    effect = detectable(SCENARIOS, discordance=0.2, alpha=alpha, wanted=0.8)
    assert effect is not None
    gate, worst = Gate(asking(alpha), strong_control=False), np.zeros(SCENARIOS, dtype=bool)
    generator = np.random.default_rng(17)
    promoted = sum(gate.promotes(before, after, worst) for before, after in paired(generator, 0.2, effect))
    share(promoted, power(SCENARIOS, discordance=0.2, difference=effect, alpha=alpha))
    assert promoted / PAIRS > 0.77


def flagging() -> list[ScoredScenario]:
    """Held-out as benchmarks come, nine in ten to be flagged: the candidate flags everything, the incumbent guesses."""
    kinds = [OutcomeType.TP] * 100 + [OutcomeType.FN_GUARD] * 8 + [OutcomeType.TN] * 8 + [OutcomeType.FP_GUARD] * 4
    flagged = (OutcomeType.TP, OutcomeType.FN_GUARD)
    rows = [
        row(
            SetName.HELDOUT,
            f"s{at}",
            {**dict.fromkeys(("base", "incumbent", "control"), at % 2 == 0), "candidate": kind in flagged},
            outcome_type=kind,
        )
        for at, kind in enumerate(kinds)
    ]
    return [core().model_copy(update={"outcome_type": OutcomeType.TP}), *rows]


def judged(asked: Cluster) -> tuple[Reason, ...]:
    return limits(assessed(flagging(), asked, subject=SUBJECT, adapters=ADAPTERS), asked)


def test_flagging_everything_is_shown_and_refused_where_the_limit_is_set() -> None:
    card = assessed(flagging(), asking(0.01), subject=SUBJECT, adapters=ADAPTERS)
    outcomes = card.models["candidate"].sets[SetName.HELDOUT].outcomes
    assert {str(kind): (one.passed, one.scenarios) for kind, one in outcomes.items()} == {
        "tp": (100, 100),
        "tn": (0, 8),
        "fp-guard": (0, 4),
        "fn-guard": (8, 8),
    }
    assert judged(asking(0.01)) == (), "by the share passed alone it is a great improvement"
    reasons = judged(asking(0.01, significance={"min_outcome_share": 0.5}))
    assert [(one.step, one.problem) for one in reasons] == [
        ("outcome types", "0 of 8 tn scenarios pass on held-out, less than 50.0%"),
        ("outcome types", "0 of 4 fp-guard scenarios pass on held-out, less than 50.0%"),
    ]


def repeated(turned: int) -> list[ScoredScenario]:
    """A candidate that gains thirty scenarios and loses four; asked again, the incumbent fails `turned` it passed."""
    rows = []
    for at in range(120):
        before = at >= 30
        after = not before or at >= 34
        again = before and not 34 - turned // 2 <= at < 34 + turned - turned // 2
        passed = {
            "base": before,
            "incumbent": before,
            "control": False,
            "candidate": after,
            "incumbent-repeat-1": again,
        }
        rows.append(row(SetName.HELDOUT, f"s{at:03d}", passed))
    steady = core()
    everyone = {**steady.passed, "incumbent-repeat-1": True}
    return [row(SetName.CORE, "core", everyone, perturbed=steady.perturbed), *rows]


def test_what_the_incumbent_turns_by_itself_is_no_regression() -> None:
    asked = asking(0.01, max_regressions=0.035)
    alone = assessed(repeated(0), asked, subject=SUBJECT, adapters=ADAPTERS)
    assert (alone.regressions.count, alone.regressions.of, alone.regressions.flipping) == (4, 91, ())
    assert [one.step for one in limits(alone, asked)] == ["regressions"]
    turned = assessed(repeated(4), asked, subject=SUBJECT, adapters=ADAPTERS)
    assert (turned.regressions.count, turned.regressions.of) == (2, 87)
    assert turned.regressions.flipping == ("s032", "s033")
    assert turned.repeats is not None
    assert (turned.repeats.flipped, turned.repeats.scenarios) == (4, 121)
    assert limits(turned, asked) == ()


def test_an_unreliable_baseline_is_refused() -> None:
    asked = asking(0.01)
    card = assessed(repeated(8), asked, subject=SUBJECT, adapters=ADAPTERS)
    (reason,) = limits(card, asked)
    assert (reason.step, reason.problem) == (
        "baseline",
        "asked again, the incumbent turns 6.6% of its own verdicts, over 5.0%",
    )
    assert limits(card, asking(0.01, significance={"max_flip_share": 0.1})) == ()


def test_many_repeats_excuse_no_more_than_one_run_may_turn() -> None:
    """Whoever makes the repeats may let each turn another of the scenarios that the candidate loses."""
    asked, rows = asking(0.01, max_regressions=0.0), repeated(0)
    lost = [at for at, one in enumerate(rows) if one.passed["incumbent"] and not one.passed["candidate"]]
    several = [f"incumbent-repeat-{number}" for number in range(1, 5)]

    def excused(most: float) -> list[str]:
        made = [
            one.model_copy(
                update={
                    "passed": {
                        **one.passed,
                        **{name: one.passed["incumbent"] and at != lost[turn] for turn, name in enumerate(several)},
                    }
                }
            )
            for at, one in enumerate(rows)
        ]
        card = assessed(made, asked, subject=SUBJECT, adapters=ADAPTERS)
        assert (card.regressions.count, len(card.regressions.flipping)) == (0, 4)
        cluster = asking(0.01, max_regressions=0.0, significance={"max_flip_share": most})
        return [one.problem for one in limits(card, cluster)]

    assert excused(0.02) == ["4 of 121 scenarios are lost as ones that the incumbent turns by itself, over 2.0%"]
    assert excused(0.04) == []
