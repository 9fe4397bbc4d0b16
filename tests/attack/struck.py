"""A command in a process of its own, which something befalls at a write point: a kill, or a disk that is full.

Models, clock and random numbers are simulated, so that the same command ends in the same bytes; git, DVC, files and
ssh-keygen are real.
"""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from runner.cli.main import main
from runner.edges.simulated import simulated_ports
from runner.edges.write_points import WritePoint, watchers
from runner.errors import HallmarkError, exit_code
from runner.wiring import flywheel, promotion
from tests.promotion_fixture import LATER

CHILD = multiprocessing.get_context("forkserver")
CHILD.set_forkserver_preload(["tests.attack.struck", "tests.desk_repository", "dvc.repo"])


class Blow(Enum):
    NONE = "nothing"
    KILL = "SIGKILL"
    FULL = "no space left on device"


class Strike(NamedTuple):
    """What happens at the n-th pass of a point. A disk that is full stays full."""

    blow: Blow = Blow.NONE
    point: WritePoint | None = None
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.blow.value} at {self.point.value}, pass {self.nth}" if self.point else "undisturbed"


UNDISTURBED = Strike()


class Ended(NamedTuple):
    code: int
    """The exit code; -9 where it was killed."""
    said: str
    passed: tuple[WritePoint, ...]
    """The points that it came to, in order."""


Command = Callable[[Path], list[str] | None]
"""What is to be done below a directory: arguments of `hallmark`, or none where it has done it itself."""


def run(command: Command, home: Path, strike: Strike = UNDISTURBED) -> Ended:
    """`command` is a function of a module, so that a child can be told of it."""
    with tempfile.TemporaryDirectory(prefix="hallmark-struck-") as folder:  # not at `home`, whose disk may be full
        said, passed = Path(folder) / "said", Path(folder) / "passed"
        child = CHILD.Process(target=_child, args=(command, home, strike, said, passed))
        child.start()
        child.join()
        points = tuple(WritePoint[name] for name in passed.read_text().split())
        return Ended(child.exitcode or 0, said.read_text(errors="replace"), points)


def _child(command: Command, home: Path, strike: Strike, said: Path, passed: Path) -> None:
    os.setsid()  # git commands that it has started die with it
    with said.open("wb") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    _simulate()
    log, left = passed.open("w"), itertools.count(strike.nth - 1, -1)
    full = False

    def watch(point: WritePoint, writing: str) -> None:
        nonlocal full
        log.write(f"{point.name}\n")
        log.flush()
        if point is strike.point and next(left) == 0:
            full = strike.blow is Blow.FULL
            if strike.blow is Blow.KILL:
                os.killpg(0, signal.SIGKILL)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), writing)

    watchers.append(watch)
    try:
        arguments = command(home)
    except (HallmarkError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(exit_code(error))
    if arguments is not None:
        sys.argv = ["hallmark", *arguments]
        main()


def _simulate() -> None:
    ports = replace(simulated_ports(), dump_yaml=flywheel.dump_record)
    flywheel.ports = lambda *place, **options: ports
    promotion.now = lambda: LATER
    secrets.token_hex = lambda size=32: "ab" * size
