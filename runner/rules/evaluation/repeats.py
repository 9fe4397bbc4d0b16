"""The incumbent asked again: what it turns by itself, and whether a candidate loses more than that.

A repeat stands in the answers and in grades.jsonl as one more model, `incumbent-repeat-<n>`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from runner.records.scorecard import ScoredScenario
from runner.records.significance import Repeats

PREFIX = "incumbent-repeat-"


def repeat_name(number: int) -> str:
    """`incumbent-repeat-1` for the first."""
    return f"{PREFIX}{number}"


def is_repeat(model: str) -> bool:
    return model.startswith(PREFIX)


def repeat_names(rows: Iterable[ScoredScenario]) -> tuple[str, ...]:
    """The repeats that the first row names; every other must have them too (`assessment.gaps`)."""
    return tuple(sorted(name for row in islice(rows, 1) for name in row.passed if is_repeat(name)))


def repeats(first: Mapping[str, bool], again: Sequence[Mapping[str, bool]]) -> Repeats | None:
    """How far the runs in `again` differ from the first: each says of every scenario whether it passed.

    None where there is no repeat or no scenario. A scenario that a repeat lacks counts as failed.
    """
    if not again or not first:
        return None
    turned = [{name for name, passed in first.items() if run.get(name, False) != passed} for run in again]
    share = sum(map(len, turned)) / (len(again) * len(first))
    flipped = len(set().union(*turned))
    return Repeats(runs=len(again), scenarios=len(first), flipped=flipped, share=round(share, 9))


def excess(candidate: Mapping[str, bool], runs: Sequence[Mapping[str, bool]]) -> float:
    """How often a further run of the incumbent itself would lose as many scenarios as the candidate: one-sided, exact.

    Of the scenarios that exactly one of all runs fails, the candidate's among them, each run would be as likely as any
    other to be the one, were the candidate a further run. So the losses are binomial with a chance of 1 / (k + 1), k
    being the incumbent's runs, whatever the candidate gains elsewhere. A scenario that a run lacks counts as failed.
    """
    lost = alone = 0
    for name, passed in candidate.items():
        failed = sum(not run.get(name, False) for run in runs)
        lost += not passed and not failed
        alone += passed and failed == 1
    return at_least(lost, lost + alone, 1 / (len(runs) + 1))


def at_least(least: int, draws: int, chance: float) -> float:
    """P(Binomial(draws, chance) >= least), for a chance between 0 and 1."""
    if least <= 0:
        return 1.0
    logs = (
        math.lgamma(draws + 1)
        - math.lgamma(value + 1)
        - math.lgamma(draws - value + 1)
        + value * math.log(chance)
        + (draws - value) * math.log1p(-chance)
        for value in range(least, draws + 1)
    )
    return min(1.0, math.fsum(math.exp(one) for one in logs))
