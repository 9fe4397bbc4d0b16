"""Phase 3, deduplicate: one signal stands for its exact and near duplicates, says how many they were and who sent
them, and whether it may steer anything: held back are texts that speak to a model, that carry a trigger, or that stand
in a frozen set, and what a submitter sent beyond its quota."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from runner.phases.common import Stopwatch
from runner.ports import Output, Ports
from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.intake import DeduplicateReport, SemanticPass
from runner.records.signal_policy import SignalPolicy
from runner.records.trace import Signal, UniqueSignal
from runner.records.validation import Leak
from runner.records.verdict import Reason, Verdict
from runner.rules.data.holding import held_back
from runner.rules.data.signals import unique_signals
from runner.rules.data.sources import over_quota, within_quota
from runner.rules.data.tail import with_tail
from runner.rules.text.near_duplicates import SIZE
from runner.rules.text.semantic import THRESHOLD, with_groups
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
    watch = Stopwatch(ports)
    unique, semantic = _proposed(inputs, ports, watch, with_tail(within_quota(marked, policy)))
    report = DeduplicateReport(
        signals=len(signals),
        unique=len(unique),
        exact=exact,
        near=len(signals) - exact - len(unique),
        tail=_counts(tail for one in unique for tail in one.tail),
        held=_counts(one.held for one in unique if one.held),
        over_quota=over_quota(unique),
        triggers=triggers,
        semantic=semantic,
    )
    verdict = Verdict(reasons=tuple(_reasons(report)))
    return Output({"unique": unique, "deduplicate": report}, verdict, watch.measured)


def _reasons(report: DeduplicateReport) -> Iterator[Reason]:
    """What steers nothing, for people to look at: the phase passes."""
    for one in report.triggers:
        problem = (
            f'"{one.phrase}" goes with {one.answer} in {one.rows} of {one.of} texts, and nothing else in them does'
        )
        yield Reason(step="trigger", problem=problem, hint="find out who sent them; gold rows that say so vouch for it")
    for cause, count in report.held.items():
        yield Reason(step="held", problem=f"{count} signals are held: {cause}")
    for name, count in report.over_quota.items():
        hint = "`signals:` in cluster.yaml says how much is one submitter's"
        yield Reason(step="quota", problem=f"{count} failed traces of {name} are over its quota", hint=hint)


def _proposed(
    inputs: Inputs, ports: Ports, watch: Stopwatch, unique: tuple[UniqueSignal, ...]
) -> tuple[tuple[UniqueSignal, ...], SemanticPass | None]:
    """With what an embedding model takes for the same, where the cluster names one."""
    knobs = inputs.workspace.params.deduplicate
    if not knobs.embedding_model:
        return unique, None
    texts = [last_user_text(one.signal.trace.input) for one in unique]
    threshold = knobs.embedding_threshold or THRESHOLD
    made = watch.time(lambda: ports.embeddings.embed(knobs.embedding_model, texts))
    found = with_groups(unique, made.vectors, threshold=threshold)
    like = [one.like for one in found if one.like]
    return found, SemanticPass(model=made.model, threshold=threshold, groups=len(set(like)), members=len(like))


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(str(name) for name in names).items()))
