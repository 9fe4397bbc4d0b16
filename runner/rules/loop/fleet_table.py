"""The fleet in words: the columns of a wide terminal, a few lines a cluster in a narrow one, and what it adds up to."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from runner.records.fleet_status import FleetRow, Waiting
from runner.records.ledger import RunState
from runner.records.promotion import ServingStage
from runner.rules.text.shown import shown

COLUMNS = ("cluster", "boundary", "serves", "run", "composite", "held-out", "regressions", "waits for", "since")
ORDER = (ServingStage.PRODUCTION, ServingStage.CANARY, ServingStage.SHADOW)
BELOW = " !"
"""After a figure that is under its threshold: a colour alone does not reach everybody."""


GAP = "  "
Paint = Callable[[str, str], str]
"""A text and what it is (`head`, `name`, `below`, or nothing) to the text as a terminal shows it."""


def table(rows: Sequence[FleetRow], *, width: int, paint: Paint = lambda text, kind: text) -> Iterator[str]:
    """A line a cluster where `width` columns suffice, else a few lines each. No boundary, no column for one."""
    kept = [at for at, name in enumerate(COLUMNS) if name != "boundary" or any(row.boundary for row in rows)]
    found = [[_plain(cells(row)[at]) for at in kept] for row in rows]
    heads = [COLUMNS[at] for at in kept]
    widths = [max(map(len, column)) for column in zip(heads, *found, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) > width:
        for row in rows:
            first_line, *rest = map(_plain, lines(row))
            yield paint(first_line, "name")
            yield from textwrap.wrap("; ".join(rest), max(width, 20), initial_indent=GAP, subsequent_indent=GAP)
        return
    widths[-1] = 0  # nothing stands behind the last column
    for number, row_cells in enumerate([heads, *found]):
        padded = [cell.ljust(size) for cell, size in zip(row_cells, widths, strict=True)]
        yield GAP.join(paint(cell, _kind(cell, head=not number)) for cell in padded)


def _kind(cell: str, *, head: bool) -> str:
    return "head" if head else "below" if cell.rstrip().endswith(BELOW) else ""


def cells(row: FleetRow) -> tuple[str, ...]:
    """One cluster in `COLUMNS`."""
    if row.problem:
        return (row.cluster, row.boundary or "-", "-", "cannot be read", "-", "-", "-", row.problem, "-")
    one, wait = row.figures, first(row)
    return (
        row.cluster,
        row.boundary or "-",
        serves(row),
        run(row),
        _against(one.composite_after, one.composite_threshold) if one else "-",
        _against(one.heldout_after, one.heldout_threshold) if one else "-",
        f"{one.regressions} / {one.regressions_of}" if one else "-",
        f"{wait.who} ({wait.gate})" + (f" +{len(row.waiting) - 1}" if len(row.waiting) > 1 else "") if wait else "-",
        day(wait.since) if wait else "-",
    )


def lines(row: FleetRow) -> Iterator[str]:
    """One cluster where the columns do not fit: the first line names it, the others belong to it."""
    if row.problem:
        yield f"{row.cluster}  cannot be read"
        yield row.problem
        return
    yield f"{row.cluster}  {serves(row)}" + (f", in {row.boundary}" if row.boundary else "")
    yield run(row)
    one = row.figures
    if one is not None:
        yield f"composite {_against(one.composite_after, one.composite_threshold)}"
        yield f"held-out {_against(one.heldout_after, one.heldout_threshold)}"
        yield f"regressions {one.regressions} / {one.regressions_of}"
    for wait in row.waiting:
        since = f" since {day(wait.since)}" if wait.since else ""
        yield f"waits for {wait.who}{since}: {wait.what}"


def first(row: FleetRow) -> Waiting | None:
    """What is told where there is room for one: people before CI."""
    return next((one for one in row.waiting if one.people), row.waiting[0] if row.waiting else None)


def serves(row: FleetRow) -> str:
    """`production 3, canary 4`; `base` where no adapter is in production."""
    held = [f"{stage} {row.stages[stage]}" for stage in ORDER if stage in row.stages]
    return ", ".join(held if ServingStage.PRODUCTION in row.stages else ["base", *held])


def run(row: FleetRow) -> str:
    """`blocked, 9 of 13 triage`; the state alone where the run is over or has not begun."""
    if row.state is None:
        return "idle"
    over = (RunState.QUEUED, RunState.PROMOTED, RunState.ROLLED_BACK, RunState.SUPERSEDED)
    return row.state if row.state in over else f"{row.state}, {row.phase_number} of {row.phases} {row.phase}".rstrip()


def day(since: str) -> str:
    """`2026-11-21 13:05`, UTC."""
    return since[:16].replace("T", " ") or "-"


def total(rows: Sequence[FleetRow]) -> str:
    """`200 clusters: 12 wait for people, 3 under a threshold; 150 promoted, 30 active, 20 blocked`."""
    states = Counter(str(row.state) if row.state else "idle" for row in rows if not row.problem)
    counts = (
        (sum(any(one.people for one in row.waiting) for row in rows), "waiting for people"),
        (sum(row.below for row in rows), "under a threshold"),
        (sum(bool(row.problem) for row in rows), "cannot be read"),
    )
    told = ", ".join(f"{count} {what}" for count, what in counts if count) or "none waiting for people"
    named = ", ".join(f"{count} {name}" for name, count in sorted(states.items(), key=lambda one: (-one[1], one[0])))
    return f"{len(rows)} cluster{'s' * (len(rows) != 1)}: {told}" + (f"; {named}" if named else "")


def _plain(text: str) -> str:
    """On one line, and nothing in it that a terminal obeys: who signed is the name of a file that anybody may push."""
    return shown(text).replace("\n", " ")


def _against(value: float, threshold: float) -> str:
    return f"{value:.3f} / {threshold:.3f}" + BELOW * (value < threshold)
