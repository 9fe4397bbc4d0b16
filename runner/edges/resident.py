"""A process that stays with everything imported, and answers each request in a copy of itself.

`ask` is the side that asks. It begins within milliseconds, imports next to nothing, and has no answer where nobody
stays, where whoever stays is silent or was started by other code: the caller then does the work itself and calls
`begin`, for the next one. `stay` is the process that stays. It keeps nothing of what it was asked: each copy ends with
its answer.

The two meet at a socket in a folder that is this user's alone, so whom it reaches could as well rewrite the program.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

STAYS = 15 * 60.0
"""Seconds without a request after which it goes."""
LOOKS = 5.0
"""Seconds between looks at whether its place is still its own."""
TAKES_UP = 5.0
"""Seconds within which a request is taken up, also on a busy machine, or the caller does the work itself."""
TAKEN_UP = b"+"
LONGEST_PATH = 100
"""Bytes of a socket's path, which every system takes."""
KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
"""What the process that stays has of the environment. Each copy has its caller's, whole."""
COARSE = 20_000_000
"""Nanoseconds by which a file system's clock may be behind the process's."""


class Answer(NamedTuple):
    """How the caller exits, and what it says before."""

    code: int
    said: str


Work = Callable[[Sequence[str], str], Answer]
"""From the caller's arguments and its input to the answer, in the caller's folder and environment."""


def ask(arguments: Sequence[str], text: str) -> Answer | None:
    """What the process that stays makes of it; None where it gives no whole answer."""
    place = _place()
    if place is None or not _ours(os.path.dirname(place)) or "\0" in text:
        return None
    try:
        variables = [name + b"=" + value for name, value in os.environb.items()]
        parts = [_identity(), os.getcwd(), str(len(arguments)), *arguments, text]
        request = b"\0".join([*map(os.fsencode, parts), *variables])
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TAKES_UP)
            line.connect(place)
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            if line.recv(1) != TAKEN_UP:
                return None
            line.settimeout(None)
            return _answer(_rest(line))
    except TimeoutError:
        _unlink(place)  # whoever sits there is stopped: the next one sits down in its place
        return None
    except OSError:
        return None


def begin(program: str) -> None:
    """Start `program`, python that calls `stay`, with this process's libraries; it holds nothing of this process."""
    import subprocess

    place = _place()
    if place is None:
        return
    try:
        os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
        if _ours(os.path.dirname(place)):
            start = f"import sys; sys.path[:] = sys.argv.pop(1).split(':'); {program}"
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", start, ":".join(sys.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in KEPT if name in os.environ},
                start_new_session=True,
            )
    except OSError:
        return  # without it each request takes longer, and that is all


def stay(work: Work, *, began: int, stays: float = STAYS, looks: float = LOOKS) -> None:
    """Answer by `work` until nobody has asked for `stays` seconds, another has taken the place, or a file of the
    program is no longer as it was at `began`, in nanoseconds of the clock, when nothing of it was loaded.
    """
    place = _place()
    if place is None or not _ours(os.path.dirname(place)):
        return
    files = _files()
    known = _stamps(files)
    if any(changed >= began - COARSE for *_, changed in known):
        return
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no copy is waited for
    with socket.socket(socket.AF_UNIX) as door:
        own = _sit_down(door, place)
        door.settimeout(looks)
        last = time.monotonic()
        while time.monotonic() - last < stays and _inode(place) == own:
            try:
                line, _ = door.accept()
            except TimeoutError:
                continue
            with line:
                if _stamps(files) != known:
                    break
                if os.fork() == 0:
                    _copy(door, line, work)
            last = time.monotonic()
        if _inode(place) == own:
            _unlink(place)


def _sit_down(door: socket.socket, place: str) -> int:
    """Listen at the place, in one step: whoever sat there before sees it and goes."""
    beside = f"{place}.{os.getpid()}"
    _unlink(beside)
    door.bind(beside)
    door.listen(64)
    own = _inode(beside)
    os.rename(beside, place)
    return own


def _copy(door: socket.socket, line: socket.socket, work: Work) -> None:
    """Answer one request, and end. Whatever goes wrong, the caller hears no whole answer."""
    try:
        door.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line.settimeout(None)
        line.sendall(TAKEN_UP)
        identity, folder, count, *rest = _rest(line).split(b"\0")
        if os.fsdecode(identity) == _identity():
            *arguments, text = map(os.fsdecode, rest[: int(count) + 1])
            variables = rest[int(count) + 1 :]
            os.chdir(folder)
            os.environb.clear()
            os.environb.update((name, value) for name, _, value in (one.partition(b"=") for one in variables))
            time.tzset()
            code, said = work(arguments, text)
            answer = said.encode(errors="surrogateescape")
            line.sendall(len(answer).to_bytes(8, "big") + bytes([code]) + answer)
    finally:
        os._exit(0)


def _answer(data: bytes) -> Answer | None:
    said = data[9:]
    if len(data) < 9 or int.from_bytes(data[:8], "big") != len(said):
        return None
    return Answer(data[8], said.decode(errors="surrogateescape"))


def _rest(line: socket.socket) -> bytes:
    with line.makefile("rb") as file:
        return file.read()


def _identity() -> str:
    """Which python runs whose code."""
    return "\n".join([sys.executable, *sys.path])


def _place() -> str | None:
    """The socket of this code, python and user; None where there is no home for it."""
    top = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.isdir(top):
        top = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", ""), ".cache")
    place = os.path.join(top, "hallmark", f"gate-{zlib.crc32(_identity().encode()):08x}.sock")
    return place if os.path.isabs(top) and len(os.fsencode(place)) <= LONGEST_PATH else None


def _ours(folder: str) -> bool:
    """Whether nobody else can put anything there."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _files() -> tuple[str, ...]:
    """What is loaded: python itself and each module."""
    loaded = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return (sys.executable, *(file for file in loaded if file))


def _stamps(files: Iterable[str]) -> list[tuple[int, ...]]:
    """Of each file what a change of it changes, last the time; zeros for one that is gone."""
    stamps: list[tuple[int, ...]] = []
    for file in files:
        try:
            found = os.stat(file)
        except OSError:
            stamps.append((0, 0, 0, 0))
        else:
            stamps.append((found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns))
    return stamps


def _inode(place: str) -> int:
    try:
        return os.lstat(place).st_ino
    except OSError:
        return 0


def _unlink(place: str) -> None:
    try:
        os.unlink(place)
    except OSError:
        return
