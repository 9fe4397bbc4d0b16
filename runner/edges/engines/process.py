"""A server that the runner starts, watches and stops.

It runs in a process group of its own behind `guard.py`, so that nothing of it is left when it ends or the runner
does, whichever way. What it writes is kept in a log file, whose last lines say why it died.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.edges.chat.control import DIRECT
from runner.edges.engines import guard
from runner.edges.files import naming
from runner.errors import ModelError
from runner.ports import Progress, silent
from runner.rules.text.shown import shown

TAIL_LINES = 12
TAIL_BYTES = 16_384
LONGEST_LINE = 240
LOGS = 6
"""Logs kept at most in one directory."""
HEALTH_S = 5.0
"""How long a server may take to say that it is well."""
POLL_S = 0.2


class ServerProcess:
    """A running command. It is stopped when it is no longer referred to, and at the latest when this process ends."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, health: str) -> None:
        """`health` is the address that answers 200 when the server is well. Raises `ModelError` where it cannot
        be started."""
        self.log, self._health = log, health
        with naming(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            _make_room(log)
            written = log.open("wb")
        try:
            with written:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", guard.__file__, *command],
                    stdin=subprocess.PIPE,
                    stdout=written,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    start_new_session=True,
                )
        except OSError as error:
            raise ModelError(f"{command[0]} cannot be started: {error}") from error
        self._stop = weakref.finalize(self, _stop, self._process)

    @property
    def group(self) -> int:
        """The id of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def well(self) -> bool:
        """Whether it runs and says that it is well."""
        if not self.alive:
            return False
        try:
            with DIRECT.open(self._health, timeout=HEALTH_S) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError, ValueError):
            return False

    def wait_until_well(self, *, limit_s: float, what: str, progress: Progress = silent) -> None:
        """Raises `ModelError` where it ends or is not well within `limit_s`, with the last lines of its log; it is
        stopped then."""
        started = time.monotonic()
        while not self.well():
            passed = time.monotonic() - started
            if not self.alive:
                raise ModelError(self.said(f"{what} ended before it answered"))
            if passed > limit_s:
                self.stop()
                raise ModelError(self.said(f"{what} did not answer within {limit_s:g} s"))
            progress(f"starting {what}", min(1.0, passed / limit_s))
            time.sleep(POLL_S)

    def said(self, problem: str) -> str:
        """`problem` with the last lines of the log below it, and where the rest of it stands."""
        return "\n  ".join([f"{problem}; the last lines of {self.log}:", *tail(self.log)])

    def stop(self) -> None:
        """With everything that it has started. It may be called twice."""
        self._stop()


def tail(log: Path) -> list[str]:
    """The last lines of a log, fit for a terminal; none where there is none."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return [shown(line)[:LONGEST_LINE] for line in lines if line.strip()][-TAIL_LINES:]
    return []


def _make_room(log: Path) -> None:
    """The log of the server before this one stays, under another name; of all logs the last few."""
    if log.exists():
        log.replace(log.with_suffix(".before.log"))
    for old in sorted(log.parent.glob("*.log"), key=lambda path: path.stat().st_mtime_ns)[: -LOGS + 1]:
        old.unlink(missing_ok=True)


def peak_memory_mib(group: int) -> float:
    """The most memory that the processes of a group have held, added up, in MiB; 0 where it cannot be seen."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if os.getpgid(int(folder.name)) == group:
                lines = (folder / "status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return total / 1024


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the guard, and kill what is left of its group."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(guard.GRACE_S + 2)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
