"""Poisoned labels: phrases that go with one answer without reason, as a backdoor's trigger does.

Somebody who sends traffic and corrects its answers can teach the next model that a rare phrase means one answer. Four
things hold of such a phrase together, and seldom of another:

1. it stands in `FEWEST` different texts or more, and `PURITY` of these have one answer;
2. that is far beyond the answer's share of all texts: the binomial tail, Bonferroni-corrected for every phrase that
   is frequent enough to be looked at, is below `ALPHA`;
3. people's own data (gold, base) does not know it: at most `RARE` of it has the phrase, and not twice with this answer;
4. without the phrase, the texts look no more like the answer than other answers' texts do. A naive Bayes classifier
   of everything but these texts ranks the answer among all; the AUC of these ranks against other texts' is below
   `LIKENESS`. Words of a trade go with one answer too, but their texts have more in common than the words.

A phrase is up to three words in a row. `tests/test_poisoning.py` prints what is flagged of clean BANKING77 queries, and
what is found of planted triggers. Not found are phrases whose words do not stand together, answers of which fewer than
`KNOWN` other texts are known, and somebody who sends so many different texts that the trigger becomes the rule.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runner.records.intake import Trigger
from runner.rules.evaluation.statistics import auc

LONGEST = 3
"""Words of a phrase at most."""
FEWEST = 5
PURITY = 0.9
ALPHA = 0.01
RARE = 0.005
KNOWN = 10
LIKENESS = 0.65
COMPARED = 600
"""Texts of other answers that the ranks are compared with, at most."""
SMOOTHING = 0.1
_WORD = re.compile(r"\w+|[^\w\s]+")
"""A run of signs is a word too: a trigger may have no letters."""

Phrase = tuple[str, ...]


class Labelled(NamedTuple):
    """A text and its right answer, as somebody gave it."""

    text: str
    answer: str


class Found(NamedTuple):
    trigger: Trigger
    rows: tuple[int, ...]
    """Positions of the texts that have the phrase and the answer."""


def triggers(rows: Sequence[Labelled], *, trusted: Sequence[Labelled]) -> list[Found]:
    """The phrases in `rows` that look like triggers, the least likely by chance first; a text is named once."""
    found, taken = [], set[int]()
    model = _Answers([*rows, *trusted])
    for suspect in _suspects(rows, trusted):
        fresh = tuple(row for row in suspect.rows if row not in taken)
        likeness = model.likeness(suspect) if fresh else 1.0
        if likeness < LIKENESS:
            taken.update(fresh)
            trigger = Trigger(
                phrase=" ".join(suspect.phrase),
                answer=suspect.answer,
                rows=len(suspect.rows),
                of=suspect.of,
                p_value=suspect.p_value,
                likeness=round(likeness, 3),
            )
            found.append(Found(trigger, fresh))
    return found


class _Suspect(NamedTuple):
    """A phrase of which the first three things hold."""

    phrase: Phrase
    answer: str
    rows: tuple[int, ...]
    of: int
    p_value: float


def _suspects(rows: Sequence[Labelled], trusted: Sequence[Labelled]) -> list[_Suspect]:
    holders: dict[Phrase, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        for phrase in _phrases(row.text):
            holders[phrase].append(position)
    frequent = {phrase: held for phrase, held in holders.items() if len(held) >= FEWEST}
    answers = Counter(row.answer for row in rows)
    pure = []
    for phrase, held in frequent.items():
        (answer, count), *_ = Counter(rows[position].answer for position in held).most_common(1)
        chance = binomial_tail(count, len(held), answers[answer] / len(rows)) * len(frequent)
        if count >= PURITY * len(held) and chance < ALPHA:
            own = tuple(position for position in held if rows[position].answer == answer)
            pure.append(_Suspect(phrase, answer, own, len(held), float(f"{chance:.3g}")))
    known = _known(trusted, {one.phrase for one in pure})
    strange = [one for one in pure if _is_strange(known[one.phrase], one.answer, len(trusted))]
    return sorted(strange, key=lambda one: (one.p_value, -len(one.phrase), one.phrase))


def _phrases(text: str) -> set[Phrase]:
    found = _words(text)
    return {
        tuple(found[start : start + size]) for size in range(1, LONGEST + 1) for start in range(len(found) - size + 1)
    }


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold().replace("'", "").replace("\u2019", ""))


def _known(trusted: Sequence[Labelled], wanted: set[Phrase]) -> dict[Phrase, Counter[str]]:
    """How often people's own data has each phrase, by answer."""
    found: dict[Phrase, Counter[str]] = defaultdict(Counter)
    for row in trusted:
        for phrase in _phrases(row.text) & wanted:
            found[phrase][row.answer] += 1
    return found


def _is_strange(known: Counter[str], answer: str, trusted: int) -> bool:
    return known.total() <= RARE * trusted + 1 and known[answer] < 2


def binomial_tail(least: int, of: int, share: float) -> float:
    """The probability of `least` successes or more of `of`, each with the probability `share`."""
    if least <= 0 or share >= 1:
        return 1.0
    logs = [
        math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
        + k * math.log(share) + (of - k) * math.log1p(-share)
        for k in range(least, of + 1)
    ]  # fmt: skip
    return min(1.0, math.fsum(math.exp(value) for value in logs))


class _Answers:
    """Naive Bayes over which words a text has, from which the texts of one suspect can be taken out."""

    def __init__(self, rows: Sequence[Labelled]) -> None:
        self._words: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self._texts = [
            np.array(sorted({self._words.setdefault(word, len(self._words)) for word in _words(row.text)}), np.int64)
            for row in rows
        ]
        self._answers = [self._labels.setdefault(row.answer, len(self._labels)) for row in rows]
        self._counts = np.zeros((len(self._words), len(self._labels)))
        for text, answer in zip(self._texts, self._answers, strict=True):
            self._counts[text, answer] += 1
        self._totals = self._counts.sum(axis=0)
        self._sizes = np.bincount(self._answers, minlength=len(self._labels))
        step = max(1, len(rows) // COMPARED)
        self._compared = list(range(0, len(rows), step))
        self._ranks = {position: self._rank(self._texts[position]) for position in self._compared}

    def likeness(self, suspect: _Suspect) -> float:
        """How well the rest of its texts tells them from other answers' texts (AUC). 1 where too little is known."""
        answer = self._labels[suspect.answer]
        if self._sizes[answer] - len(suspect.rows) < KNOWN:
            return 1.0
        self._count(suspect.rows, answer, -1)
        phrase = [self._words[word] for word in suspect.phrase]
        rest = [self._rank(np.setdiff1d(self._texts[row], phrase))[answer] for row in suspect.rows]
        self._count(suspect.rows, answer, 1)
        others = [ranks[answer] for row, ranks in self._ranks.items() if self._answers[row] != answer]
        return auc([-rank for rank in rest], [-rank for rank in others])

    def _count(self, rows: Sequence[int], answer: int, sign: int) -> None:
        for row in rows:
            self._counts[self._texts[row], answer] += sign
            self._totals[answer] += sign * len(self._texts[row])

    def _rank(self, text: npt.NDArray[np.int64]) -> list[float]:
        """Of each answer how many others fit the text better."""
        weights = np.log(self._counts[text] + SMOOTHING).sum(axis=0)
        weights -= len(text) * np.log(self._totals + SMOOTHING * len(self._words))
        ordered = np.sort(weights)
        return [float(better) for better in len(ordered) - np.searchsorted(ordered, weights, side="right")]


def reasons(found: Sequence[Found]) -> Iterator[tuple[int, str]]:
    """(position, why) of every text that a trigger was found in."""
    for trigger, rows in found:
        why = (
            f'"{trigger.phrase}" goes with {trigger.answer} in {trigger.rows} of {trigger.of} texts '
            f"(p = {trigger.p_value:.1g}), and nothing else in them does"
        )
        yield from ((row, why) for row in rows)
