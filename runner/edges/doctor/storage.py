"""Facts about where bytes are: the disk, the default DVC remote, and locks."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.edges.doctor.asking import ask, ask_git
from runner.edges.dvc_objects import DvcObjects
from runner.errors import DataError, EdgeError
from runner.rules.doctor.facts import Cache, Disk, Lock, Reached, Remote
from runner.rules.doctor.findings import Unseen
from runner.rules.repository.dvc_config import PATH, exposed

ROOM = 2**30
"""Bytes for what every iteration writes whatever its data: checkpoints, logs, the environment's scratch files."""
COPIES = 3
"""Data stands in the work tree, in DVC's cache and in the run's own work tree."""
FEWEST_FILES_LOOKED_INTO = 10_000
_SIZE = re.compile(rb"^\s+size:\s*(\d+)\s*$|^- size:\s*(\d+)\s*$", re.MULTILINE)
_BASE = re.compile(r"^base:\s*\n(?P<fields>(?:[ \t]+.*\n?)+)", re.MULTILINE)
DATA = "'hallmark-flywheel[data]'"
GIT_LOCKS = ("index.lock", "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock")
LOCKS = ("*.lock", "*/*.lock", "runs/*/*.lock")
"""Of `.hallmark`: deeper there are work trees."""


def disk(top: Path) -> Disk:
    """Room on the disk of `top`, and what an iteration of its largest cluster needs, as far as files here say."""
    pointers = sorted((top / "clusters").glob("*/data/*.dvc"))
    data: dict[str, int] = {}
    for pointer in pointers:
        sizes = (int(one or two) for one, two in _SIZE.findall(pointer.read_bytes()))
        data[pointer.parts[-3]] = data.get(pointer.parts[-3], 0) + sum(sizes)
    bases, uncounted = _bases(top)
    parts = {
        "of room for checkpoints and logs": ROOM,
        f"for {COPIES} copies of the data": COPIES * max(data.values(), default=0),
        "for what is cached of the base": bases,
    }
    return Disk(shutil.disk_usage(top).free, parts, uncounted)


def _bases(top: Path) -> tuple[int, tuple[str, ...]]:
    """Bytes of the largest base that is a directory here, and the bases whose size nothing here says."""
    largest, uncounted = 0, []
    for file in sorted((top / "clusters").glob("*/cluster.yaml")):
        found = _BASE.search(file.read_text(errors="replace"))
        fields = (
            dict(re.findall(r"^[ \t]+(\w+):\s*['\"]?(.*?)['\"]?\s*$", found["fields"], re.MULTILINE)) if found else {}
        )
        if fields.get("kind") == "hub":
            uncounted.append(f"the weights of {fields.get('id', '?')}")
        elif fields.get("kind") == "path":
            folder = top / fields.get("path", "")
            largest = max(largest, _size(folder)) if folder.is_dir() else largest
    return largest, tuple(dict.fromkeys(uncounted))


def _size(folder: Path) -> int:
    total, seen = 0, 0
    for home, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(home) / name).lstat().st_size
        seen += len(names)
        if seen > FEWEST_FILES_LOOKED_INTO:
            break
    return total


def remote(top: Path, *, timeout_s: float) -> Remote | Unseen:
    """The default DVC remote, and how far a file of our own came there: written, read and removed."""
    config = top / PATH
    if not config.is_file():
        return Unseen("there is no DVC repository here", "hallmark init --help")
    secrets = tuple(one.field for one in exposed(config.read_bytes()))
    tracked = bool(ask_git(top, "ls-files", "--", ".dvc/config.local"))
    try:
        objects = DvcObjects.of_work_tree(top)
    except DataError as error:
        return Remote("", "?", Reached.NOTHING, str(error), tracked_secrets=secrets, local_is_tracked=tracked)
    found = Remote(*objects.remote, Reached.NOTHING, "", "", secrets, tracked)
    if not found.url:
        return found
    if "://" in found.url and find_spec("dvc") is None:
        return Unseen(f"the remote {found.name} was not tried: DVC is not installed", f"python -m pip install {DATA}")
    if "://" not in found.url:
        folder = (top / ".dvc" / found.url).resolve()
        reached, said = _directory(folder, published=any((top / "clusters").glob("*/data/*.dvc")))
        return found._replace(url=str(folder), reached=reached, error=said)
    reached, said, missing = _network(top, timeout_s)
    return found._replace(reached=reached, error=said, missing=missing)


def _directory(folder: Path, *, published: bool) -> tuple[Reached, str]:
    """How far a probe came, and why no further."""
    if not folder.is_dir():
        if published or folder.exists():
            return Reached.NOTHING, "it is no directory"
        above = next(one for one in folder.parents if one.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            return Reached.NOTHING, f"it is not there, and {above} does not let this account make it"
        return Reached.NOT_YET, ""
    probe = folder / f".hallmark-doctor-{os.getpid()}-{time.time_ns()}"
    try:
        os.listdir(folder)
    except OSError as error:
        return Reached.NOTHING, str(error.strerror)
    try:
        probe.write_bytes(b"hallmark doctor\n")
        probe.read_bytes()
    except OSError as error:
        return Reached.READ, str(error.strerror)
    finally:  # where a disk is full, an empty file is there all the same
        with contextlib.suppress(OSError):
            probe.unlink()
    return Reached.WRITTEN, ""


def cache(top: Path) -> Cache | Unseen:
    """Whether the cache takes a file; nothing is written. Another place that DVC was given is not looked at."""
    if not (top / PATH).is_file():
        return Unseen("there is no DVC repository here", "hallmark init --help")
    folder = top / ".dvc" / "cache"
    found = next(one for one in (folder, *folder.parents) if one.exists() or one.is_symlink())
    if not found.is_dir():
        return Cache(str(folder), f"{found} is no directory")
    return Cache(str(folder), "" if os.access(found, os.W_OK | os.X_OK) else f"{found} does not let this account write")


def _network(top: Path, timeout_s: float) -> tuple[Reached, str, str]:
    """In a process of its own, which can be ended: a server that takes a connection may never answer."""
    command = (sys.executable, "-P", "-m", "runner.edges.doctor.remote_probe", str(top))
    try:
        said = ask(*command, timeout_s=timeout_s)
    except EdgeError:
        return Reached.NOTHING, f"no answer within {timeout_s:g} s", ""
    try:
        found: dict[str, Any] = json.loads(said.out.strip().splitlines()[-1])
        return Reached(found["reached"]), str(found["error"]), str(found["missing"])
    except (ValueError, KeyError, IndexError, TypeError):
        return Reached.NOTHING, said.last, ""


def locks(top: Path) -> tuple[Lock, ...]:
    """Locks that somebody holds, and those that somebody left. A file that the kernel would lock is none by itself."""
    found = [*_kernel_locks(top), *_dvc_rwlock(top), *_git_locks(top)]
    return tuple(found)


def _kernel_locks(top: Path) -> Iterator[Lock]:
    files = [file for pattern in LOCKS for file in sorted((top / ".hallmark").glob(pattern))]
    files += [file for file in (top / ".dvc" / "tmp" / "lock", top / ".dvc" / "tmp" / "rwlock.lock") if file.is_file()]
    for file in files:
        with contextlib.suppress(OSError):
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield Lock(_relative(file, top), _holder(os.fstat(handle)), _age(file))
            finally:
                os.close(handle)


def _holder(status: os.stat_result) -> str:
    """The process that has locked a file, by the kernel's list (proc(5), /proc/locks)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            parts = line.split()
            if len(parts) > 5 and parts[1] == "FLOCK" and parts[5].rpartition(":")[2] == str(status.st_ino):
                return f"{parts[4]} ({_command(int(parts[4]))})"
    return "0 (a process that does not show)"


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return " ".join(words).strip()[:80] or "?"
    return "?"


def _dvc_rwlock(top: Path) -> Iterator[Lock]:
    """DVC's own list of who reads and writes which outputs; it forgets the dead by itself when it comes across them."""
    file = top / ".dvc" / "tmp" / "rwlock"
    if not file.is_file():
        return
    try:
        said = json.loads(file.read_text() or "{}")
        infos = [*said.get("write", {}).values(), *(one for ones in said.get("read", {}).values() for one in ones)]
        pids = {int(one["pid"]): str(one["cmd"]) for one in infos if one}
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        yield Lock(_relative(file, top), "", _age(file), f"{type(error).__name__}: {error}")
        return
    for pid, command in sorted(pids.items()):
        if Path(f"/proc/{pid}").exists():
            yield Lock(_relative(file, top), f"{pid} ({command[:80]})", _age(file))


def _git_locks(top: Path) -> Iterator[Lock]:
    said = ask_git(top, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir")
    for folder in dict.fromkeys((said or "").splitlines()):
        for file in (Path(folder) / name for name in GIT_LOCKS):
            if file.is_file():
                yield Lock(_relative(file, top), "", _age(file))


def _relative(file: Path, top: Path) -> str:
    return file.relative_to(top).as_posix() if file.is_relative_to(top) else str(file)


def _age(file: Path) -> int:
    return max(0, int(time.time() - file.lstat().st_mtime))
