"""Diversity: how varied a batch's texts are, and how much of what is real they reach.

- `distinct-n`: distinct word n-grams over all of them (Li et al. 2016, arXiv:1510.03055).
- `self-BLEU`: each text's BLEU-4 against all the others, averaged (Zhu et al. 2018, arXiv:1802.01886); BLEU after
  Papineni et al. 2002, with smoothing 1 of Chen and Cherry 2014. A text of fewer than four words counts as far as
  its n-grams go.
- `members`: the share of the failure cluster's messages in whose neighbourhood a row of the batch lies, the coverage of
  Naeem et al. 2020 (arXiv:2002.09797). The neighbourhood reaches to the fifth nearest other message; the distance
  is one less the Jaccard similarity of their words.
- `vocabulary`, `modes`: the share of the words, and of the word pairs, that two human rows or more have.

Both of the first grow or fall with the number of texts, so a batch and the real rows beside it are samples of one size.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from runner.records.diversity import Diversity, DiversityLimits, Reach, Texture, WordSpread
from runner.records.verdict import Reason
from runner.rules.text.similarity import Shingles, jaccard, words

SAMPLE = 200
"""Texts that are compared with one another at most."""
NEIGHBOURS = 5
ORDER = 4
"""Words of the longest n-grams of BLEU."""
SMOOTHING = 0.1
"""What stands for no match in a precision."""
STEP = "diversity"


def diversity(batch: Sequence[str], *, real: Sequence[str], members: Sequence[str], seed: int) -> Diversity:
    """Of a batch of one text or more, beside `real` rows of its capability and the failure cluster's `members`."""
    size = min(SAMPLE, len(batch), len(real) or len(batch))
    return Diversity(
        batch=_texture(_sample(batch, size, seed)),
        real=_texture(_sample(real, size, seed)) if real else None,
        reach=Reach(
            members=_members(_sample(members, SAMPLE, seed), batch),
            vocabulary=_recurring(real, batch, 1),
            modes=_recurring(real, batch, 2),
        ),
    )


def shortfalls(found: Diversity, limits: DiversityLimits) -> tuple[Reason, ...]:
    """Each limit of the cluster that `found` misses. What could not be measured misses none."""
    own, reach = found.batch, found.reach
    floors = (
        ("distinct-1", own.distinct_1, limits.min_distinct_1),
        ("distinct-2", own.distinct_2, limits.min_distinct_2),
        ("distinct-3", own.distinct_3, limits.min_distinct_3),
        ("share of the failure cluster's messages reached", reach.members, limits.min_members),
        ("share of the human rows' words reached", reach.vocabulary, limits.min_vocabulary),
        ("share of the human rows' word pairs reached", reach.modes, limits.min_modes),
        ("median of words", own.words.p50, limits.min_median_words),
    )
    ceilings = (
        ("self-BLEU", own.self_bleu, limits.max_self_bleu),
        ("median of words", own.words.p50, limits.max_median_words),
    )
    below = [
        f"{name} {_figure(value)} is below {_figure(least)}" for name, value, least in floors if _less(value, least)
    ]
    above = [
        f"{name} {_figure(value)} is above {_figure(most)}" for name, value, most in ceilings if _less(most, value)
    ]
    hint = "raise `expand.temperature`, add gold rows of other kinds, or lower the limit under `diversity:`"
    return tuple(Reason(step=STEP, problem=problem, hint=hint) for problem in (*below, *above))


def distinct(texts: Iterable[Sequence[str]], size: int) -> float:
    """Distinct `size`-grams over all of them; 0 where there are none. `texts` are lists of words."""
    grams = [gram for text in texts for gram in _grams(text, size)]
    return round(len(set(grams)) / len(grams), 9) if grams else 0.0


def self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    """The mean BLEU-4 of each text against all the others, 0 to 1; None for fewer than two. Time grows with the words.

    What the others have of an n-gram at most is the most that any text has, or the second most for the one that has it.
    """
    if len(texts) < 2:
        return None
    counts = [[Counter(_grams(text, size)) for size in range(1, ORDER + 1)] for text in texts]
    most: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    for text in counts:
        for sized in text:
            for gram, count in sized.items():
                first, second = most[gram]
                most[gram] = [count, first] if count > first else [first, max(second, count)]
    lengths = sorted(len(text) for text in texts)
    return round(math.fsum(map(_bleu, counts, _closest(texts, lengths), [most] * len(texts))) / len(texts), 9)


def _bleu(own: Sequence[Counter[tuple[str, ...]]], closest: int, most: dict[tuple[str, ...], list[int]]) -> float:
    length = own[0].total()
    logs = []
    for sized in own:
        if not sized:
            break
        matched = sum(min(count, most[gram][most[gram][0] == count]) for gram, count in sized.items())
        logs.append(math.log((matched or SMOOTHING) / sized.total()))
    if not logs:
        return 0.0
    brevity = 1.0 if length >= closest else math.exp(1 - closest / length)
    return brevity * math.exp(math.fsum(logs) / len(logs))


def _closest(texts: Sequence[Sequence[str]], lengths: Sequence[int]) -> list[int]:
    """For each text the length of another that is closest to its own, the shorter of two. `lengths` are sorted."""
    found = []
    for text in texts:
        at = bisect_left(lengths, len(text))
        others = [*lengths[max(0, at - 1) : at], *lengths[at + 1 : at + 2]]
        found.append(min(others, key=lambda other: (abs(other - len(text)), other)))
    return found


def _texture(texts: Sequence[str]) -> Texture:
    split = [words(text) for text in texts]
    ordered = sorted(len(text) for text in split)
    p10, p50, p90 = (ordered[min(len(ordered) - 1, len(ordered) * part // 10)] for part in (1, 5, 9))
    return Texture(
        texts=len(texts),
        distinct_1=distinct(split, 1),
        distinct_2=distinct(split, 2),
        distinct_3=distinct(split, 3),
        self_bleu=self_bleu(split),
        words=WordSpread(p10=p10, p50=p50, p90=p90),
    )


def _members(members: Sequence[str], batch: Iterable[str]) -> float | None:
    """The coverage of distinct members by the batch; None for too few of them to have neighbours."""
    sets = sorted({frozenset(words(text)) for text in members} - {frozenset()}, key=sorted)
    if len(sets) <= NEIGHBOURS:
        return None
    rows = {frozenset(words(text)) for text in batch}
    reached = 0
    for position, own in enumerate(sets):
        near = sorted((jaccard(own, other) for other in (*sets[:position], *sets[position + 1 :])), reverse=True)
        reached += _comes_near(own, rows, near[NEIGHBOURS - 1])
    return round(reached / len(sets), 9)


def _comes_near(own: Shingles, rows: Iterable[Shingles], similarity: float) -> bool:
    """Whether some row is that similar. One that shares nothing is near to nothing."""
    return any((value := jaccard(own, row)) > 0 and value >= similarity for row in rows)


def _recurring(real: Iterable[str], batch: Iterable[str], size: int) -> float | None:
    """The share that `batch` has of the n-grams which two `real` texts or more have; None where there are none."""
    rows: Counter[tuple[str, ...]] = Counter(gram for text in real for gram in set(_grams(words(text), size)))
    wanted = {gram for gram, count in rows.items() if count > 1}
    there = {gram for text in batch for gram in _grams(words(text), size)}
    return round(len(wanted & there) / len(wanted), 9) if wanted else None


def _grams(text: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return zip(*(text[start:] for start in range(size)), strict=False)


def _sample(texts: Sequence[str], size: int, seed: int) -> list[str]:
    """The same for the same texts in any order."""
    ordered = sorted(texts)
    return ordered if len(ordered) <= size else random.Random(seed).sample(ordered, size)


def _less(value: float | None, other: float | None) -> bool:
    return value is not None and other is not None and value < other


def _figure(value: float | None) -> str:
    return f"{value:g}" if isinstance(value, int) or value is None else f"{value:.3f}"
