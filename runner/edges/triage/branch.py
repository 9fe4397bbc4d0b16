"""The branch that CI opened for triage, checked out beside the repository: `.hallmark/triage/<cluster>/<iteration>`.

A list that stands in the work tree at hand is worked on there, and needs neither the branch nor a network.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.edges.files import only_one, write_file
from runner.edges.git_command import AUTHOR, attempt, git, has_remote, resolve
from runner.errors import GitError, RecordError


@dataclass(frozen=True)
class Place:
    """A work tree that holds an iteration's triage list."""

    main: Path
    """The repository: a relative remote counts from there."""
    top: Path
    cluster: str
    iteration: str
    branch: str
    """The branch of triage that is checked out at `top`; empty where another one is."""
    told: str = ""
    """What the reviewer should know of it."""


def here(top: Path, cluster: str) -> tuple[str, ...]:
    """The iterations whose lists stand in the work tree at `top`, sorted."""
    return tuple(sorted(path.stem for path in (top / "clusters" / cluster / "triage").glob("*.yaml")))


def at_hand(top: Path, cluster: str, iteration: str) -> Place:
    """The work tree at `top` itself."""
    branch = attempt(top, "symbolic-ref", "--quiet", "--short", "HEAD").stdout.decode().strip()
    return Place(top, top, cluster, iteration, branch if branch == name(cluster, iteration) else "")


def name(cluster: str, iteration: str) -> str:
    return f"triage/{cluster}/{iteration}"


def waiting(main: Path, cluster: str) -> tuple[tuple[str, ...], str]:
    """The iterations that have a triage branch, fetched; and why they could not be, where what is known is older."""
    prefix, told = f"triage/{cluster}/", ""
    if has_remote(main):
        spec = f"+refs/heads/{prefix}*:refs/remotes/origin/{prefix}*"
        done = attempt(main, "fetch", "--quiet", "--prune", "origin", spec)
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            told = (
                f"origin could not be reached ({lines[-1] if lines else 'no word why'}): its last known state is used"
            )
    refs = git(main, "for-each-ref", "--format=%(refname)", f"refs/heads/{prefix}", f"refs/remotes/origin/{prefix}")
    return tuple(sorted({ref.rpartition("/")[2] for ref in refs.split()})), told


def is_merged(main: Path, cluster: str, iteration: str, trunk: Sequence[str]) -> bool:
    """Whether the first of the revisions `trunk` that there is has the list already: then its triage is over."""
    path = f"clusters/{cluster}/triage/{iteration}.yaml"
    tip = next((found for one in trunk if (found := resolve(main, one))), None)
    return tip is not None and attempt(main, "cat-file", "-e", f"{tip}:{path}").returncode == 0


def open_branch(main: Path, cluster: str, iteration: str, told: str = "") -> Place:
    """The work tree of the iteration's triage branch: taken up as it was left, and brought forward where nothing of
    it is lost. Raises `GitError`."""
    branch = name(cluster, iteration)
    top = main / ".hallmark" / "triage" / cluster / iteration
    with only_one(top.with_name(f"{iteration}.lock")):
        local, remote = resolve(main, f"refs/heads/{branch}"), resolve(main, f"refs/remotes/origin/{branch}")
        if not _is_work_tree(main, top, branch):
            shutil.rmtree(top, ignore_errors=True)
            git(main, "worktree", "prune")
            tip = remote if remote and (local is None or _holds(main, remote, local)) else local
            if tip is None:
                raise GitError(f"there is no branch {branch}")
            if elsewhere := _checked_out(main, branch):
                raise GitError(f"{branch} is checked out at {elsewhere}: run this there")
            git(main, "update-ref", f"refs/heads/{branch}", tip)
            git(main, "worktree", "add", "--quiet", "--force", "--force", str(top), branch)
        elif remote and local and local != remote and _holds(main, remote, local):
            done = attempt(top, "merge", "--quiet", "--ff-only", remote)
            if done.returncode:
                told = told or f"{branch} has moved at origin, and what is here does not let it forward"
    return Place(main, top, cluster, iteration, branch, told)


def _checked_out(main: Path, branch: str) -> Path | None:
    """The work tree of this repository that has the branch; one that only the repository's copy knows is none."""
    listed = git(main, "worktree", "list", "--porcelain").splitlines()
    paths = [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]
    return next((path for path in paths if path != main and _is_work_tree(main, path, branch)), None)


def _is_work_tree(main: Path, top: Path, branch: str) -> bool:
    """Whether the branch is checked out at `top`, of this repository and not of one that this is a copy of."""
    if not (top / ".git").is_file():
        return False
    common = ("rev-parse", "--path-format=absolute", "--git-common-dir")
    whose = attempt(top, *common).stdout.decode().strip()
    on = attempt(top, "symbolic-ref", "--quiet", "HEAD").stdout.decode().strip()
    return whose == git(main, *common) and on == f"refs/heads/{branch}" and resolve(top, "HEAD") is not None


def _holds(main: Path, tip: str, other: str) -> bool:
    return attempt(main, "merge-base", "--is-ancestor", other, tip).returncode == 0


def send(place: Place, files: Mapping[str, bytes], message: str) -> str:
    """Write `files`, commit them on the place's branch and push it. Says what was done; done again, it does what is
    left. Where another one pushed first, the commit goes on top of theirs. Raises `GitError`."""
    for path, data in files.items():
        write_file(place.top / path, data)
    paths = sorted(files)
    if not place.branch:
        return f"signed, not committed: commit {', '.join(paths)} on a branch and open a pull request"
    git(place.top, "add", "--", *paths)
    if git(place.top, "status", "--porcelain", "--", *paths):
        git(place.top, "commit", "--quiet", "--message", message, "--", *paths, env=author(place.main))
    if not has_remote(place.main):
        return f"signed and committed on {place.branch}; there is no origin to push to"
    said = _push(place)
    if said and place.top != place.main and _brought_forward(place):
        said = _push(place)
    if said:
        raise GitError(f"signed and committed, not pushed; mend it and run this again: {said}")
    return f"signed, committed and pushed to {place.branch}"


def _brought_forward(place: Place) -> bool:
    """Put what is not pushed on top of what origin has: everybody writes files of their own."""
    ref = f"refs/remotes/origin/{place.branch}"
    fetched = attempt(place.main, "fetch", "--quiet", "origin", f"+refs/heads/{place.branch}:{ref}")
    if fetched.returncode:
        return False
    done = attempt(place.top, "rebase", "--quiet", ref, env=author(place.main))
    if done.returncode:
        attempt(place.top, "rebase", "--abort")
    return done.returncode == 0


def _push(place: Place) -> str:
    """Why the branch could not be pushed; empty where it was."""
    ref = f"refs/heads/{place.branch}"
    done = attempt(place.main, "push", "--quiet", "origin", f"{ref}:{ref}")
    return done.stderr.decode(errors="replace").strip() if done.returncode else ""


def author(main: Path) -> dict[str, str]:
    """The reviewer as git knows them, for a commit's author and committer."""
    found = {}
    for field in ("NAME", "EMAIL"):
        said = os.environ.get(f"GIT_AUTHOR_{field}") or attempt(main, "config", f"user.{field.lower()}").stdout.decode()
        for role in ("AUTHOR", "COMMITTER"):
            found[f"GIT_{role}_{field}"] = said.strip() or AUTHOR[f"GIT_{role}_{field}"]
    return found


def signing_key(main: Path) -> Path | None:
    """The ssh key that git signs with, or else the usual one; none where there is neither."""
    said = attempt(main, "config", "--type=path", "user.signingkey").stdout.decode().strip()
    usual = Path.home() / ".ssh" / "id_ed25519"
    return next((path for path in (Path(said), usual) if str(path) != "." and path.is_file()), None)


def checked(cluster: str, known: Sequence[str], iteration: str) -> str:
    """The one iteration to decide: the one asked for, or the only one. Raises `RecordError` that names them."""
    if iteration in known:
        return iteration
    named = ", ".join(known) or "none"
    if iteration:
        raise RecordError(f"{cluster} has no triage of iteration {iteration}", hint=f"iterations that wait: {named}")
    if not known:
        hint = f"`hallmark iterate {cluster}` opens one where candidates wait for people"
        raise RecordError(f"nothing of {cluster} waits for triage", hint=hint)
    if len(known) > 1:
        raise RecordError(f"{len(known)} iterations of {cluster} wait for triage", hint=f"say --iteration: {named}")
    return known[0]
