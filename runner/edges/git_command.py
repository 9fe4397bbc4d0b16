"""git as a command, for what writes: branches, work trees, pushes. Reading for judgement is `edges.git`'s."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runner.errors import GitError

AUTHOR = {
    "GIT_AUTHOR_NAME": "hallmark",
    "GIT_AUTHOR_EMAIL": "hallmark@localhost",
    "GIT_COMMITTER_NAME": "hallmark",
    "GIT_COMMITTER_EMAIL": "hallmark@localhost",
}


def git(root: Path, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
    """The command's standard output, stripped. Raises `GitError` with what git said."""
    done = attempt(root, *arguments, stdin=stdin, env=env)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
        raise GitError(f"git {arguments[0]} in {root}: {said}")
    return done.stdout.decode(errors="replace").strip()


def attempt(
    root: Path, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git and hand back how it went."""
    environment = {**os.environ, **AUTHOR, "GIT_TERMINAL_PROMPT": "0", **(env or {})}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        if env is None or name not in env:
            environment.pop(name, None)
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], input=stdin, capture_output=True, env=environment, check=False
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error


def has_remote(root: Path, remote: str = "origin") -> bool:
    return remote in git(root, "remote").split()


def resolve(root: Path, revision: str) -> str | None:
    """The commit a revision names, or None."""
    done = attempt(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    return done.stdout.decode().strip() or None


def commit_of(root: Path, revision: str) -> str:
    """The commit a revision names. Raises `GitError` where there is none."""
    if found := resolve(root, revision):
        return found
    if revision == "HEAD":
        raise GitError(f"{root}: nothing is committed yet (git add --all && git commit)")
    raise GitError(f"{root}: there is no commit {revision}")
