"""What the report shows of a batch's validation: a cell a measure, and which batches can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.edges.report_view import BatchRow
from runner.records.validation import BatchValidation, Estimate, Fidelity, Judgement

ABSENT = "\N{EN DASH}"
WORDS = {
    Judgement.PASS: "passed",
    Judgement.REFUSE: "refused",
    Judgement.INSUFFICIENT_DATA: "insufficient data",
}


class Cell(NamedTuple):
    """One measure of one batch."""

    name: str
    text: str
    interval: str = ""


def cells(found: BatchValidation | None) -> tuple[Cell, ...]:
    """Every measure in the order of the table; what was not measured is a dash."""
    like, use, private = (found.fidelity, found.utility, found.privacy) if found else (None, None, None)
    return (
        Cell("distances", _distances(like) if like else ABSENT),
        Cell("copies", _share(like.exact_copies if like else None)),
        _estimate("told apart", like.c2st_auc if like else None),
        _estimate("outliers", like.outliers if like else None),
        Cell("tidiness", _figure(like.cleanliness.score if like and like.cleanliness else None)),
        _estimate("teaches", use.lift if use else None),
        _estimate("membership", private.membership if private else None, private.membership_auc if private else None),
        _estimate("closer", private.closer_than_gold if private else None),
        _estimate("verbatim", private.verbatim_rows if private else None),
        Cell("leaks", str(len(found.leaks)) if found else ABSENT),
    )


def told_apart(rows: Sequence[BatchRow]) -> tuple[tuple[str, Estimate], ...]:
    """The batches of which it was measured, with how well a classifier tells them from real rows."""
    found = ((row.id, row.validation.fidelity) for row in rows if row.validation)
    return tuple((name, like.c2st_auc) for name, like in found if like and like.c2st_auc)


def _distances(like: Fidelity) -> str:
    return f"{like.length_distance:.2f} {like.vocabulary_distance:.2f} {like.ngram_distance:.2f}"


def _figure(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.0%}"


def _estimate(name: str, found: Estimate | None, plain: float | None = None) -> Cell:
    if found is None:
        return Cell(name, _figure(plain))
    return Cell(name, f"{found.value:.2f}", f"{found.low:.2f}{ABSENT}{found.high:.2f}")
