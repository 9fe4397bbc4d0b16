"""Where a candidate comes from, for the person who decides on it: parents, batch, validation, failure, rubric, gold.

It is made of what phases 3 to 8 wrote of the iteration and of gold. Held-out and frozen sets are no part of it: of a
leak check it has counts and figures, never a scenario's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from runner.records.cluster import Capability
from runner.records.conversation import last_user_text
from runner.records.dataset import Batch, Candidate, Example
from runner.records.failure import FailureCluster
from runner.records.rubric import Rubric
from runner.records.trace import UniqueSignal
from runner.records.triage import Decision
from runner.records.validation import BatchValidation
from runner.rules.text.similarity import Shingles, jaccard, shingles

SIZES = (3, 1)
"""Words of a shingle: what deduplication and the leak checks compare; single words where nothing shares three."""


@dataclass(frozen=True)
class Near:
    """The nearest of several texts: its id, how similar, and in shingles of how many words."""

    id: str
    similarity: float
    size: int


@dataclass(frozen=True)
class Background:
    """What could be had, by id. What could not is empty, and `missing` says so in words."""

    batches: Mapping[str, Batch] = field(default_factory=dict)
    validations: Mapping[str, BatchValidation] = field(default_factory=dict)
    failures: Mapping[str, FailureCluster] = field(default_factory=dict)
    signals: Mapping[str, UniqueSignal] = field(default_factory=dict)
    gold: Mapping[str, Example] = field(default_factory=dict)
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    """Every one of the iteration, validated or not: candidates are made from candidates too."""
    rubrics: tuple[Rubric, ...] = ()
    capabilities: Mapping[str, Capability] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @cached_property
    def _gold_shingles(self) -> dict[int, dict[str, Shingles]]:
        return {
            size: {name: shingles(last_user_text(one.input), size) for name, one in self.gold.items()} for size in SIZES
        }

    def text(self, name: str) -> str:
        """What a parent asks; empty where it is not at hand."""
        if name in self.signals:
            return last_user_text(self.signals[name].signal.trace.input)
        example = self.example(name)
        return last_user_text(example.input) if example else ""

    def example(self, name: str) -> Example | None:
        """The gold example or candidate of that id."""
        return self.gold.get(name) or (self.candidates[name].example if name in self.candidates else None)

    def trace(self, name: str) -> UniqueSignal | None:
        """The production trace of that id, or the one that a candidate of that id was taken from."""
        if name in self.candidates and name not in self.signals:
            name = next((one for one in self.candidates[name].parents if one in self.signals), name)
        return self.signals.get(name)

    def nearest_gold(self, decision: Decision) -> Near | None:
        """The gold example whose last user text is most similar (Jaccard); of equals one of the same capability."""
        preferred = {name for name, one in self.gold.items() if one.capability == decision.capability}
        return _nearest(last_user_text(decision.input), self._gold_shingles, preferred)

    def nearest_parent(self, decision: Decision) -> Near | None:
        """The parent that is most similar, of those at hand."""
        texts = {name: self.text(name) for name in decision.parents}
        by_size = {size: {name: shingles(text, size) for name, text in texts.items() if text} for size in SIZES}
        return _nearest(last_user_text(decision.input), by_size, set())

    def batch(self, decision: Decision) -> Batch | None:
        return self.batches.get(decision.batch)

    def failure(self, decision: Decision) -> FailureCluster | None:
        """The failure cluster that its batch aims at."""
        batch = self.batch(decision)
        return self.failures.get(batch.provenance.target) if batch else None

    def rubrics_of(self, capability: str) -> tuple[Rubric, ...]:
        """Those that cover it; a rubric that names no capability covers all."""
        return tuple(one for one in self.rubrics if not one.capabilities or capability in one.capabilities)


def _nearest(text: str, by_size: Mapping[int, Mapping[str, Shingles]], preferred: set[str]) -> Near | None:
    """By the longest shingles in which anything is similar at all; none where there is nothing to compare with."""
    best: Near | None = None
    for size in SIZES:
        own = shingles(text, size)
        found = [(jaccard(own, other), name in preferred, name) for name, other in by_size[size].items()]
        if found:
            similarity, _, name = max(found)
            best = Near(name, similarity, size)
            if similarity > 0:
                break
    return best
