"""Programs asked by `hallmark doctor`: briefly, quietly, and with an end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from runner.errors import EdgeError

PATIENCE_S = 5.0
"""For programs of this machine."""


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line that it said."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit code {self.code}"


def ask(*command: str, cwd: Path | None = None, timeout_s: float = PATIENCE_S) -> Answer:
    """What a command says. Raises `EdgeError` where it cannot be run or takes too long."""
    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EdgeError(f"`{command[0]}` did not answer within {timeout_s:g} s") from error
    except OSError as error:
        raise EdgeError(f"`{command[0]}` cannot be run: {error.strerror or error}") from error
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def ask_git(top: Path, *arguments: str) -> str | None:
    """What git says of the repository at `top`, stripped; None where it fails."""
    said = ask("git", "-C", str(top), *arguments)
    return said.out.strip() if said.code == 0 else None
