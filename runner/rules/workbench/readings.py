"""What triage and power say of the benchmark: where people disagree, and what a comparison on held-out could see."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from runner.records.terms import SetName
from runner.records.triage import Choice, Review, TriageFile
from runner.records.workbench import Power, Reading, Seen
from runner.rules.evaluation.power import detectable
from runner.rules.workbench.item import Item

POWER, ALPHA, DISCORDANCE = 0.8, 0.05, 0.2


def triage(rounds: Iterable[tuple[TriageFile, Sequence[Review]]]) -> tuple[Reading, ...]:
    """By capability: candidates that two people or more decided on, and those on which they did not agree."""
    decided: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    for listed, reviews in rounds:
        capability = {one.candidate: one.capability for one in listed.decisions}
        said: dict[str, list[str]] = defaultdict(list)
        for review in reviews:
            for one in review.decisions:
                if one.candidate in capability and one.decision is not Choice.UNDECIDED:
                    said[one.candidate].append(one.decision)
        for candidate, each in said.items():
            if len(each) > 1:
                decided[capability[candidate]] += 1
                apart[capability[candidate]] += len(set(each)) > 1
    return tuple(Reading(capability=one, candidates=decided[one], disagreed=apart[one]) for one in sorted(decided))


def power(items: Sequence[Item], capabilities: Sequence[str], *, discordance: float | None) -> Power:
    """The smallest gain on held-out that the exact test would find, for each capability by itself and uncorrected:
    Holm's correction over several needs more. `discordance` is what the last comparison saw; without one a fifth."""
    share = DISCORDANCE if discordance is None else discordance
    counts = Counter(one.capability for one in items if one.set is SetName.HELDOUT)
    known: dict[int, float | None] = {}
    rows = []
    for capability in dict.fromkeys(capabilities):
        n = counts[capability]
        if n not in known:
            known[n] = detectable(n, discordance=share, alpha=ALPHA, wanted=POWER)
        rows.append(Seen(capability=capability, scenarios=n, difference=known[n]))
    return Power(rows=tuple(rows), power=POWER, alpha=ALPHA, discordance=share)
