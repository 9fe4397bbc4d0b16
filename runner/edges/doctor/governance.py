"""Facts about who may change what: the machines' keys, the origin's hook, CODEOWNERS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runner.edges import hook_files
from runner.edges.doctor.asking import ask, ask_git
from runner.edges.signing import ssh_keygen
from runner.errors import GitError
from runner.records.policy import Trust
from runner.rules.canonical import sha256
from runner.rules.doctor.facts import Hook, Key, Owners
from runner.rules.doctor.findings import Unseen
from runner.rules.repository.code_owners import PLACES
from runner.rules.trust.signers import ALLOWED_SIGNERS, REVOKED, TRUST, read_revoked, read_signers

CI_KEY, GATE_KEY = "HALLMARK_CI_KEY", "HALLMARK_GATE_KEY"
OWNERS = (*PLACES, ".gitlab/CODEOWNERS", ".forgejo/CODEOWNERS")
"""In the order in which forges look."""


def keys(policy: Mapping[str, bytes], trust: Trust | None) -> tuple[Key, ...] | Unseen:
    """The keys that this machine signs with, and what the policy's files say of them."""
    names = {CI_KEY: trust.ci if trust else "", GATE_KEY: trust.gate if trust else ""}
    named = {name: os.environ[name].strip() for name in names if os.environ.get(name, "").strip()}
    if not named:
        return Unseen(f"{CI_KEY} and {GATE_KEY} are not set: no key was looked at (CI's machines alone have them)")
    lines, _ = read_signers(policy.get(ALLOWED_SIGNERS, b""))
    owners = {line.public_key: line.principal for line in lines}
    revoked = read_revoked(policy.get(REVOKED, b""))[0].keys
    found = []
    for name, text in named.items():
        path = Path(text).expanduser()
        public, unreadable = _public(path) if path.is_file() else ("", "")
        mode = path.stat().st_mode & 0o777 if path.is_file() and path.suffix != ".pub" else 0o600
        standing = (ALLOWED_SIGNERS in policy, names[name], owners.get(public, ""), public in revoked)
        found.append(Key(name, str(path), path.is_file(), mode, public, unreadable, *standing))
    return tuple(found)


def _public(path: Path) -> tuple[str, str]:
    """The public half of a key that nobody has to unlock, and why there is none. A `.pub` file's private half is in an
    ssh agent."""
    if path.suffix == ".pub":
        public = " ".join(path.read_text(errors="replace").split()[:2])
        held = public in ask("ssh-add", "-L").out
        return public, "" if held else "no ssh agent here holds the key of that .pub file"
    said = ask(ssh_keygen(), "-y", "-P", "", "-f", str(path))
    if said.code == 0:
        return " ".join(said.out.split()[:2]), ""
    if path.stat().st_mode & 0o077 and path.with_name(f"{path.name}.pub").is_file():
        return " ".join(path.with_name(f"{path.name}.pub").read_text(errors="replace").split()[:2]), ""
    return "", "it is locked with a passphrase" if "passphrase" in said.err else f"it is no private key: {said.last}"


def hook(top: Path, *, has_policy: bool) -> Hook | Unseen:
    """The gate's hook of the origin, where that is a directory here."""
    url = ask_git(top, "remote", "get-url", "origin")
    if not url:
        return Unseen("there is no origin whose hook could be looked at", "git remote add origin URL")
    place = _directory(top, url)
    if place is None:
        return Unseen("the origin is not on this machine: its hook was not looked at", "")
    if not place.is_dir():
        raise GitError(f"the origin {place} is not there")
    bare = ask_git(place, "rev-parse", "--is-bare-repository") == "true"
    found = hook_files.installed(place) if bare else None
    root = _first_policy(top)
    if found is None:
        return Hook(str(place), bare, has_policy, first_policy=root)
    named = [found.python, *found.libraries, *([found.store] if found.store else [])]
    gone = tuple(one for one in named if found.ours and not Path(one).exists())
    receipts = os.access(place / "hooks" / "post-receive", os.X_OK)
    return Hook(
        str(place), bare, has_policy, True, found.executable, found.ours, found.current, gone,
        found.guards, found.root, os.environ.get("HALLMARK_ROOT", "").strip() or root, receipts,
    )  # fmt: skip


def _directory(top: Path, url: str) -> Path | None:
    """The folder that a remote's URL names; None where it names another machine."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path)).resolve()
    if "://" in url or (":" in url.partition("/")[0]):  # a host, as git reads it
        return None
    return (top / url).resolve()


def _first_policy(top: Path) -> str:
    """The root of trust by this clone's history: of the commit that brought the first policy/trust.yaml."""
    added = ask_git(top, "log", "--first-parent", "--diff-filter=A", "--format=%H", "HEAD", "--", TRUST)
    if not added:
        return ""
    said = ask("git", "-C", str(top), "cat-file", "blob", f"{added.splitlines()[-1]}:{TRUST}")
    return sha256(said.out.encode()) if said.code == 0 else ""


def owners(top: Path, trust: Trust | None) -> Owners | Unseen:
    """CODEOWNERS, beside the classes that the policy asks people about."""
    if trust is None:
        return Unseen("there is no policy that CODEOWNERS could be held against", "hallmark policy init --help")
    asked = frozenset(change for change, needed in trust.changes.items() if any(one.people for one in needed))
    file = next((top / name for name in OWNERS if (top / name).is_file()), None)
    text = file.read_text(errors="replace") if file else ""
    return Owners(file.relative_to(top).as_posix() if file else "", text, frozenset(trust.people), asked)
