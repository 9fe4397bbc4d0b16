"""How git is called: which program, in what environment, and with what words where two processes ask the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import lru_cache

from runner.errors import GitError

KEPT = (
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
)
"""Variables taken over: in a pre-receive hook the pushed objects stand in the quarantine these name."""
HERMETIC = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "TZ": "UTC",
}
OPTIONS = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "core.commitGraph=false")
Said = Mapping[tuple[str, ...], bytes]
"""What git says, by its arguments."""


@lru_cache(maxsize=1)
def git_program() -> str:
    """The absolute path of git. Raises `GitError` where there is none."""
    found = shutil.which("git")
    if found is None:
        raise GitError("git is not installed")
    return found


def hermetic_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ} | HERMETIC


def asked_for_refs(prefix: str) -> tuple[str, ...]:
    """How git is asked for the refs below `prefix`."""
    return "for-each-ref", "--format=%(objectname) %(refname)", prefix


def asked_for_commits(old: str, new: str) -> tuple[str, ...]:
    """How git is asked for the commits that `new` brings to `old`."""
    return "rev-list", "--topo-order", new, f"^{old}"
