"""The stages of an evaluation, in order of what they cost, and when one of them ends it.

A stage may only stop what the gate would refuse whatever came later: a candidate below a threshold on core takes no
look at held-out. That is certain but for the first stage, which asks a sample; its rule is a bound on the chance that
it is wrong.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.records.evaluation import Drop, StageName
from runner.records.gated import Thresholds
from runner.records.score import Interval, SetScore
from runner.records.terms import SetName
from runner.rules.evaluation.scoring import DIGITS, Graded
from runner.rules.evaluation.statistics import bootstrap_interval


class Stage(NamedTuple):
    """What a stage asks, and what of that ends the evaluation."""

    name: StageName
    set: SetName
    asks: str
    stops: str


STAGES = (
    Stage(
        StageName.SMOKE,
        SetName.CORE,
        "a few scenarios of each capability of core",
        "the rest of core can hardly bring the composite up to its threshold",
    ),
    Stage(StageName.CORE, SetName.CORE, "the rest of core", "the composite on core is below its threshold"),
    Stage(StageName.REPRESENTATIVE, SetName.REPRESENTATIVE, "what production is like", "never"),
    Stage(StageName.HELDOUT, SetName.HELDOUT, "held-out: a look", "the composite on held-out is below its threshold"),
    Stage(
        StageName.ROBUSTNESS,
        SetName.CORE,
        "core under each perturbation",
        "the composite falls too far under one that the gate judges",
    ),
    Stage(
        StageName.GENERAL,
        SetName.GENERAL,
        "the general set and the tasks that the cluster names, of the base too",
        "one of them falls too far below the base; nothing comes after it",
    ),
)


def smoke_sample(capabilities: Mapping[str, str], *, per_capability: int, seed: int) -> frozenset[str]:
    """So many scenarios of each capability, drawn without replacement; the same for the same seed.

    `capabilities` has each scenario of core by id.
    """
    of: dict[str, list[str]] = defaultdict(list)
    for scenario, capability in sorted(capabilities.items()):
        of[capability].append(scenario)
    drawn = random.Random(f"{seed}/smoke")
    return frozenset(
        one for _, names in sorted(of.items()) for one in drawn.sample(names, k=min(per_capability, len(names)))
    )


class Ceiling(NamedTuple):
    """How high the composite on the whole of core may be, by a sample of it."""

    seen: float
    """The sample's composite."""
    certain: float
    """What it would be, were every scenario that was not asked answered rightly."""
    likely: float
    """What it is below, but for a chance of `risk` at most."""

    @property
    def value(self) -> float:
        return min(self.certain, self.likely)


def ceiling(
    grades: Sequence[Graded], sizes: Mapping[str, int], weights: Mapping[str, float], *, risk: float
) -> Ceiling:
    """`sizes` counts the scenarios of each capability on core; each has at least one grade.

    The bound holds for any scores from 0 to 1 (Hoeffding 1963), drawn without replacement (Serfling 1974): a capability
    of N scenarios and weight w, of which n were drawn, adds w^2 (1 - (n - 1)/N) / n to the variance proxy, and nothing
    where all were.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for grade in grades:
        scores[grade.capability].append(grade.score)
    total = math.fsum(weights[name] for name in sizes)
    seen = certain = proxy = 0.0
    for name, size in sorted(sizes.items()):
        share, drawn = weights[name] / total, len(scores[name])
        mean = math.fsum(scores[name]) / drawn
        seen += share * mean
        certain += share * (mean * drawn + size - drawn) / size
        proxy += share**2 * (1 - (drawn - 1) / size) / drawn if drawn < size else 0.0
    margin = math.sqrt(math.log(1 / risk) * proxy / 2)
    return Ceiling(round(seen, DIGITS), round(certain, DIGITS), round(min(1.0, seen + margin), DIGITS))


def smoke_stop(found: Ceiling, thresholds: Thresholds, *, risk: float) -> str:
    """Why the sample ends the evaluation; empty where it does not."""
    floor = thresholds.composite
    if found.certain < floor:
        return f"at best, core would come to {found.certain:.4f}, below the threshold {floor:.4f}"
    if found.likely < floor:
        chance = f"but for a chance of {risk:g} the whole is below {found.likely:.4f}"
        return f"{found.seen:.4f} on a sample of core: {chance}, and its threshold is {floor:.4f}"
    return ""


def threshold_stop(stage: StageName, score: SetScore, thresholds: Thresholds) -> str:
    """Why a set that was asked whole ends the evaluation; empty where it does not."""
    floor = {StageName.CORE: thresholds.composite, StageName.HELDOUT: thresholds.heldout}.get(stage)
    if floor is None or score.composite >= floor:
        return ""
    return f"the composite {score.composite:.4f} on {stage} is below the threshold {floor:.4f}"


def drop_stop(drops: Mapping[str, Drop]) -> str:
    """Why what was lost ends the evaluation; empty where every part keeps its limit, or has none."""
    over = [
        f"{name} falls by {one.drop:.4f}, more than {one.limit:.4f}"
        for name, one in sorted(drops.items())
        if one.limit is not None and one.drop > one.limit
    ]
    return "; ".join(over)


class Pair(NamedTuple):
    """The score of one scenario before and after."""

    capability: str
    before: float
    after: float


def drop(
    pairs: Sequence[Pair], weights: Mapping[str, float], *, below: str, limit: float | None, resamples: int, seed: int
) -> Drop:
    """How far the composite falls from `before` to `after`, with the paired bootstrap's interval of it.

    A scenario's difference counts by its capability's weight and size, so that the mean of them all is the composite's.
    """
    counts: dict[str, int] = defaultdict(int)
    for pair in pairs:
        counts[pair.capability] += 1
    total = math.fsum(weights[name] for name in counts)
    each = [
        (pair.before - pair.after) * weights[pair.capability] / total * len(pairs) / counts[pair.capability]
        for pair in pairs
    ]
    low, high = bootstrap_interval(each, resamples=resamples, seed=seed)
    value = round(math.fsum(each) / len(each), DIGITS) if each else 0.0
    return Drop(below=below, drop=value, interval=Interval(low=low, high=high), limit=limit)
