"""How far two people agree beyond chance: Cohen's kappa with its large-sample interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from runner.rules.triage.sampling import Z


class Kappa(NamedTuple):
    """Cohen's kappa and its 95 % interval, within -1 and 1."""

    value: float
    low: float
    high: float


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> Kappa | None:
    """Unweighted kappa of two raters' categories for the same items (Cohen 1960), with the standard error of Fleiss,
    Cohen and Everitt (1969), which is nought where they agree throughout.

    None where kappa is not defined: no items, or both raters used one and the same category throughout. Raises
    `ValueError` for sequences of different length.
    """
    pairs = Counter(zip(first, second, strict=True))
    total = sum(pairs.values())
    rows, columns = Counter[Hashable](), Counter[Hashable]()
    for (one, other), count in pairs.items():
        rows[one] += count
        columns[other] += count
    expected = sum(rows[name] * columns[name] for name in rows) / total**2 if total else 1.0
    if expected == 1.0:
        return None
    observed = sum(count for (one, other), count in pairs.items() if one == other) / total
    kappa = (observed - expected) / (1 - expected)
    spread = 0.0
    for (one, other), count in pairs.items():
        if one == other:
            weight = 1 - (rows[one] + columns[one]) / total * (1 - kappa)
        else:
            weight = (columns[one] + rows[other]) / total * (1 - kappa)
        spread += count / total * weight**2
    variance = (spread - (kappa - expected * (1 - kappa)) ** 2) / (total * (1 - expected) ** 2)
    error = Z * math.sqrt(max(0.0, variance))
    return Kappa(round(kappa, 9), round(max(-1.0, kappa - error), 9), round(min(1.0, kappa + error), 9))
