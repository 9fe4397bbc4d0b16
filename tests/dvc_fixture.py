"""A repository with real DVC and a directory as its remote: data behind a pointer, outputs in `dvc.lock`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.edges import dvc_data, dvc_run
from runner.edges.files import write_directory, write_file
from runner.edges.yaml_dump import dump
from runner.rules.canonical import sha256, tree_digest
from runner.wiring import flywheel
from tests.adapter_fixture import adapter_files

HOME = "clusters/desk"
ADAPTER, VALID, GOLD = f"{HOME}/run/adapter", f"{HOME}/run/valid.jsonl", f"{HOME}/data/gold.jsonl"
FILES = adapter_files()
ROWS = b'{"row": 1}\n' * 40
RECORDED = {ADAPTER: tree_digest(FILES), VALID: sha256(ROWS)}

TWINS = tuple(
    bytes.fromhex(
        f"d131dd02c5e6eec4693d9a0698aff95c2fcab5{a}12467eab4004583eb8fb7f8955ad340609f4b30283e4888325{b}415a085125e8f7"
        f"cdc99fd91dbd{c}80373c5bd8823e3156348f5bae6dacd436c919c6dd53e2{d}87da03fd02396306d248cda0e99f33420f577ee8ce54"
        f"b67080{e}0d1ec69821bcb6a8839396f965{f}6ff72a70"
    )
    for a, b, c, d, e, f in (("87", "71", "f2", "b4", "a8", "2b"), ("07", "f1", "72", "34", "28", "ab"))
)
"""Two messages with one md5 (Wang, Feng, Lai, Yu: "Collisions for hash functions MD4, MD5, HAVAL-128 and RIPEMD")."""
STORED = {**{f"{ADAPTER}/{name}": data for name, data in FILES.items()}, VALID: ROWS, GOLD: TWINS[0]}


def make(home: Path, *, remote: str = "../store") -> Path:
    """The work tree `home/desk`, everything in its cache and pushed to `remote`."""
    desk = home / "desk"
    flywheel.initialise(desk, remote=remote)
    outs = {"cmd": "false", "outs": [ADAPTER, VALID]}
    write_file(desk / "dvc.yaml", dump({"stages": {"train": outs}}))
    write_directory(desk / ADAPTER, FILES)
    write_file(desk / VALID, ROWS)
    write_file(desk / GOLD, TWINS[0])
    dvc_data.track(desk, [desk / GOLD])
    return desk


def publish(desk: Path) -> None:
    dvc_run.keep(desk, ["train"])
    dvc_data.publish(desk, [desk / GOLD])


def empty(desk: Path) -> None:
    """Make of it another machine's work tree: pointers, and neither a cache nor outputs nor data."""
    shutil.rmtree(desk / ".dvc" / "cache")
    shutil.rmtree(desk / ADAPTER)
    for name in (VALID, GOLD):
        (desk / name).unlink()


def brought(desk: Path) -> dict[str, bytes]:
    """Let Hallmark bring everything that was pushed, and read it. To be compared with `STORED`."""
    dvc_run.bring(desk, RECORDED)
    dvc_data.fetch_all(desk, [desk / GOLD])
    files = [*(desk / ADAPTER).iterdir(), desk / VALID, desk / GOLD]
    return {path.relative_to(desk).as_posix(): path.read_bytes() for path in files}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def stored(store: Path, name: str) -> Path:
    """Where a DVC storage directory has the object `name`."""
    return store / "files" / "md5" / name[:2] / name[2:]


def put(path: Path, data: bytes) -> None:
    """Write over an object, which DVC keeps read-only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def forge(desk: Path, store: Path, entries: Sequence[Any]) -> None:
    """Let `dvc.lock` point at a directory object that lists what `entries` say, under its own right md5."""
    data = json.dumps(entries).encode()
    name = f"{md5(data)}.dir"
    put(stored(store, name), data)
    lock = (desk / "dvc.lock").read_text()
    listing = sorted(({"md5": md5(one), "relpath": path} for path, one in FILES.items()), key=lambda e: e["relpath"])
    old = f"{md5(json.dumps(listing).encode())}.dir"
    assert old in lock
    (desk / "dvc.lock").write_text(lock.replace(old, name))


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
