"""What a job finds as Python: an environment for each install command, made once by running that very command, or one
that was made before the rehearsal. The log says which."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sysconfig import get_path
from typing import NamedTuple, Protocol

from tests.rehearsal.expressions import Unsupported
from tests.rehearsal.workflow import Job

_INSTALL = re.compile(r"python -m pip install ")
_HEAVY = re.compile(r"\[[a-z,]*\b(?:data|train|report)\b")
_PROGRAM = ("runner/**/*", "pyproject.toml", "constraints.txt")


def install_of(script: str) -> bool:
    """Whether a step's script is the job's one install."""
    return bool(_INSTALL.match(script))


class Environment(NamedTuple):
    python: Path
    words: str


class Environments(Protocol):
    def choose(self, job: Job) -> Environment:
        """The environment that a job's `setup-python` puts on its path."""

    @contextmanager
    def installing(self, environment: Environment, command: str, where: Path) -> Iterator[str]:
        """Around the install step: why it need not run, or nothing where it has to."""
        yield ""


@dataclass(frozen=True)
class Prebuilt:
    """One environment for every job, whatever it asks to install."""

    python: Path

    def choose(self, job: Job) -> Environment:
        return Environment(self.python, "an environment that was made before")

    @contextmanager
    def installing(self, environment: Environment, command: str, where: Path) -> Iterator[str]:
        yield "not run: the rehearsal brings an environment that has it"


@dataclass
class Installed:
    """An environment for each install command, in `cache`.

    A light install is run as it stands, into an empty environment, from the package registry. Where it asks for the
    model or data libraries, the environment sees those of the Python that runs the rehearsal, which pip then finds
    satisfied: the command runs all the same, and installs Hallmark from the checkout.
    """

    cache: Path
    said: dict[str, str] = field(default_factory=dict)
    """What each install took, by its command."""
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, job: Job) -> Environment:
        command = next((text for step in job.steps if install_of(text := str(step.said.get("run", "")))), "")
        if not command:
            raise Unsupported(f"{job.id} sets Python up and installs nothing")
        home = self.cache / hashlib.sha256(command.encode()).hexdigest()[:12]
        with self._guard:
            lock = self._locks.setdefault(home.name, threading.Lock())
        with lock:
            if not (home / "bin" / "python").exists():
                self._make(home, heavy=bool(_HEAVY.search(command)))
        libraries = " that sees the libraries of the rehearsal's own" if _HEAVY.search(command) else ""
        return Environment(home / "bin" / "python", f"an environment for this install command{libraries}")

    @contextmanager
    def installing(self, environment: Environment, command: str, where: Path) -> Iterator[str]:
        home = environment.python.parents[1]
        done, key = home / "installed", _program(where)
        with self._locks[home.name]:
            if done.is_file() and done.read_text() == key:
                yield f"not run again: this environment has it, of the same program ({key[:12]})"
                return
            began = time.monotonic()
            yield ""
            if (home / "bin" / "hallmark").exists():
                done.write_text(key)
                size = sum(path.lstat().st_size for path in (home / "lib").rglob("*") if path.is_file())
                words = f"{time.monotonic() - began:.1f} s, {size / 1e6:.0f} MB in its environment, pip included"
                self.said.setdefault(command.strip(), words)

    def _make(self, home: Path, *, heavy: bool) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
        if heavy:
            (site,) = (home / "lib").glob("python*/site-packages")
            (site / "rehearsal.pth").write_text(f"{get_path('purelib')}\n")


def _program(where: Path) -> str:
    """A digest of the program that a checkout holds, at its top or in `base`."""
    found = hashlib.sha256()
    for top in (where, where / "base"):
        for path in sorted(path for pattern in _PROGRAM for path in top.glob(pattern) if path.is_file()):
            if "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(top)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()
