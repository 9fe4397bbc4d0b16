"""Phase 3, deduplicate: one signal stands for its exact and near duplicates, says how many they were and who sent
them, and whether it may steer anything: held back are texts that speak to a model, that carry a trigger, or that stand
in a frozen set, and what a submitter sent beyond its quota."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial

from runner.ports import Output, Ports
from runner.records.dataset import Example
from runner.records.intake import DeduplicateReport
from runner.records.signal_policy import SignalPolicy
from runner.records.trace import Signal
from runner.records.validation import Leak
from runner.rules.holding import held_back
from runner.rules.near_duplicates import SIZE
from runner.rules.signals import unique_signals
from runner.rules.sources import over_quota, within_quota
from runner.rules.tail import with_tail
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `unique`, sorted by id, and `deduplicate`."""
    signals = inputs.artifacts.rows("signals", Signal)
    threshold = inputs.workspace.params.deduplicate.threshold
    policy = inputs.workspace.cluster.signals or SignalPolicy()
    suspects = partial(ports.near_duplicates.suspects, threshold=threshold, size=SIZE)
    found, exact = unique_signals(signals, threshold=threshold, suspects=suspects)
    leaks = {leak.candidate: leak for leak in inputs.artifacts.rows("leaks", Leak)}
    trusted = [row for name in ("gold", "base-data") for row in inputs.artifacts.rows(name, Example)]
    marked, triggers = held_back(found, policy=policy, leaks=leaks, trusted=trusted)
    unique = with_tail(within_quota(marked, policy))
    report = DeduplicateReport(
        signals=len(signals),
        unique=len(unique),
        exact=exact,
        near=len(signals) - exact - len(unique),
        tail=_counts(tail for one in unique for tail in one.tail),
        held=_counts(one.held for one in unique if one.held),
        over_quota=over_quota(unique),
        triggers=triggers,
    )
    return Output({"unique": unique, "deduplicate": report}, measured={"compute_s": 0.0})


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(str(name) for name in names).items()))
