"""Queries that give the right rows."""

from __future__ import annotations

from collections import Counter

from runner.records.graders import Sql
from runner.rules.evaluation.query_rows import QueryError, Rows, reference_rows, rows
from runner.rules.graders.case import Case, Credit
from runner.rules.text.shown import quoted


def sql(case: Case, grader: Sql) -> Credit:
    """Raises `ValueError` for a reference that gives no rows, which `check` has told of."""
    wanted = reference_rows(grader.tables, case.reference)
    try:
        given = rows(grader.tables, case.answer)
    except QueryError as error:
        return Credit.of(False, f"the query {error}")
    if grader.ordered:
        return Credit.of(given == wanted, _difference(given, wanted) or "the rows come in another order")
    return Credit.of(Counter(given) == Counter(wanted), _difference(given, wanted))


def _difference(given: Rows, wanted: Rows) -> str:
    """How many rows there are, and the first that is missed or too many."""
    missing, added = Counter(wanted) - Counter(given), Counter(given) - Counter(wanted)
    counts = f"gives {len(given)} rows where {len(wanted)} are right"
    for what, found in (("lacks", missing), ("has", added)):
        if found:
            return f"{counts}; {what} ({quoted(', '.join(text for _, text in min(found)), longest=80)})"
    return ""
