"""Runs a command and takes it along when either ends: `python guard.py COMMAND ...`, alone in its process group.

A server of several processes does not end when its first one is killed, and does not hear that the runner was. So
this stands between them: it ends the whole group when the command ends, when its own standard input does (the runner
holds the other end, however it ends), and when it is told to. Standard library alone: it starts in 20 ms.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_S = 10.0
"""Between asking a group to end and killing it."""
CHECK_S = 0.1


def run(command: list[str]) -> None:
    """The command until it ends, or until nobody wants it any more."""
    unwanted = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: unwanted.set())
    threading.Thread(target=_hear_the_runner_end, args=(unwanted,), daemon=True).start()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while server.poll() is None and not unwanted.wait(CHECK_S):
        pass
    if server.poll() is None:
        os.killpg(0, signal.SIGTERM)  # this process only sets its event once more
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(GRACE_S)
    else:
        sys.stderr.write(f"the server ended with status {server.returncode}\n")
        sys.stderr.flush()
    os.killpg(0, signal.SIGKILL)


def _hear_the_runner_end(unwanted: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    unwanted.set()


if __name__ == "__main__":
    run(sys.argv[1:])
