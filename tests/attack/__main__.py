"""`python -m tests.attack`: play the corpus, print what was expected and what was got, exit 1 if anything is wrong.

After the cases come 1,000 flipped bits, 10,000 tampered ledgers and 200 kills at named points (`--full`: 1,000).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.attack.case import Case, Expected, Row
from tests.attack.desk import Desk
from tests.attack.flips import flips
from tests.attack.kills import kills
from tests.attack.ledger import tamperings
from tests.attack.table import BY_NAME, CASES, play, starts

FLIPS, TAMPERINGS, KILLS, FULL = 1_000, 10_000, 200, 1_000
SEED = 20260101
_DESKS: dict[str, Desk] = {}


def _begin(desks: dict[str, Desk]) -> None:
    _DESKS.update(desks)


def _case(name: str) -> list[Row]:
    case = BY_NAME[name]
    return [play(case, _DESKS[case.start], _DESKS[case.start].path.parent / "cases")]


def _flips(count: int, seed: int) -> list[Row]:
    start = _DESKS["promoted"]
    return flips(start.copy(start.path.parent / f"flips-{seed}"), count=count, seed=seed)


def folded(rows: Iterable[tuple[str, str, str, str]], *, prefix: str) -> list[Row]:
    """One row for all of a kind (what stands before the colon); those that are wrong stand by themselves."""
    kinds: dict[str, list[tuple[str, str, str, str]]] = {}
    wrong = []
    for row in rows:
        if row[1] == row[2]:
            kinds.setdefault(row[0].split(":")[0], []).append(row)
        else:
            wrong.append(Row(*row))
    good = []
    for kind, found in kinds.items():
        answer = f"{len(found)} {found[0][1]}"
        steps = dict.fromkeys(row[3] for row in found if row[3])
        shown = ", ".join(list(steps)[:3]) + (f" and {len(steps) - 3} more" if len(steps) > 3 else "")
        good.append(Row(f"{prefix}: {kind}", answer, answer, shown))
    return [*good, *wrong]


def _tamperings(count: int, seed: int) -> list[Row]:
    return folded(tamperings(seed, count), prefix="ledger")


def _kills(count: int, seed: int) -> list[Row]:
    return folded(kills(seed, count), prefix="killed")


def run(cases: Sequence[Case], *, jobs: int, full: bool, storms: bool) -> list[Row]:
    """Every row, printed as it comes. The storms (flips, tamperings, kills) begin first, for they last longest."""
    with tempfile.TemporaryDirectory(prefix="hallmark-attack-") as scratch:
        wanted = {case.start for case in cases} | ({"promoted"} if storms else set())
        desks = starts(Path(scratch), wanted)
        context = multiprocessing.get_context("fork")
        rows = []
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(desks,)) as pool:
            work = []
            if storms:
                count = (FULL if full else KILLS) // jobs
                for at in range(jobs):
                    work.append(pool.submit(_kills, count, SEED + at))
                    work.append(pool.submit(_flips, FLIPS // jobs, SEED + at))
                    work.append(pool.submit(_tamperings, TAMPERINGS // jobs, SEED + at))
            work += [pool.submit(_case, case.name) for case in cases]
            for done in as_completed(work):
                for row in done.result():
                    rows.append(row)
                    show(row)
    return rows


def show(row: Row) -> None:
    mark = "✗" if row.wrong else " "
    print(f"{mark} {row.case:<52} {row.expected:<16} {row.got:<16} {row.step}", flush=True)
    if row.wrong and row.said:
        print("    " + row.said.replace("\n", "\n    "), flush=True)


def _alone(row: Row) -> bool:
    """Whether one step found it, and no other would have."""
    return len({re.split(r"[. ]", step)[0] for step in row.step.split(", ")}) == 1 and bool(row.step)


def summary(cases: Sequence[Case], rows: Sequence[Row], seconds: float) -> str:
    fail = sum(case.expected is not Expected.PASS for case in cases)
    by_name = {row.case: row for row in rows}
    alone = sum(_alone(by_name[case.name]) for case in cases if case.step)
    wrong = sum(row.wrong for row in rows)
    share = f"{fail / len(cases):.0%}" if cases else "none"
    return (
        f"\n{len(cases)} cases, {fail} of them must fail ({share}), {alone} of these are found by their step alone"
        f"\n{len(rows) - len(cases)} rows of flips, tamperings and kills\n{wrong} wrong, {seconds:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("names", nargs="*", help="only cases whose names contain one of these, and no storms")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} kills")
    parser.add_argument("--cases", action="store_true", help="the cases alone")
    options = parser.parse_args()
    cases = [case for case in CASES if not options.names or any(name in case.name for name in options.names)]
    began = time.monotonic()
    print(f"  {'case':<52} {'expected':<16} {'got':<16} step")
    storms = not options.names and not options.cases
    rows = run(cases, jobs=options.jobs, full=options.full, storms=storms)
    print(summary(cases, rows, time.monotonic() - began))
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
