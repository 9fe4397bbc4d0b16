"""Times of single requests as `ports.Latency`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.ports import Latency


def latency(seconds: Iterable[float], *, peak_memory_mib: float) -> Latency:
    """Median and 95th percentile by the nearest rank; 0 of no request."""
    taken = sorted(1000 * one for one in seconds)
    return Latency(_nearest_rank(taken, 0.5), _nearest_rank(taken, 0.95), peak_memory_mib)


def _nearest_rank(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
