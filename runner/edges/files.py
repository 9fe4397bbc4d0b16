"""Files and directories that are whole or as they were."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from runner.edges.write_points import WritePoint, reach
from runner.errors import DataError


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a file. It is whole or as it was, also after a power cut. Raises `DataError` where it cannot be."""
    write_blocks(path, (data,), mode=mode)


def write_blocks(path: Path, blocks: Iterable[bytes], *, mode: int = 0o644) -> None:
    """`write_file` of what is too large to hold."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _beside(path) as file:
            file.truncate(0)
            file.writelines(blocks)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            reach(WritePoint.FILE_WRITTEN, path)
            os.replace(_part(path), path)
        reach(WritePoint.FILE_REPLACED, path)


def put(fresh: Path, path: Path) -> None:
    """Move a file that is whole into its place, on the same disk."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh, path)
    reach(WritePoint.FILE_REPLACED, path)


def write_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Replace a directory. Killed in between there may be none, never a part of one. Raises `DataError`."""
    fresh = _part(path)
    with naming(path):
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            for name, data in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(data)
            fresh.mkdir(exist_ok=True)
            reach(WritePoint.TREE_WRITTEN, path)
            if path.exists():
                shutil.rmtree(path)
            reach(WritePoint.TREE_REMOVED, path)
            fresh.replace(path)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        reach(WritePoint.TREE_REPLACED, path)


def _part(path: Path) -> Path:
    """Where the new content is written first: always the same name, so that what a kill left is written over."""
    return path.with_name(f".{path.name}.part")


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    """The file beside `path`, this process's alone. Removed where its block fails, for then it took no place."""
    part = _part(path)
    with _locked(part) as file:
        try:
            yield file
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _locked(part: Path) -> IO[bytes]:
    """Waits for a process that writes the same file; what that one has put in its place meanwhile is not ours."""
    while True:
        file = _opened(part)
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(part.stat(), os.fstat(file.fileno())):
                return file
        file.close()


def _opened(path: Path) -> IO[bytes]:
    """To be written at its end. A repository may bring a link under a name that is only ever this program's own, which
    would lead the write elsewhere."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666), "ab")


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """One process at a time in the block: the second waits. The kernel lets go where the holder is killed."""
    with naming(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = _opened(lock)
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the system says of a write becomes an error that names the file."""
    try:
        yield
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}"
        raise DataError(f"{problem}. What was there stands; mend it and run the same command again") from error
