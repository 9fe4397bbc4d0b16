"""`python -m tests.attack`: play the corpus, print what was expected and what was got, exit 1 if anything is wrong.

After the cases come the storms: 1,000 flipped bits, 10,000 tampered ledgers and 200 kills at named points (`--full`:
1,000), folded into a row a kind.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.attack.case import Case, Expected, Row
from tests.attack.desk import Desk
from tests.attack.flips import flips
from tests.attack.kills import kills
from tests.attack.ledger import tamperings
from tests.attack.table import BY_NAME, CASES, play, starts

SEED = 20260101
FLIPS, TAMPERINGS, KILLS, FULL = 1_000, 10_000, 200, 1_000
_DESKS: dict[str, Desk] = {}


def _begin(desks: dict[str, Desk]) -> None:
    _DESKS.update(desks)


def _case(name: str) -> Row:
    case = BY_NAME[name]
    return play(case, _DESKS[case.start], _DESKS[case.start].path.parent / "cases")


def _flips(seed: int, count: int) -> list[Row]:
    start = _DESKS["promoted"]
    return flips(start.copy(start.path.parent / f"flips-{seed}"), count=count, seed=seed)


Storm = Callable[[int, int], Iterable[tuple[str, ...]]]


def storms(*, full: bool) -> dict[str, tuple[Storm, int]]:
    """What is done so often that its rows are folded, and how often. The longest stands first."""
    return {
        "killed": (kills, FULL if full else KILLS),
        "bit flipped": (_flips, FLIPS),
        "ledger": (tamperings, TAMPERINGS),
    }


def shares(count: int, jobs: int) -> list[int]:
    return [count // jobs + (at < count % jobs) for at in range(jobs)]


def folded(rows: Iterable[tuple[str, ...]], *, prefix: str) -> list[Row]:
    """One row for all of a kind (what stands before the colon); those that are wrong stand by themselves."""
    kinds: dict[str, list[Row]] = {}
    wrong = []
    for row in (Row(*row) for row in rows):
        if row.wrong:
            wrong.append(row)
        else:
            kinds.setdefault(row.case.split(":")[0], []).append(row)
    good = []
    for kind, found in kinds.items():
        answer = f"{len(found)} {found[0].expected}"
        steps = [step for step, _ in Counter(row.step for row in found if row.step).most_common()]
        shown = ", ".join(steps[:3]) + (f" and {len(steps) - 3} more" if len(steps) > 3 else "")
        good.append(Row(f"{prefix}: {kind}", answer, answer, shown))
    return [*good, *wrong]


def run(cases: Sequence[Case], *, jobs: int, stormy: dict[str, tuple[Storm, int]]) -> tuple[list[Row], list[Row]]:
    """The rows of the cases, and those of the storms, each printed as soon as it is known."""
    with tempfile.TemporaryDirectory(prefix="hallmark-attack-") as scratch:
        os.environ["XDG_RUNTIME_DIR"] = scratch  # where the gate stays between pushes, no longer than this runs
        desks = starts(Path(scratch), {case.start for case in cases} | ({"promoted"} if stormy else set()))
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(desks,)) as pool:
            played = [pool.submit(_case, case.name) for case in cases]
            raging = {
                name: [pool.submit(storm, SEED + at, share) for at, share in enumerate(shares(count, jobs))]
                for name, (storm, count) in stormy.items()
            }
            rows = [show(done.result()) for done in as_completed(played)]
            more = []
            for name, parts in raging.items():
                found = [row for part in parts for row in part.result()]
                more += [show(row) for row in folded(found, prefix=name)]
    return rows, more


def show(row: Row) -> Row:
    mark = "✗" if row.wrong else " "
    print(f"{mark} {row.case:<52} {row.expected:<16} {row.got:<16} {row.step}", flush=True)
    if row.wrong and row.said:
        print("    " + row.said.replace("\n", "\n    "), flush=True)
    return row


def summary(cases: Sequence[Case], rows: Sequence[Row], more: Sequence[Row], seconds: float) -> str:
    fail = sum(case.expected is not Expected.PASS for case in cases)
    alone = sum(len({re.split(r"[. ]", step)[0] for step in row.step.split(", ") if step}) == 1 for row in rows)
    wrong = sum(row.wrong for row in (*rows, *more))
    return (
        f"\n{len(cases)} cases, {fail} of them must fail ({fail / max(len(cases), 1):.0%}), "
        f"{alone} found by one step and by no other"
        f"\n{len(more)} kinds of kills, flipped bits and tampered ledgers"
        f"\n{wrong} wrong, {seconds:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.attack", description="Attack promotions, and see them found."
    )
    parser.add_argument("names", nargs="*", help="only cases whose names contain one of these, and no storms")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--full", action="store_true", help=f"{FULL:,} kills")
    parser.add_argument("--only", choices=["cases", *storms(full=False)], help="the cases, or one storm, alone")
    options = parser.parse_args()
    cases = [case for case in CASES if not options.names or any(name in case.name for name in options.names)]
    stormy = {} if options.names or options.only == "cases" else storms(full=options.full)
    if options.only in stormy:
        cases, stormy = [], {options.only: stormy[options.only]}
    began = time.monotonic()
    print(f"  {'case':<52} {'expected':<16} {'got':<16} step")
    rows, more = run(cases, jobs=options.jobs, stormy=stormy)
    print(summary(cases, rows, more, time.monotonic() - began))
    return int(any(row.wrong for row in (*rows, *more)))


if __name__ == "__main__":
    sys.exit(main())
