"""This machine and its clock."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
import time
from pathlib import Path

from runner.edges import clock
from runner.ports import MachineFacts

BOUNDARY = Path("/etc/hallmark/boundary")
"""What whoever runs the machine declares. Where it is, it is the last word: a job can set a variable, and not this."""
BOUNDARY_VARIABLE = "HALLMARK_BOUNDARY"


def processor() -> str:
    """What the processor calls itself, as far as the system says: machines that say the same compute the same."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class SystemClock:
    def now(self) -> str:
        return clock.now()

    def monotonic(self) -> float:
        return time.monotonic()


class ThisMachine:
    def facts(self) -> MachineFacts:
        """Cores this process may use, physical memory, and whether an NVIDIA GPU answers."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        return MachineFacts(
            host=socket.gethostname(),
            cpus=len(os.sched_getaffinity(0)),
            memory_gib=round(memory, 1),
            gpu=shutil.which("nvidia-smi") is not None,
            boundaries=declared_boundaries(),
        )


def declared_boundaries() -> tuple[str, ...]:
    """The boundaries that this machine declares itself inside of, by name, with spaces or commas between."""
    try:
        said = BOUNDARY.read_text(errors="replace")
    except FileNotFoundError:
        said = os.environ.get(BOUNDARY_VARIABLE, "")
    return tuple(dict.fromkeys(said.replace(",", " ").split()))
