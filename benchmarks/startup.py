"""How long `hallmark --help` takes to start, against `python -c "import click"`: medians of ten, side by side.

The runs alternate, so that a change of the machine's speed meets both. One run of each comes first and is not
counted: it fills the file cache and writes the byte code. The target is a ratio of at most three. It reports and
does not judge: the exit code is 0 either way, since a busy machine is no defect of the program.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 10
TARGET = 3.0
HELP = (str(Path(sys.executable).with_name("hallmark")), "--help")
CLICK = (sys.executable, "-c", "import click")


def seconds(command: tuple[str, ...]) -> float:
    """Wall seconds from start to end of one process. Raises `CalledProcessError` if it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    rounds = [(seconds(HELP), seconds(CLICK)) for _ in range(ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = ours / theirs
    print(f"hallmark --help            {ours * 1000:7.1f} ms  (median of {ROUNDS})")
    print(f'python -c "import click"   {theirs * 1000:7.1f} ms  (median of {ROUNDS})')
    print(f"{'PASS' if ratio <= TARGET else 'FAIL'}: ratio {ratio:.2f}, target at most {TARGET:.0f}")


if __name__ == "__main__":
    main()
