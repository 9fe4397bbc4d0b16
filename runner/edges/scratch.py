"""A scratch repository beside a real one: its objects can be read, and nothing of it is written."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.edges.git_write import GitRepository
from runner.edges.signing import SshSigner, ssh_keygen
from runner.errors import SigningError


@contextmanager
def scratch_repository(real: Path) -> Iterator[tuple[GitRepository, Path]]:
    """A bare repository that borrows the objects of `real` (git's alternates), and an empty folder for keys.

    Both are gone afterwards. Raises `GitError`.
    """
    with GitRepository(real) as git:
        objects = git.run("rev-parse", "--path-format=absolute", "--git-path", "objects").decode().strip()
        with tempfile.TemporaryDirectory(prefix="hallmark-drill-") as folder:
            origin, keys = Path(folder) / "origin.git", Path(folder) / "keys"
            keys.mkdir()
            git.run("init", "--quiet", "--bare", "--initial-branch=main", str(origin))
            (origin / "objects" / "info").mkdir(exist_ok=True)
            (origin / "objects" / "info" / "alternates").write_text(f"{objects}\n")
            with GitRepository(origin) as scratch:
                yield scratch, keys


def new_signer(folder: Path, name: str) -> SshSigner:
    """A fresh ed25519 key without a passphrase. Raises `SigningError`."""
    path = folder / name
    command = [ssh_keygen(), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SigningError(f"ssh-keygen made no key: {done.stderr.strip()}")
    return SshSigner(path)
