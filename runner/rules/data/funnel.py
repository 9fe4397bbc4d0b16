"""The funnel of every batch, made step by step: phase 7 as far as consistent, phase 8 validated, phase 9 accepted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from runner.records.dataset import Batch, Candidate
from runner.records.funnel import ORDER, BatchFunnel, Funnel, FunnelCount, FunnelReport, FunnelStep, summed
from runner.rules.data.novelty import NEAR_FROZEN

EXPANDED = ORDER[: ORDER.index(FunnelStep.CONSISTENT) + 1]
"""The steps of phase 7."""
BATCH_REFUSED, REJECTED = "batch-refused", "rejected"
"""Causes of phases 8 and 9: its batch failed, people rejected it."""


def expanded(kept: int, dropped: Iterable[tuple[FunnelStep, str]]) -> Funnel:
    """Phase 7's part of a batch's funnel, from the rows that came through and (step, cause) of every other."""
    causes: dict[FunnelStep, Counter[str]] = defaultdict(Counter)
    for step, cause in dropped:
        causes[step][cause] += 1
    left = kept + sum(found.total() for found in causes.values())
    steps = []
    for step in EXPANDED:
        left -= causes[step].total()
        steps.append(FunnelCount(step=step, kept=left, rejected=dict(sorted(causes[step].items()))))
    return Funnel(steps=tuple(steps))


def report(batches: Iterable[Batch]) -> FunnelReport | None:
    """The funnels that phase 7 made, and their sum. None where some batch is from before there were any."""
    found = [(batch.id, batch.funnel) for batch in batches]
    if any(funnel is None for _, funnel in found):
        return None
    return _report([BatchFunnel(batch=name, funnel=one) for name, one in found if one is not None], len(EXPANDED))


def validated(
    before: FunnelReport, *, candidates: Iterable[Candidate], valid: Collection[Candidate], leaked: Collection[str]
) -> FunnelReport:
    """With phase 8's step: of the candidates that are not valid, those in `leaked` stand in a frozen set."""
    passed = {one.example.id for one in valid}

    def cause(name: str) -> str:
        return NEAR_FROZEN if name in leaked else BATCH_REFUSED

    lost = [one for one in candidates if one.example.id not in passed]
    return _further(before, FunnelStep.VALIDATED, kept=valid, lost=_causes(lost, cause))


def accepted(before: FunnelReport, *, valid: Sequence[Candidate], accepted: Sequence[Candidate]) -> FunnelReport:
    """With phase 9's step: what of the valid candidates is not accepted was rejected."""
    lost = Counter(one.batch for one in valid)
    lost.subtract(one.batch for one in accepted)
    causes = {batch: Counter({REJECTED: count}) for batch, count in lost.items() if count}
    return _further(before, FunnelStep.ACCEPTED, kept=accepted, lost=causes)


def sentence(funnel: Funnel) -> str:
    """`480 generated, 471 ruled, 402 novel, 120 consistent`: the first step, and every other that rejected a row."""
    shown = [funnel.steps[0], *(one for one in funnel.steps[1:] if one.rejected)]
    if shown[-1] is not funnel.steps[-1]:
        shown.append(funnel.steps[-1])
    return ", ".join(f"{one.kept:,} {one.step}" for one in shown)


def _causes(lost: Iterable[Candidate], cause: Callable[[str], str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in lost:
        found[one.batch][cause(one.example.id)] += 1
    return found


def _further(
    before: FunnelReport, step: FunnelStep, *, kept: Iterable[Candidate], lost: Mapping[str, Mapping[str, int]]
) -> FunnelReport:
    """One step more for every batch. Raises `ValueError` where rows appeared or vanished on the way."""
    counts = Counter(one.batch for one in kept)
    rows = []
    for one in before.batches:
        count = FunnelCount(step=step, kept=counts[one.batch], rejected=dict(sorted(lost.get(one.batch, {}).items())))
        rows.append(BatchFunnel(batch=one.batch, funnel=Funnel(steps=(*one.funnel.steps, count))))
    return _report(rows, len(before.total.steps) + 1)


def _report(rows: Sequence[BatchFunnel], steps: int) -> FunnelReport:
    return FunnelReport(batches=tuple(rows), total=summed((one.funnel for one in rows), steps=steps))
