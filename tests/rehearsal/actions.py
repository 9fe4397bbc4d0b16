"""What two actions do, done here: `actions/checkout` and `actions/setup-python`. Any other action is refused.

checkout was written after v4.2.2: how much it fetches, what the local branch is called, where `origin/main` stands
where main has moved on since the event, and that credentials stay in `.git/config` only if the workflow says so.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rehearsal.expressions import Unsupported

PINNED = re.compile(r"(?P<action>[\w.-]+/[\w.-]+)@[0-9a-f]{40}\Z")
_INPUTS = {
    "actions/checkout": {"ref", "path", "fetch-depth", "persist-credentials"},
    "actions/setup-python": {"python-version"},
}


def action(uses: str, given: Mapping[str, Any]) -> str:
    """The action's name. Raises `Unsupported` for another action, a moving tag, or an input that is not played."""
    match = PINNED.match(uses)
    name = match["action"] if match else ""
    if name not in _INPUTS:
        raise Unsupported(f"the rehearsal has no {uses}")
    if more := set(given) - _INPUTS[name]:
        raise Unsupported(f"{uses}: the rehearsal does not play {', '.join(sorted(more))}")
    return name


@dataclass(frozen=True)
class Place:
    """Where a job checks out from, and what its event is about."""

    url: str
    token: str
    ref: str
    """`GITHUB_REF`."""
    sha: str
    """`GITHUB_SHA`."""
    environment: Mapping[str, str]


def checkout(place: Place, workspace: Path, given: Mapping[str, Any]) -> str:
    """Make the work tree. Raises `subprocess.CalledProcessError` where git fails."""
    target = workspace / str(given.get("path", ""))
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise Unsupported(f"{target} is not empty: the machine is not ephemeral")
    said = str(given.get("ref", "") or "")
    ref, sha = (f"refs/heads/{said}", "") if said else (place.ref, place.sha)
    tracking = ref.replace("refs/heads/", "refs/remotes/origin/").replace("refs/pull/", "refs/remotes/pull/")
    depth = int(given.get("fetch-depth", 1))
    header = "AUTHORIZATION: basic " + base64.b64encode(f"x-access-token:{place.token}".encode()).decode()
    credential = f"http.{place.url.split('/example')[0]}/.extraheader"

    def git(*words: str) -> None:
        subprocess.run(
            ["git", *words],
            cwd=target,
            env=place.environment,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )

    git("init", "--quiet", "--initial-branch=main")
    git("remote", "add", "origin", place.url)
    git("config", "--local", "gc.auto", "0")
    git("config", "--local", credential, header)
    if depth == 0:
        git("fetch", "--quiet", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    shallow = [f"--depth={depth}"] if depth else []
    git("fetch", "--quiet", "--no-tags", *shallow, "origin", f"+{sha or ref}:{tracking}")
    if ref.startswith("refs/heads/"):
        git("checkout", "--quiet", "--force", "-B", ref.removeprefix("refs/heads/"), tracking)
    else:
        git("checkout", "--quiet", "--force", tracking)
    kept = str(given.get("persist-credentials", True)).lower() == "true"
    if not kept:
        git("config", "--local", "--unset-all", credential)
    return f"{ref} {'whole' if depth == 0 else f'depth {depth}'}{'' if kept else ', no credentials'}"


def set_up_python(given: Mapping[str, Any], python: Path) -> str:
    """Refuses where the version that is asked for is not the one that the rehearsal has."""
    wanted = str(given.get("python-version", ""))
    found = subprocess.run([str(python), "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if not f"{found}.".startswith(f"{wanted}."):
        raise Unsupported(f"the workflow asks for Python {wanted}, and the rehearsal has {found} at {python}")
    return f"Python {found}"


def clean_environment(home: Path) -> dict[str, str]:
    """What a fresh machine has: no git configuration, no keys, nobody's variables; and how to reach the registry."""
    kept = {name: os.environ[name] for name in ("LANG", "SSL_CERT_FILE", "TZ") if name in os.environ}
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return {**kept, **pip, "HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1"}
