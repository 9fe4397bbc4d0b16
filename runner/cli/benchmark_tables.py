"""The workbench's report on a terminal: tables as wide as it is, plain and uncut where the output is none."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.records.workbench import WorkbenchReport
from runner.rules.text.shown import shown
from runner.rules.workbench import words

PIPED = 160
"""Columns where the output is no terminal."""
MOST = 12


def show(report: WorkbenchReport) -> None:
    """Print the report, the longest lists cut: the page and JSON have the rest."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPED)
    console.print(Text(f"{report.cluster}: {words.headline(report)}"))
    for table in (*_coverage(report), _balance(report), _power(report), _rubrics(report), _items(report)):
        if table.row_count:
            console.print(Text(f"\n{table.caption}", style="bold"))
            table.caption = None
            console.print(table)
    console.print()
    for line in _lines(report):
        console.print(Text(shown(line)))


def _table(title: str, *columns: str) -> Table:
    """Words on the left, figures (a name that ends in #) on the right."""
    table = Table(caption=title, box=None, pad_edge=False)
    for name in columns:
        table.add_column(name.removesuffix("#"), justify="right" if name.endswith("#") else "left", overflow="fold")
    return table


def _coverage(report: WorkbenchReport) -> list[Table]:
    found = []
    for one in report.coverage:
        table = _table(f"Scenarios by {words.TRAITS[one.trait]}", "", *(f"{name}#" for name in report.sets))
        for row in one.rows:
            table.add_row(Text(row.value), *(f"{count:,}" if count else "-" for count in row.counts))
        found.append(table)
    return found


def _balance(report: WorkbenchReport) -> Table:
    table = _table("Held-out beside the others", "trait", "against", "distance#", "p#", "verdict", "widest apart")
    for one in report.balance:
        verdict = "differs" if one.differs else "no difference found"
        cells = (words.TRAITS[one.trait], one.against, words.share(one.distance), words.p_value(one.p_value), verdict)
        table.add_row(*cells, Text(words.shifts(one) if one.differs else ""))
    return table


def _power(report: WorkbenchReport) -> Table:
    table = _table("Smallest gain that held-out can see", "capability", "scenarios#", "gain#")
    for one in report.power.rows if report.power else ():
        seen = "none" if one.difference is None else words.share(one.difference)
        table.add_row(Text(one.capability), f"{one.scenarios:,}", seen)
    return table


def _rubrics(report: WorkbenchReport) -> Table:
    table = _table("Rubrics", "rubric", "status", "scenarios#", "answers#", "findings")
    for one in report.rubrics:
        findings = Text(shown("; ".join(one.findings)) or "none")
        table.add_row(Text(one.rubric), one.status, f"{one.scenarios:,}", f"{one.answers:,}", findings)
    return table


def _items(report: WorkbenchReport) -> Table:
    table = _table("The hardest items that some model passes", "item", "capability", "passed#", "difficulty#", "apart#")
    for one in words.hardest(report.items.figures, most=MOST):
        apart = "" if one.discrimination is None else f"{one.discrimination:.2f}"
        passed = f"{one.passed} of {one.models}"
        table.add_row(Text(f"{one.set}/{one.scenario}"), Text(one.capability), passed, f"{one.difficulty:.2f}", apart)
    return table


def _lines(report: WorkbenchReport) -> list[str]:
    """What needs no table, and last what to write next."""
    items, pairs = report.items, report.duplicates
    lines = [
        f"models asked: {len(items.subjects)}; {items.told_apart}",
        f"pass with every model: {len(items.all_pass):,} ({words.listed(items.all_pass)})",
        f"fail with every model: {len(items.all_fail):,} ({words.listed(items.all_fail)})",
        f"turn when asked again: {len(items.unstable):,} ({words.listed(items.unstable)})",
        f"near-duplicates: {pairs.within:,} in a set, {pairs.across:,} across, {pairs.two_answers:,} with two answers",
        *(f"  {one.one} and {one.other} have two right answers" for one in pairs.pairs[:MOST] if not one.same_answer),
        f"leaks into the sets that judge: {pairs.leaks_found:,} of "
        + ", ".join(f"{rows:,} rows of {source}" for source, rows in pairs.looked_at.items()),
        *(f"  {one.source} {one.row} stands in {one.scenario} ({one.how})" for one in pairs.leaks[:MOST]),
    ]
    backwards = [f"{one.set}/{one.scenario}" for one in words.backwards(items.figures)]
    lines += [f"failed by the better models: {words.listed(backwards)}"] if backwards else []
    lines += [f"no approved rubric grades: {words.listed(report.uncovered)}"] if report.uncovered else []
    apart = [f"{one.capability} {one.disagreed} of {one.candidates}" for one in report.triage if one.disagreed]
    lines += [f"people disagree at triage: {words.listed(apart)}"] if apart else []
    lines += [f"left out: {one}" for one in items.left_out[:MOST]]
    lines += ["", f"to write next ({len(report.gaps):,}):" if report.gaps else "no capability lacks scenarios"]
    return [*lines, *(f"  {words.gap(one)}" for one in report.gaps[:MOST])]
