"""What a mixture keeps of real data's tails, and whether that is enough: the collapse monitor.

A model trained on its own kind's output first loses what was rare (Shumailov et al. 2024), while averages still look
well. So the share of rare slices and rare n-grams that survive is measured for every arm, kept in the evidence, and
compared with the best mixture that was promoted before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median

from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.mixture import SliceCoverage, TailCoverage, TailLimits
from runner.records.verdict import Reason
from runner.rules.text.similarity import words

RARE_IN = range(2, 6)
"""In how many real rows a rare n-gram stands. What stands in one alone is as often a slip as a rare word."""
SIZES = (1, 2)
KEPT = 0.5
"""The share of a rare slice's rows that a mixture shows at least, if the slice survives."""
FEW = 0.5
"""A capability is rare with fewer real rows than this share of the median over all capabilities."""
DIGITS = 9
SLACK = 1e-9
"""What rounding to `DIGITS` may take of a share."""


def ngrams(text: str) -> frozenset[str]:
    """The distinct word 1- and 2-grams of `text`, normalised."""
    found = words(text)
    return frozenset(" ".join(found[at : at + size]) for size in SIZES for at in range(len(found) - size + 1))


def rare_ngrams(texts: Iterable[str]) -> frozenset[str]:
    """The n-grams that stand in two to five of the texts."""
    rows = Counter(ngram for text in texts for ngram in ngrams(text))
    return frozenset(ngram for ngram, count in rows.items() if count in RARE_IN)


def ngrams_kept(rare: Collection[str], texts: Iterable[str]) -> float:
    """The share of `rare` that stands in any of the texts; 1 where nothing is rare."""
    if not rare:
        return 1.0
    left = set(rare)
    for text in texts:
        left -= ngrams(text)
        if not left:
            break
    return round(1 - len(left) / len(rare), DIGITS)


def rare_capabilities(counts: Mapping[str, int]) -> frozenset[str]:
    """Those with fewer real rows than half of the median over all."""
    if not counts:
        return frozenset()
    middle = median(counts.values())
    return frozenset(name for name, count in counts.items() if count < FEW * middle)


def rare_slices(
    real: Sequence[Example], *, counts: Mapping[str, int], tails: Mapping[str, Collection[str]]
) -> dict[str, frozenset[str]]:
    """The rare slices of real data, each with the ids of its rows.

    `counts` are the real rows of every capability, and `tails` the ids of rows that come from signals in each tail.
    """
    rare = rare_capabilities(counts)
    ids = {row.id for row in real}
    slices = {f"capability/{name}": frozenset(row.id for row in real if row.capability == name) for name in rare}
    slices |= {f"signals/{name}": frozenset(found) & ids for name, found in tails.items()}
    return {name: found for name, found in sorted(slices.items()) if found}


def coverage(
    real: Sequence[Example], shown: Sequence[Example], *, slices: Mapping[str, Collection[str]]
) -> TailCoverage:
    """What the rows `shown` keep of the tails of `real`; `slices` are its rare slices."""
    ids = {row.id for row in shown}
    found = []
    for name, rows in slices.items():
        kept = len(ids.intersection(rows))
        found.append(SliceCoverage(slice=name, real=len(rows), kept=kept, survives=kept >= KEPT * len(rows)))
    rare = rare_ngrams(last_user_text(row.input) for row in real)
    return TailCoverage(
        slices=tuple(found),
        slices_kept=round(sum(one.survives for one in found) / len(found), DIGITS) if found else 1.0,
        ngrams=len(rare),
        ngrams_kept=ngrams_kept(rare, (last_user_text(row.input) for row in shown)),
    )


def lost_tails(now: TailCoverage, earlier: Sequence[TailCoverage], limits: TailLimits) -> Iterator[Reason]:
    """Why the mixture keeps too little of the tails; `earlier` is what mixtures that were promoted before kept.

    Both figures are held to the cluster's floor, and to the best one before less `limits.fall`.
    """
    step = "tail coverage"
    gone = ", ".join(f"{one.slice} ({one.kept} of {one.real} rows shown)" for one in now.slices if not one.survives)
    asked = _missed(now.slices_kept, [one.slices_kept for one in earlier], floor=limits.slices, fall=limits.fall)
    if asked:
        problem = f"{_percent(now.slices_kept)} of {len(now.slices)} rare slices survive, {asked}; lost: {gone}"
        yield Reason(step=step, problem=problem, hint="less synthetic data, more new rows, or wider caps")
    asked = _missed(now.ngrams_kept, [one.ngrams_kept for one in earlier], floor=limits.ngrams, fall=limits.fall)
    if asked:
        suffer = f"; slices that suffer: {gone}" if gone else ""
        problem = f"{now.ngrams_kept:.1%} of {now.ngrams} rare n-grams survive, {asked}{suffer}"
        yield Reason(step=step, problem=problem, hint="less synthetic data, or generators that vary more")


def _missed(kept: float, earlier: Sequence[float], *, floor: float, fall: float) -> str:
    """What is asked of the share `kept`, in words, where it is too small; empty where it is not."""
    best = max(earlier, default=0.0)
    if kept >= max(floor, best - fall) - SLACK:
        return ""
    if best - fall > floor:
        return f"and {best:.1%} did before: at most {fall:.1%} may be lost"
    return f"at least {_percent(floor)} should"


def _percent(share: float) -> str:
    """A tenth of a percent where there is one: `67%` beside a floor of `67%` would say nothing of `66.7%`."""
    return f"{share:.1%}".replace(".0%", "%")
