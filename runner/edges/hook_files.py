"""The hooks of a bare repository: two small scripts that call hallmark, and the settings they need."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from sysconfig import get_path
from typing import NamedTuple

import runner
from runner.edges.files import write_file
from runner.edges.git_write import GitRepository
from runner.edges.write_points import WritePoint, reach
from runner.errors import GitError

PRE = """#!/bin/sh
# Asks hallmark whether these refs may move. Written by `hallmark hook install`.
unset PYTHONPATH PYTHONHOME
exec {python} -I -S -c '
import sys
sys.path += sys.argv.pop(1).split(":")
from runner.cli.pre_receive import main
main({how})
' {libraries} {path} {root} {store}
"""
"""Without `site`: no package's .pth file runs in the gate, which starts sooner. Where its libraries are is named."""
ALONE = "resident=False"
"""How a hook is called that judges each push in a process of its own."""
POST = """#!/bin/sh
# Writes the receipt and the tag of what was merged. Written by `hallmark hook install`.
unset PYTHONPATH PYTHONHOME
while read -r old new ref; do
    if [ "$ref" = refs/heads/main ]; then
        exec {python} -I -c 'from runner.cli.main import main; main()' reconcile --directory {path} --key {key} {named}
    fi
done
"""
SETTINGS = {
    "receive.fsckObjects": "true",
    "receive.denyDeletes": "false",
    "receive.denyDeleteCurrent": "refuse",
    "receive.maxInputSize": str(512 * 1024 * 1024),
    "receive.advertiseAtomic": "true",
    "transfer.fsckObjects": "true",
}


class Installed(NamedTuple):
    """A pre-receive hook as it stands: whether this program wrote it, and with what settings."""

    executable: bool
    ours: bool
    current: bool = False
    """Whether it is, to the byte, what this version writes of the same settings."""
    python: str = ""
    libraries: tuple[str, ...] = ()
    guards: str = ""
    root: str = ""
    store: str = ""
    resident: bool = True
    """Whether a process stays for the next push."""


def installed(path: Path) -> Installed | None:
    """The pre-receive hook of the repository at `path`; None where there is none. Raises `OSError`."""
    file = path / "hooks" / "pre-receive"
    if not file.is_file():
        return None
    executable, text = os.access(file, os.X_OK), file.read_text(errors="replace")
    try:
        (line,) = (line for line in text.splitlines() if line.startswith("exec "))
        python, *_ = shlex.split(line.removeprefix("exec ").partition(" -I ")[0])
        last = text.splitlines()[-1]
        libraries, guards, root, *store = shlex.split(last.removeprefix("' "))
    except (ValueError, IndexError):
        return Installed(executable, ours=False)
    values = (python, libraries, guards, root, *store)
    named = dict(zip(("python", "libraries", "path", "root", "store"), map(shlex.quote, values), strict=False))
    how = ALONE if ALONE in text else ""
    current = text == PRE.format(**{"store": "", "how": how, **named})
    ours = "runner.cli.pre_receive" in text and last.startswith("' ")
    found = tuple(libraries.split(":"))
    return Installed(executable, ours, current, python, found, guards, root, "".join(store), resident=not how)


def install(
    path: Path, *, python: str, root: str, key: Path | None, store: Path | None, resident: bool = True
) -> Mapping[str, Path]:
    """Write the hooks of the bare repository at `path`. Raises `GitError` where it is not bare.

    With `resident`, a process stays after a push and judges the next ones sooner.
    """
    with GitRepository(path) as git:
        if git.run("rev-parse", "--is-bare-repository").strip() != b"true":
            raise GitError(f"{path} is not a bare repository: a hook guards a server, not a work tree")
        for name, value in SETTINGS.items():
            git.run("config", name, value)
    reach(WritePoint.HOOK_SETTINGS, path)
    where = shlex.quote(str(store.resolve())) if store else ""
    libraries = dict.fromkeys([str(Path(runner.__file__).parents[1]), *map(get_path, ("purelib", "platlib"))])
    fields = {
        "python": shlex.quote(python),
        "libraries": shlex.quote(":".join(libraries)),
        "path": shlex.quote(str(path.resolve())),
        "root": shlex.quote(root),
        "store": where,
        "how": "" if resident else ALONE,
        "named": f"--store {where}" if where else "",
    }
    written = {"pre-receive": _write(path, "pre-receive", PRE.format(**fields))}
    if key is not None:
        text = POST.format(**fields, key=shlex.quote(str(key.resolve())))
        written["post-receive"] = _write(path, "post-receive", text)
    return written


def _write(path: Path, name: str, text: str) -> Path:
    target = path / "hooks" / name
    write_file(target, text.encode(), mode=0o755)
    return target
