"""A disk that is really full: a small file system of its own, filled to a few kilobytes before the command runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.attack.kills import SAME, differences, finish
from tests.attack.ledger import Row
from tests.attack.struck import run
from tests.attack.works import Work


@contextlib.contextmanager
def small_disk(folder: Path, *, mebibytes: int) -> Iterator[Path]:
    """A tmpfs at `folder`. Raises `PermissionError` where this process may not mount."""
    folder.mkdir()
    options = f"size={mebibytes}m"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        raise PermissionError(done.stderr.decode())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled(work: Work, disk: Path, *, leave: int) -> Row:
    """Run the command with `leave` bytes left, then with room again. It may succeed where it needs less than that."""
    home, filler = disk / "home", disk / "filler"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(work.fresh, home, symlinks=True)
    before = work.entries(home)
    with filler.open("wb") as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave)
    ended = run(work.command, home)
    filler.unlink()
    problems = []
    if ended.code not in (0, 5):
        problems.append(f"exit {ended.code}: {ended.said[-400:]}")
    if ended.code == 5 and str(disk) not in ended.said:
        problems.append(f"names no file: {ended.said[-400:]}")
    if work.entries(home)[: len(before)] != before:
        problems.append("entries from before changed")
    problems += finish(work, home) if ended.code else differences(work, home)
    how = "had enough" if ended.code == 0 else "stopped"
    return Row(f"{work.name}: {leave} bytes left, {how}", SAME, "; ".join(problems) or SAME, "")
