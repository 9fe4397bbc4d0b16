"""Whether held-out looks like the sets beside it, by each trait.

The p-value is by permutation: the scenarios of both sets are dealt again into parts of their sizes, and their
chi-square statistic compared. Unlike the chi-square distribution's it holds where few are expected in a cell (Fisher;
Agresti, Categorical Data Analysis, 3.5). A set that differs by design is told of all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from runner.records.terms import SetName
from runner.records.workbench import Balance, Shift, Trait
from runner.rules.evaluation.statistics import holm
from runner.rules.workbench.item import Item

DRAWS = 2_000
ALPHA = 0.05
SHIFTS = 3


def balance(items: Sequence[Item], *, seed: int) -> tuple[Balance, ...]:
    """Held-out against core and representative, by each trait; nothing where one of the two is empty."""
    found: dict[str, Balance] = {}
    for against in (SetName.CORE, SetName.REPRESENTATIVE):
        for trait in Trait:
            counts = {
                name: Counter(one.value(trait) for one in items if one.set == name)
                for name in (SetName.HELDOUT, against)
            }
            if all(counts.values()):
                found[f"{against}/{trait}"] = _one(trait, against, counts[SetName.HELDOUT], counts[against], seed=seed)
    differing = holm({name: one.p_value for name, one in found.items()}, ALPHA)
    return tuple(one.model_copy(update={"differs": name in differing}) for name, one in found.items())


def _one(trait: Trait, against: SetName, heldout: Counter[str], other: Counter[str], *, seed: int) -> Balance:
    values = sorted({*heldout, *other})
    ours, theirs = (np.array([counts[value] for value in values]) for counts in (heldout, other))
    shares = ours / ours.sum(), theirs / theirs.sum()
    apart = np.abs(shares[0] - shares[1])
    widest = np.argsort(-apart, kind="stable")[:SHIFTS]
    return Balance(
        trait=trait,
        against=against,
        distance=min(1.0, round(float(apart.sum() / 2), 9)),
        p_value=permutation_p(ours, theirs, draws=DRAWS, seed=seed),
        differs=False,
        shifts=tuple(
            Shift(value=values[n], heldout=round(float(shares[0][n]), 9), other=round(float(shares[1][n]), 9))
            for n in widest
            if apart[n] > 0
        ),
    )


def permutation_p(ours: np.ndarray, theirs: np.ndarray, *, draws: int, seed: int) -> float:
    """How often two random parts of the same sizes differ as much, by Pearson's statistic; never below 1 / (draws + 1).

    `ours` and `theirs` are counts of the same values.
    """
    both = ours + theirs
    expected = both * ours.sum() / both.sum()
    dealt = np.random.default_rng(seed).multivariate_hypergeometric(both, int(ours.sum()), size=draws)
    # with both margins fixed Pearson's statistic is this sum times a constant
    seen = float((((ours - expected) ** 2) / both).sum())
    drawn = (((dealt - expected) ** 2) / both).sum(axis=1)
    return round((1 + int((drawn >= seen - 1e-9).sum())) / (draws + 1), 9)
