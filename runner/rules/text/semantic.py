"""Signals that may say the same in other words: groups by the cosine of their texts' embeddings.

They are proposals, apart from the near-duplicates that word shingles show: no signal is merged, no count changes. A
text joins the most similar earlier leader at or above the threshold, as near-duplicates do, so that a chain of small
steps does not run together; and only among signals of one kind (failed or not, the answers, the tools).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from runner.records.trace import UniqueSignal
from runner.rules.text.similarity import normal_text

Vectors = npt.NDArray[np.float32]
THRESHOLD = 0.9
"""Cosine from which two texts are proposed to say the same, where the cluster says nothing else."""


def with_groups(signals: Sequence[UniqueSignal], vectors: Vectors, *, threshold: float) -> tuple[UniqueSignal, ...]:
    """The signals, in their order; one that may say what an earlier one says names it (`like`).

    `vectors` has a row for each signal, of any length but zero. Raises `ValueError` where it has not.
    """
    if vectors.shape[:1] != (len(signals),):
        raise ValueError(f"{len(signals)} signals, and {vectors.shape} vectors")
    kinds: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for position, one in enumerate(signals):
        trace = one.signal.trace
        answers = (normal_text(trace.response), normal_text(trace.feedback.correct_answer))
        kinds[one.signal.failed, answers, trace.tool_calls].append(position)
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    like = {}
    for positions in kinds.values():
        for place, leader in enumerate(leaders(units[positions], threshold=threshold)):
            if leader != place:
                like[positions[place]] = signals[positions[leader]].signal.id
    return tuple(
        one.model_copy(update={"like": like[position]}) if position in like else one
        for position, one in enumerate(signals)
    )


def leaders(units: Vectors, *, threshold: float) -> list[int]:
    """For each unit vector the position of the one that stands for it, itself where it stands for itself."""
    chosen, heads = [], list[int]()
    led = np.empty_like(units)
    for position, unit in enumerate(units):
        cosines = led[: len(heads)] @ unit
        best = int(cosines.argmax()) if heads else -1
        if best >= 0 and cosines[best] >= threshold - 1e-6:
            chosen.append(heads[best])
            continue
        led[len(heads)] = unit
        heads.append(position)
        chosen.append(position)
    return chosen
