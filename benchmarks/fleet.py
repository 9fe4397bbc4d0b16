"""How long `hallmark status` takes to show a fleet, from a cold process to its last line.

    python -m benchmarks.fleet [--clusters 200] [--runs 10]

Makes a bare repository with so many clusters in ten different states (ledger chains, promotion records, evidence, run
branches, open proposals, tags) and a clone of it, and asks the clone. The floor of the same run is Python
that imports what it takes to read one record, and reads none. The runs alternate, so that the machine's load meets all.
It reports and does not judge: the exit code is 0 either way, since a busy machine is no defect of the program.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.fleet_fixture import make

HALLMARK = str(Path(sys.executable).with_name("hallmark"))
FLOOR = "import click, pydantic, yaml, runner.records.ledger"
GOAL_S = 1.0


class Took(NamedTuple):
    wall: float
    """Seconds from start to end of one process."""
    processor: float
    """Of the process and its children: load spoils it least."""


def took(command: list[str]) -> Took:
    """Raises `CalledProcessError` where it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--runs", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hallmark-fleet-") as folder:
        clone = make(Path(folder), asked.clusters)
        commands = {
            "python, with what reads a record": [sys.executable, "-c", FLOOR],
            f"hallmark status, {asked.clusters} clusters": [HALLMARK, "status", "-C", str(clone)],
            "the same, --offline": [HALLMARK, "status", "--offline", "-C", str(clone)],
            "the same, --waiting --json": [HALLMARK, "status", "--waiting", "--json", "-C", str(clone)],
        }
        rounds = [[took(command) for command in commands.values()] for _ in range(asked.runs + 1)][1:]
    for name, column in zip(commands, zip(*rounds, strict=True), strict=True):
        wall, processor = (statistics.median(values) for values in zip(*column, strict=True))
        print(f"{name:<36} {wall:6.3f} s, {processor:.3f} s of it on the processor  (medians of {asked.runs})")
    ours = statistics.median(row[1].wall for row in rounds)
    print(f"{'reached' if ours < GOAL_S else 'MISSED'}: goal {GOAL_S:g} s for 200 clusters")


if __name__ == "__main__":
    main()
