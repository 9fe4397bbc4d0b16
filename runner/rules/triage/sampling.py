"""Which candidates people decide: a seeded sample of each batch, and what it says of the rest.

Stratified by batch (Cochran, Sampling Techniques, 1977): one generator's good rows say nothing of another's. Within a
batch the draw is without replacement, by the smallest digests of seed, iteration and candidate, so that it repeats on
any machine and cannot be drawn again until it suits. The bound on a batch's error rate is Wilson's (1927), which,
unlike the normal interval, holds up where no error was seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runner.records.dataset import Candidate
from runner.records.triage import SampledBatch
from runner.records.triage_policy import Triage
from runner.rules.canonical import digest

Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


def wilson(errors: int, of: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of `errors` in `of`; (0, 1) where `of` is nought. Raises `ValueError` for counts
    that cannot be."""
    if not 0 <= errors <= of:
        raise ValueError(f"{errors} errors in {of}")
    if not of:
        return 0.0, 1.0
    share, shrunk = errors / of, 1 + Z * Z / of
    middle = (share + Z * Z / (2 * of)) / shrunk
    half = Z / shrunk * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return max(0.0, round(middle - half, 9)), min(1.0, round(middle + half, 9))


def least_sample(max_error_rate: float) -> int:
    """The smallest sample whose upper Wilson bound is at most `max_error_rate` where no error is found in it."""
    return math.ceil(Z * Z * (1 - max_error_rate) / max_error_rate - 1e-9)


class Draw(NamedTuple):
    """How many people each candidate is to be decided by, by id, and the count of every batch."""

    people: Mapping[str, int]
    batches: tuple[SampledBatch, ...]


def draw(candidates: Sequence[Candidate], policy: Triage, *, iteration: str) -> Draw:
    """The candidates that people decide, by the cluster's policy. The same for the same arguments."""
    by_batch: dict[str, list[str]] = {}
    for one in candidates:
        by_batch.setdefault(one.batch, []).append(one.example.id)
    people: dict[str, int] = {}
    batches = []
    for batch, names in by_batch.items():
        size, why = _size(len(names), policy)
        sampled = _first(names, size, "sample", policy, iteration)
        twice = _first(sampled, math.ceil((policy.double or 0) * size - 1e-9), "double", policy, iteration)
        people |= {name: (name in sampled) + (name in twice) for name in names}
        batches.append(SampledBatch(batch=batch, candidates=len(names), sampled=size, double=len(twice), why=why))
    return Draw(people, tuple(batches))


def _size(total: int, policy: Triage) -> tuple[int, str]:
    """How many of a batch people decide, and why so many."""
    if policy.sample is None or policy.max_error_rate is None:
        return total, "people decide every candidate"
    asked, least = math.ceil(policy.sample * total - 1e-9), least_sample(policy.max_error_rate)
    bound = f"an error rate of at most {policy.max_error_rate:g} (upper Wilson bound)"
    if least >= total:
        return total, f"all: to show {bound} takes {least} without an error, and the batch has {total}"
    if least > asked:
        return least, f"{least}, not {asked} ({policy.sample:g} of {total}): fewer cannot show {bound}"
    return asked, f"{policy.sample:g} of {total}; the rest passes on {bound}"


def _first(names: Iterable[str], count: int, purpose: str, policy: Triage, iteration: str) -> frozenset[str]:
    ordered = sorted(names, key=lambda name: digest([purpose, str(policy.seed), iteration, name]))
    return frozenset(ordered[:count])
