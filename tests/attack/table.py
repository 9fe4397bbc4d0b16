"""The corpus: every case, and how one is played."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterable
from pathlib import Path

from tests.attack import (
    adapters,
    benchmarks,
    figures,
    handed,
    history,
    people,
    policies,
    refs,
    rejections,
    shape,
    staged,
    triage,
)
from tests.attack.case import Case, Finding, Row
from tests.attack.desk import STARTS, Desk, Start, make_starts

CASES: tuple[Case, ...] = (
    *policies.CASES,
    *shape.CASES,
    *benchmarks.CASES,
    *figures.CASES,
    *handed.CASES,
    *staged.CASES,
    *people.CASES,
    *rejections.CASES,
    *adapters.CASES,
    *refs.CASES,
    *history.CASES,
    *triage.CASES,
)
ALL_STARTS = {
    **STARTS,
    "shadow": Start(staged.in_shadow, staged.StagedDesk),
    "triage": Start(triage.opened, triage.TriageDesk),
}
BY_NAME = {case.name: case for case in CASES}


def starts(folder: Path, names: Iterable[str]) -> dict[str, Desk]:
    return make_starts(folder, {name: ALL_STARTS[name] for name in names})


def play(case: Case, start: Desk, folder: Path) -> Row:
    """One case on a copy of its start, which is removed afterwards. A bug is a wrong row, not the end of the table."""
    desk = start.copy(folder / case.name)
    try:
        return _row(case, case.attack(desk))
    except Exception as error:
        return Row(case.name, str(case.expected), type(error).__name__, "", traceback.format_exc())
    finally:
        desk.git.close()
        shutil.rmtree(desk.path, ignore_errors=True)


def _row(case: Case, finding: Finding) -> Row:
    got = str(finding.got)
    if finding.got is case.expected and not case.holds(finding):
        other = finding.named is not None and finding.named != finding.commit
        got += f", at {finding.commit[:12]}" if other else f", not by {case.step or case.says}"
    return Row(case.name, str(case.expected), got, ", ".join(finding.steps), finding.said)
