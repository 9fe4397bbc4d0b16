"""Leakage: texts that stand, wholly or nearly, in a frozen set. They may train nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Scenario
from runner.records.validation import Leak
from runner.rules.similarity import ShingleIndex, normal_text, shingles

SIZE = 2
"""Words in a shingle. Two, because short messages that differ in one word still share most pairs."""
THRESHOLD = 0.8
"""Jaccard similarity at and above which a text counts as leaked."""
MAX_SHARE = 0.05
"""A batch of which more than this leaked, and two rows or more, fails whole: its generator knows the benchmark."""


class FrozenTexts:
    """The last user texts of every frozen scenario, to be asked whether a text stands among them."""

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        ordered = sorted(scenarios, key=lambda one: one.id)
        texts = [last_user_text(scenario.input) for scenario in ordered]
        self._ids = [scenario.id for scenario in ordered]
        self._exact = {normal_text(text): name for text, name in zip(reversed(texts), reversed(self._ids), strict=True)}
        sets = [shingles(text, SIZE) for text in texts]
        self._index = ShingleIndex(sets, threshold=THRESHOLD)
        for position, one in enumerate(sets):
            self._index.add(position, one)

    def match(self, text: str) -> tuple[str, float] | None:
        """The frozen scenario that `text` stands in and the similarity, 1 where equal after normalisation."""
        exact = self._exact.get(normal_text(text))
        if exact is not None:
            return exact, 1.0
        near = self._index.find(shingles(text, SIZE))
        return (self._ids[near[0][0]], round(near[0][1], 9)) if near else None

    def leaks(self, examples: Sequence[Example]) -> tuple[Leak, ...]:
        """The leak of every example that has one, in order. Every user message is looked at, not only the last."""
        return tuple(leak for example in examples if (leak := self._leak(example)))

    def _leak(self, example: Example) -> Leak | None:
        texts = {last_user_text(example.input), *(message.content for message in example.input)}
        found = [match for text in sorted(texts) if (match := self.match(text))]
        if not found:
            return None
        scenario, similarity = max(found, key=lambda match: (match[1], match[0]))
        return Leak(candidate=example.id, scenario=scenario, similarity=similarity)


def fails_whole(leaked: int, rows: int) -> bool:
    """Whether so much of a batch leaked that none of it may be used."""
    return leaked >= 2 and leaked > MAX_SHARE * rows
