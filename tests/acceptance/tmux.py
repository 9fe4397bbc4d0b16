"""A real terminal: a tmux server of our own, with one window of a given size, whose screen can be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0
"""Seconds to wait for words on the screen; a busy machine is no defect."""
PARENT = """
import pathlib, subprocess, sys
child = subprocess.Popen(sys.argv[2:])
for name, number in (("pid", lambda: child.pid), ("end", child.wait)):
    written = pathlib.Path(sys.argv[1], name + ".part")
    written.write_text(str(number()))
    written.rename(written.with_suffix(""))
"""
"""Runs a command in a window, and writes its process id and how it ended into a folder, each file whole. tmux 3.3a now
and then loses how a window's own process ended; a parent that waits for its child does not."""


def install() -> str:
    """Set tmux up from Debian where it is missing. Says why it cannot be; empty where it is here."""
    if shutil.which("tmux"):
        return ""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "tmux is missing, and only root on a Debian can `apt-get install tmux`"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "tmux"]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, check=False
        )
    return "" if shutil.which("tmux") else f"`apt-get install tmux` failed: {done.stderr.strip()[-300:]}"


@dataclass(frozen=True)
class Terminal:
    """One window, the socket of its server and what `PARENT` writes in a folder of its own."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *words], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert done.returncode == 0, f"tmux {words}: {done.stderr}"
        return done.stdout

    def keys(self, *names: str) -> None:
        """Type keys by tmux's names: Left, Right, C-s, x."""
        self.tmux("send-keys", "-t", "0", *names)

    def screen(self, *, escapes: bool = False) -> str:
        return self.tmux("capture-pane", "-p", "-t", "0", *(["-e"] if escapes else []))

    def ask(self, what: str) -> str:
        """A tmux variable, such as pane_pid."""
        return self.tmux("display-message", "-p", "-t", "0", f"#{{{what}}}").strip()

    def resize(self, width: int, height: int) -> None:
        self.tmux("resize-window", "-t", "0", "-x", str(width), "-y", str(height))

    def shows(self, *words: str) -> str:
        """The screen, once it has all the words."""
        end = time.monotonic() + PATIENCE
        while True:
            seen = self.screen()
            if all(word in seen for word in words):
                return seen
            missing = [word for word in words if word not in seen]
            assert time.monotonic() < end, f"{missing} never came up:\n{seen}"
            time.sleep(0.05)

    def hides(self, word: str) -> None:
        """Wait until a word is gone."""
        end = time.monotonic() + PATIENCE
        while word in self.screen():
            assert time.monotonic() < end, self.screen()
            time.sleep(0.05)

    def kill(self) -> None:
        """End what runs in the window, as the kernel does where memory runs out: it can do nothing about it."""
        os.kill(int(self._written("pid")), signal.SIGKILL)

    def ended(self) -> str:
        """How what ran ended, once it has: `exit 0`, `signal 9`."""
        code = int(self._written("end"))
        return f"signal {-code}" if code < 0 else f"exit {code}"

    def _written(self, name: str) -> str:
        """What the window's parent process wrote, once it has."""
        path, end = self.folder / name, time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < end, self.screen()
            time.sleep(0.05)
        return path.read_text()


@contextlib.contextmanager
def window(
    command: list[str], *, size: tuple[int, int], cwd: Path, environment: Mapping[str, str]
) -> Iterator[Terminal]:
    """Run `command` in a terminal of `size` columns and lines until the block ends; nobody's tmux.conf is read."""
    with tempfile.TemporaryDirectory(prefix="hallmark-tmux-") as folder:  # a server of its own, on a short path
        terminal = Terminal(Path(folder))
        lasting = ["start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";"]
        parent = [sys.executable, "-I", "-c", PARENT, folder, *command]
        shown = ["new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "-c", str(cwd), *parent]
        clean = {name: value for name, value in environment.items() if name not in ("TMUX", "TMUX_PANE")}
        subprocess.run(
            ["tmux", "-S", str(terminal.socket), "-u", "-f", os.devnull, *lasting, *shown],
            env={**clean, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"},
            check=True,
        )
        try:
            yield terminal
        finally:
            subprocess.run(["tmux", "-S", str(terminal.socket), "kill-server"], capture_output=True, check=False)
