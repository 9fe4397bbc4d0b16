"""Phase 3, deduplicate: one signal stands for its exact and near duplicates, and says how many they were."""

from __future__ import annotations

from collections import Counter
from functools import partial

from runner.ports import Output, Ports
from runner.records.intake import DeduplicateReport
from runner.records.trace import Signal
from runner.rules.near_duplicates import SIZE
from runner.rules.signals import unique_signals
from runner.rules.tail import with_tail
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `unique`, sorted by id, and `deduplicate`."""
    signals = inputs.artifacts.rows("signals", Signal)
    threshold = inputs.workspace.params.deduplicate.threshold
    suspects = partial(ports.near_duplicates.suspects, threshold=threshold, size=SIZE)
    found, exact = unique_signals(signals, threshold=threshold, suspects=suspects)
    unique = with_tail(found)
    report = DeduplicateReport(
        signals=len(signals),
        unique=len(unique),
        exact=exact,
        near=len(signals) - exact - len(unique),
        tail=dict(sorted(Counter(str(tail) for one in unique for tail in one.tail).items())),
    )
    return Output({"unique": unique, "deduplicate": report}, measured={"compute_s": 0.0})
