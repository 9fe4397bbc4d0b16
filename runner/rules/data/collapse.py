"""Choosing the rows of a collapse simulation, and saying what came out of it."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from runner.errors import RecordError
from runner.records.collapse import Line, ModelGeneration, Regime
from runner.records.conversation import Message, Role, last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Origin
from runner.rules.canonical import digest
from runner.rules.data.tail_coverage import rare_capabilities
from runner.rules.text.similarity import normal_text

DEV_SHARE = 0.25
"""Of rows that come without a dev set, the share that is held back for scoring."""
DIGITS = 9


def apart(rows: Iterable[Example], dev: Iterable[Example]) -> list[Example]:
    """`rows` without those whose text stands in `dev`, each text once, in order."""
    seen = {normal_text(last_user_text(row.input)) for row in dev}
    kept = []
    for row in rows:
        text = normal_text(last_user_text(row.input))
        if text and text not in seen:
            seen.add(text)
            kept.append(row)
    return kept


def split(rows: Sequence[Example], *, seed: int) -> tuple[list[Example], list[Example]]:
    """(real, dev): a quarter of each capability is held back, of one with a single row none. Same rows, same split."""
    real, dev = [], []
    for name, found in _shuffled(rows, seed).items():
        held = int(DEV_SHARE * len(found)) or int(len(found) > 1)
        dev += found[:held]
        real += found[held:]
        if not real:
            raise RecordError(f"{name} has no row to train on")
    return real, dev


def drawn(rows: Sequence[Example], wanted: int, *, seed: int) -> list[Example]:
    """At most `wanted` rows, each capability with its share and at least one row: its tail stays a tail."""
    if len(rows) <= wanted:
        return list(rows)
    kept: list[Example] = []
    for found in _shuffled(rows, seed).values():
        kept += found[: max(1, round(wanted * len(found) / len(rows)))]
    return kept


def _shuffled(rows: Sequence[Example], seed: int) -> dict[str, list[Example]]:
    by_capability: dict[str, list[Example]] = defaultdict(list)
    for row in sorted(rows, key=lambda one: (one.capability, one.id)):
        by_capability[row.capability].append(row)
    for name, found in by_capability.items():
        random.Random(f"{seed}/{name}").shuffle(found)
    return dict(by_capability)


def rare_labels(rows: Iterable[Example]) -> tuple[str, ...]:
    """The capabilities with few real rows, sorted."""
    return tuple(sorted(rare_capabilities(Counter(row.capability for row in rows))))


def written_row(like: Example, text: str, *, generation: int) -> Example:
    """What a model wrote for the answer of `like`, as a row to train on."""
    name = f"written-{generation}-{digest([like.id, text])[:12]}"
    said = (Message(role=Role.USER, content=text),)
    return like.model_copy(update={"id": name, "input": said, "origin": Origin.SYNTHETIC})


def score(dev: Sequence[Example], answers: Sequence[str], *, among: Collection[str] | None = None) -> float | None:
    """The share of answers that are right but for case, spaces and punctuation: mean over capabilities, or over those
    `among`. None where there is no such row."""
    right: dict[str, list[bool]] = defaultdict(list)
    for row, answer in zip(dev, answers, strict=True):
        if among is None or row.capability in among:
            right[row.capability].append(normal_text(answer) == normal_text(row.answer))
    if not right:
        return None
    return round(math.fsum(sum(found) / len(found) for found in right.values()) / len(right), DIGITS)


def summary(lines: Sequence[Line]) -> str:
    """What the figures say, and no more: a generation's loss is its figure less that of generation 0."""
    ends = {line.regime: (line.generations[0], line.generations[-1]) for line in lines}
    said = [_said(regime, *found) for regime, found in ends.items()]
    if Regime.REPLACE in ends and Regime.ACCUMULATE in ends:
        (_, replaced), (_, accumulated) = ends[Regime.REPLACE], ends[Regime.ACCUMULATE]
        for name in ("score", "tails"):
            gap = getattr(accumulated, name) - getattr(replaced, name)
            what = "answers more rightly" if name == "score" else "keeps more of the tails"
            if gap > 0:
                said.append(f"Accumulating {what}, by {gap:.3f}")
            else:
                said.append(f"Here accumulating shows no advantage in {name} ({gap:+.3f})")
    return ". ".join(said) + ". One run with one seed."


def _said(regime: Regime, first: ModelGeneration, last: ModelGeneration) -> str:
    return (
        f"After {last.number} generations of {regime} the score on real data goes from {first.score:.3f} to "
        f"{last.score:.3f}, and the share of rare n-grams that the model still writes from {first.tails:.3f} to "
        f"{last.tails:.3f}"
    )
