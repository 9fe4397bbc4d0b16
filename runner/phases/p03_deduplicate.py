"""Phase 3, deduplicate: one signal stands for its exact and near duplicates, and says how many they were."""

from __future__ import annotations

from runner.ports import Output, Ports
from runner.records.intake import DeduplicateReport
from runner.records.trace import Signal
from runner.rules.signals import unique_signals
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `unique`, sorted by id, and `deduplicate`."""
    signals = inputs.artifacts.rows("signals", Signal)
    unique, exact = unique_signals(signals, threshold=inputs.workspace.params.deduplicate.threshold)
    report = DeduplicateReport(
        signals=len(signals), unique=len(unique), exact=exact, near=len(signals) - exact - len(unique)
    )
    return Output({"unique": unique, "deduplicate": report}, measured={"compute_s": 0.0})
