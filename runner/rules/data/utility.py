"""Utility: what a batch teaches, as a share of what equally many real rows teach (train on synthetic, test on real;
Esteban et al. 2017).

Accuracy has a floor: on as many tests of the capability as of others, guessing gets half. So what is compared is the
lift above guessing, sensitivity + specificity - 1 (Youden 1950): a batch with the wrong labels lifts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from runner.records.validation import Estimate, Utility

Hits = npt.NDArray[np.float64]
RESAMPLES = 1000
LEAST_LIFT = 0.1
"""A lift of real rows below which there is nothing to take a share of."""


def utility(
    synthetic: Sequence[bool], real: Sequence[bool], *, positives: int, rows: int, seed: int
) -> tuple[Utility, str]:
    """Figures of two classifiers that were tested on the same rows: which they got right, the `positives` tests of
    the capability first. `rows` is how many rows of the capability each learnt from.

    The interval is the percentile bootstrap's over tests of each kind, the same resamples for both. Beside the
    figures: why the lift says nothing; empty where it does.
    """
    made, true = np.asarray(synthetic, dtype=np.float64), np.asarray(real, dtype=np.float64)
    lifts = _lift(made[None, :], positives)[0], _lift(true[None, :], positives)[0]
    accuracies = float(made.mean()), float(true.mean())
    found = Utility(
        synthetic_accuracy=round(accuracies[0], 9),
        real_accuracy=round(accuracies[1], 9),
        ratio=round(accuracies[0] / accuracies[1], 9) if accuracies[1] else 1.0,
        trained_on=rows,
        tested_on=len(made),
    )
    if lifts[1] < LEAST_LIFT:
        return found, f"real rows themselves lift a classifier by {lifts[1]:.2f} above guessing"
    generator = np.random.default_rng(seed)
    drawn = np.concatenate(
        [
            generator.integers(0, positives, (RESAMPLES, positives)),
            generator.integers(positives, len(made), (RESAMPLES, len(made) - positives)),
        ],
        axis=1,
    )
    shares = _lift(made[drawn], positives) / np.maximum(_lift(true[drawn], positives), LEAST_LIFT)
    low, high = np.quantile(shares, [0.025, 0.975])
    value = lifts[0] / lifts[1]
    lift = Estimate(value=round(float(value), 9), low=round(float(low), 9), high=round(float(high), 9))
    return found.model_copy(update={"lift": lift}), ""


def _lift(hits: Hits, positives: int) -> Hits:
    """Sensitivity + specificity - 1 of each line of `hits`."""
    lifted: Hits = hits[:, :positives].mean(axis=1) + hits[:, positives:].mean(axis=1) - 1
    return lifted
