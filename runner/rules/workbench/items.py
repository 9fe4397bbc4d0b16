"""How items behave over the models that were asked them: difficulty, discrimination, and answers that turn.

Classical test theory, with models as the subjects. There are few of them and they are near relatives (adapters of one
base), so no item response model is fitted: with one or two parameters an item and tens of subjects its estimates would
be noise with decimals (hundreds are the rule: Lord 1980; de Ayala 2009). Difficulty is shrunk, discrimination is given
from `MIN_SUBJECTS` models on, and how many there were stands beside both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runner.records.workbench import ItemFigures, Items, Subject
from runner.rules.workbench.item import Item

MIN_SUBJECTS = 8
"""Models below which an item-rest correlation is not given: of eight, one of .7 is the least that p = .05 tells from
none."""
SHRUNK_BY = 2.0
"""Models' worth of the capability's share that every item's share is drawn towards."""
Array = npt.NDArray[np.float64]


class Sitting(NamedTuple):
    """One run of one model over items."""

    run: str
    """The iteration or evaluation, for people."""
    name: str
    """The model, for people."""
    model: str
    """What tells it from another: the digest of its adapter, or of its base. Equal for a run that repeats another."""
    passed: Mapping[str, bool]
    """By `set/id`."""


def items(asked: Sequence[Item], sittings: Sequence[Sitting], *, left_out: Iterable[str] = ()) -> Items:
    """Figures of every item that a model was asked. Items are told apart by `set/id`."""
    known = {one.key: one for one in asked}
    by_model: dict[str, list[Sitting]] = defaultdict(list)
    for sitting in sittings:
        if any(key in known for key in sitting.passed):
            by_model[sitting.model].append(sitting)
    verdicts = {model: _majority(runs, known) for model, runs in by_model.items()}
    keys = [key for key in known if any(key in verdict for verdict in verdicts.values())]
    matrix = _matrix(keys, list(verdicts.values()))
    apart = discrimination(matrix)
    figures = [_figures(known[key], matrix[place], apart[place]) for place, key in enumerate(keys)]
    shrunk = _shrunk(figures)
    enough = len(verdicts) > 1
    return Items(
        subjects=tuple(
            Subject(name=runs[0].name, runs=len(runs), items=len(verdicts[model])) for model, runs in by_model.items()
        ),
        left_out=tuple(left_out),
        figures=shrunk,
        all_pass=tuple(_key(one) for one in shrunk if enough and one.models > 1 and one.passed == one.models),
        all_fail=tuple(_key(one) for one in shrunk if enough and one.models > 1 and one.passed == 0),
        unstable=tuple(key for key in keys if any(_turns(runs, key) for runs in by_model.values())),
        told_apart=_told_apart(len(verdicts)),
    )


def _key(one: ItemFigures) -> str:
    return f"{one.set}/{one.scenario}"


def _told_apart(subjects: int) -> str:
    if subjects < MIN_SUBJECTS:
        return f"insufficient data: {subjects} models were asked, and below {MIN_SUBJECTS} no discrimination is given"
    return f"item-rest correlation over {subjects} models"


def _majority(runs: Sequence[Sitting], known: Mapping[str, Item]) -> dict[str, bool]:
    """Whether more than half of a model's runs over an item passed."""
    found: dict[str, list[bool]] = defaultdict(list)
    for run in runs:
        for key, passed in run.passed.items():
            if key in known:
                found[key].append(passed)
    return {key: 2 * sum(each) > len(each) for key, each in found.items()}


def _turns(runs: Sequence[Sitting], key: str) -> bool:
    return len({run.passed[key] for run in runs if key in run.passed}) > 1


def _matrix(keys: Sequence[str], verdicts: Sequence[Mapping[str, bool]]) -> Array:
    """Items by models: 1 passed, 0 failed, NaN not asked."""
    rows = [[float(verdict[key]) if key in verdict else np.nan for verdict in verdicts] for key in keys]
    return np.array(rows, dtype=np.float64).reshape(len(keys), len(verdicts))


def discrimination(matrix: Array) -> list[float | None]:
    """Each item's correlation with the share of the other items that a model passes (corrected item-total correlation;
    on a pass or fail item a point-biserial one). `matrix` is items by models, NaN where a model was not asked.

    None below `MIN_SUBJECTS` models that were asked it, and where they all did the same or do not differ elsewhere.
    """
    asked = ~np.isnan(matrix)
    passed = np.where(asked, matrix, 0.0)
    totals, counts = passed.sum(axis=0), asked.sum(axis=0)
    found: list[float | None] = []
    for row, there in zip(passed, asked, strict=True):
        others = counts - there
        use = there & (others > 0)
        if int(use.sum()) < MIN_SUBJECTS:
            found.append(None)
            continue
        mine = row[use]
        rest = (totals[use] - mine) / others[use]
        flat = bool(np.ptp(mine) == 0 or np.ptp(rest) < 1e-12)
        found.append(None if flat else round(float(np.corrcoef(mine, rest)[0, 1]), 6))
    return found


def _figures(one: Item, row: Array, apart: float | None) -> ItemFigures:
    asked = ~np.isnan(row)
    return ItemFigures(
        set=one.set,
        scenario=one.id,
        capability=one.capability,
        models=int(asked.sum()),
        passed=int(row[asked].sum()),
        difficulty=0.0,
        discrimination=apart,
    )


def _shrunk(figures: Sequence[ItemFigures]) -> tuple[ItemFigures, ...]:
    """With difficulties: (failed + c d) / (asked + c), where d is the capability's share failed and c `SHRUNK_BY`."""
    failed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in figures:
        failed[one.capability][0] += one.models - one.passed
        failed[one.capability][1] += one.models
    found = []
    for one in figures:
        lost, asked = failed[one.capability]
        share = (one.models - one.passed + SHRUNK_BY * lost / asked) / (one.models + SHRUNK_BY)
        found.append(one.model_copy(update={"difficulty": round(min(1.0, share), 6)}))
    return tuple(found)
