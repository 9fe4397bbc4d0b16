"""A world that takes long to make: one of the workers of a test run makes it, and every worker copies it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """What `make` made at `folder / name`, which the workers of this run share. Only to be read: whoever asks while it
    is being made waits, and what a failed attempt left is made anew."""
    home, done = folder / name, folder / f"{name}.made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(home, ignore_errors=True)
            make(home)
            done.touch()
    return home
