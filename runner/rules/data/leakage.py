"""Leakage: texts that stand in a frozen set, wholly, nearly, reworded or inside a longer one. They may train nothing.

A text leaks where one of these holds of it and a frozen text:

| how | what | from |
|---|---|---|
| `exact` | equal after normalisation | |
| `near` | Jaccard similarity of word 2-shingles, or of character 4-grams | .8 |
| `paraphrase` | the same content words in any order: Jaccard similarity of the stems, five or more in each | .7 |
| `contained` | a frozen text of eight words or more inside it: the share of its word 3-shingles that is there | .9 |

All are found exactly: prefix filters and an inverted index name candidates, the true similarity decides. The limits
were chosen on BANKING77's training queries against its test queries, which are known to share some. Where the frozen
query has another answer the alarm is false for certain: that is so of one query in a thousand. Below the limits false
alarms grow faster than finds: character n-grams find three times as many at .7 and five times as many false ones,
content words at .65 find not twice as many and ten times as many false ones (`tests/test_leakage.py` prints all
figures). Words that were replaced by others of the same meaning are beyond any of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Scenario
from runner.records.validation import Leak, LeakHow
from runner.rules.text.content_words import character_grams, content_words
from runner.rules.text.similarity import ShingleIndex, Shingles, normal_text, shingles

NEAR = 0.8
"""Jaccard similarity of word pairs or character n-grams from which two texts are nearly the same."""
PARAPHRASE = 0.7
"""Jaccard similarity of content words from which one text says what the other says."""
CONTENT_WORDS = 5
"""Content words that a text must have to be called another's paraphrase: fewer are shared by chance."""
CONTAINED_WORDS = 8
"""Words that a frozen text must have to be looked for inside others: shorter ones are phrases of the trade."""
CONTAINED = 0.9
"""Share of a frozen text's 3-shingles from which it counts as contained."""
MAX_SHARE = 0.05
"""A batch of which more than this leaked, paraphrases aside, and two rows or more, fails whole: its generator knows the
benchmark. That people ask the same thing in other words says nothing of the kind."""


class Match(NamedTuple):
    """The frozen scenario that a text stands in."""

    similarity: float
    """1 where equal after normalisation."""
    scenario: str
    how: LeakHow


def _pairs(text: str) -> Shingles:
    return shingles(text, 2)


def _telling(text: str) -> Shingles:
    """Content words where there are enough of them to tell a text by."""
    found = content_words(text)
    return found if len(found) >= CONTENT_WORDS else frozenset()


MEASURES: tuple[tuple[LeakHow, Callable[[str], Shingles], float], ...] = (
    (LeakHow.NEAR, _pairs, NEAR),
    (LeakHow.NEAR, character_grams, NEAR),
    (LeakHow.PARAPHRASE, _telling, PARAPHRASE),
)


class FrozenTexts:
    """The last user texts of every frozen scenario, to be asked whether a text stands among them."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._build((scenario.id, last_user_text(scenario.input)) for scenario in scenarios)

    @classmethod
    def of(cls, texts: Iterable[tuple[str, str]]) -> FrozenTexts:
        """The same of scenarios' ids and last user texts."""
        found = cls(())
        found._build(texts)
        return found

    def _build(self, pairs: Iterable[tuple[str, str]]) -> None:
        ordered = sorted(pairs)
        texts = [text for _, text in ordered]
        self._ids = [name for name, _ in ordered]
        self._exact = {normal_text(text): name for text, name in zip(reversed(texts), reversed(self._ids), strict=True)}
        self._exact.pop("", None)
        self._indexes = [(how, make, _indexed([*map(make, texts)], threshold)) for how, make, threshold in MEASURES]
        self._parts = _Parts(texts)

    def match(self, text: str) -> Match | None:
        """The frozen scenario that `text` stands in and how; the most similar one, None where there is none."""
        exact = self._exact.get(normal_text(text))
        if exact is not None:
            return Match(1.0, exact, LeakHow.EXACT)
        return max(self._near(text), key=lambda one: (one.similarity, one.scenario), default=None)

    def _near(self, text: str) -> Iterator[Match]:
        for how, make, index in self._indexes:
            for position, similarity in index.find(make(text))[:1]:
                yield Match(round(similarity, 9), self._ids[position], how)
        for position, share in self._parts.inside(text):
            yield Match(round(share, 9), self._ids[position], LeakHow.CONTAINED)

    def leaks(self, examples: Iterable[Example]) -> tuple[Leak, ...]:
        """The leak of every example that has one, in order. Every user message is looked at, not only the last."""
        return tuple(leak for example in examples if (leak := self._leak(example)))

    def _leak(self, example: Example) -> Leak | None:
        return self.leak(example.id, (message.content for message in example.input))

    def leak(self, name: str, texts: Iterable[str]) -> Leak | None:
        """The leak of what is called `name` and says `texts`, by its closest match."""
        found = [match for text in sorted(set(texts)) if (match := self.match(text))]
        if not found:
            return None
        best = max(found, key=lambda match: (match.similarity, match.scenario))
        return Leak(candidate=name, scenario=best.scenario, similarity=best.similarity, how=best.how)


def _indexed(sets: Sequence[Shingles], threshold: float) -> ShingleIndex:
    index = ShingleIndex(sets, threshold=threshold)
    for position, one in enumerate(sets):
        index.add(position, one)
    return index


class _Parts:
    """Which long frozen texts stand inside another text."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._sizes: dict[int, int] = {}
        self._holders: dict[str, list[int]] = defaultdict(list)
        for position, text in enumerate(texts):
            found = shingles(text, 3)
            if len(found) > CONTAINED_WORDS - 3:
                self._sizes[position] = len(found)
                for shingle in found:
                    self._holders[shingle].append(position)

    def inside(self, text: str) -> Iterator[tuple[int, float]]:
        """(position, share) of every long text of which the share of shingles in `text` is at least `CONTAINED`."""
        shared = Counter(
            position for shingle in shingles(text, 3) if shingle in self._holders for position in self._holders[shingle]
        )
        for position, count in shared.items():
            if count >= CONTAINED * self._sizes[position] - 1e-9:
                yield position, count / self._sizes[position]


def fails_whole(leaked: int, rows: int) -> bool:
    """Whether so much of a batch leaked that none of it may be used."""
    return leaked >= 2 and leaked > MAX_SHARE * rows


def verbatim(leaks: Iterable[Leak]) -> int:
    """How many of the leaks are more than the same thing in other words: what `fails_whole` asks of a batch."""
    return sum(leak.how is not LeakHow.PARAPHRASE for leak in leaks)
