"""From votes to verdicts, and how steady a judge was: what turned when the order was swapped, and what it left open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.judge import Judged, Vote
from runner.records.judging import JudgeFile, JudgeUse
from runner.records.score import GradedAnswer
from runner.records.terms import SetName
from runner.records.verdict import Reason

DIGITS = 9


def verdict(judge: JudgeFile, votes: Sequence[Vote], *, why_shown: str = "") -> Judged:
    """Met where more than half of the votes cast say so, and unmet else: also where the order decides, and where the
    judge abstains. With `why_shown` the criterion counts for nothing."""
    found = Counter(votes)
    said = f"{judge.id}: {found[Vote.MET]} of {len(votes)} votes met"
    said += f", {found[Vote.NONE]} no verdict" if found[Vote.NONE] else ""
    said += f"; for show: {why_shown}" if why_shown else ""
    return Judged(
        credit=float(decided(votes) is Vote.MET),
        explanation=said,
        judge=judge.id,
        votes=tuple(votes),
        shown=bool(why_shown),
    )


def decided(votes: Sequence[Vote]) -> Vote:
    """What the votes come to; none where no more than half of them were cast."""
    found = Counter(votes)
    cast = found[Vote.MET] + found[Vote.UNMET]
    if 2 * cast <= len(votes):
        return Vote.NONE
    return Vote.MET if 2 * found[Vote.MET] > cast else Vote.UNMET


class Swaps(NamedTuple):
    """How often the order was swapped between two votes that were both cast, and how often that turned the vote."""

    pairs: int
    flipped: int

    @property
    def rate(self) -> float:
        return round(self.flipped / self.pairs, DIGITS) if self.pairs else 0.0


def swaps(each: Iterable[Sequence[Vote]]) -> Swaps:
    """Over the votes of several verdicts, each in the order of asking."""
    both = [pair for votes in each for pair in zip(votes[::2], votes[1::2], strict=True) if Vote.NONE not in pair]
    return Swaps(len(both), sum(one is not other for one, other in both))


def uses(rows: Iterable[GradedAnswer], *, counted: bool = False) -> Mapping[str, tuple[JudgeUse, ...]]:
    """How steady each judge was on each model's answers to each set, perturbed ones among them; by judge. With
    `counted` only over verdicts that count."""
    found: dict[tuple[str, SetName, str], list[tuple[Vote, ...]]] = {}
    for row in rows:
        for one in row.grade.judged.values():
            if one.judge is not None and not (counted and one.shown):
                found.setdefault((one.judge, row.set, row.model), []).append(one.votes)
    by_judge: dict[str, list[JudgeUse]] = {}
    for (judge, name, model), each in sorted(found.items()):
        by_judge.setdefault(judge, []).append(_use(name, model, each))
    return {judge: tuple(of) for judge, of in by_judge.items()}


def _use(name: SetName, model: str, each: Sequence[tuple[Vote, ...]]) -> JudgeUse:
    turned = swaps(each)
    return JudgeUse(
        set=name,
        model=model,
        verdicts=len(each),
        unanimous=sum(len(set(votes)) == 1 and Vote.NONE not in votes for votes in each),
        swaps=turned.pairs,
        flipped=turned.flipped,
        abstained=sum(decided(votes) is Vote.NONE for votes in each),
    )


class Steadiness(NamedTuple):
    """A judge over everything that it judged: shares, 0 to 1."""

    agreement: float
    flip_rate: float
    abstentions: float


def steadiness(found: Iterable[JudgeUse]) -> Steadiness:
    """Over all uses. A judge that was asked nothing is steady."""
    each = tuple(found)
    verdicts, swapped = sum(one.verdicts for one in each), sum(one.swaps for one in each)
    return Steadiness(
        agreement=_share(sum(one.unanimous for one in each), verdicts, none=1.0),
        flip_rate=_share(sum(one.flipped for one in each), swapped, none=0.0),
        abstentions=_share(sum(one.abstained for one in each), verdicts, none=0.0),
    )


def unsteady(rows: Iterable[GradedAnswer], judges: Mapping[str, JudgeFile]) -> Iterator[Reason]:
    """Each judge whose verdicts count, and on which models' answers it was less steady than its floor asks: their
    scores say little."""
    hint = "calibrate it again with answers like these, or name another judge"
    for name, found in uses(rows, counted=True).items():
        floor = judges[name].floor
        for model in sorted({one.model for one in found}):
            seen = steadiness(one for one in found if one.model == model)
            if seen.flip_rate > floor.max_flip_rate:
                said = f"the order turned {seen.flip_rate:.1%} of the votes of {name} on the {model}"
                yield Reason(step="judges", problem=f"{said}, more than {floor.max_flip_rate:.1%}", hint=hint)
            if seen.abstentions > floor.max_abstentions:
                said = f"{name} gave no verdict on {seen.abstentions:.1%} of the answers of the {model}"
                yield Reason(step="judges", problem=f"{said}, more than {floor.max_abstentions:.1%}", hint=hint)


def _share(count: int, of: int, *, none: float) -> float:
    return round(count / of, DIGITS) if of else none
