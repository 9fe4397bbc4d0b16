"""A new workspace: the layout of a governed repository, with git and DVC ready in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from runner.edges import dvc_data
from runner.edges.files import write_file
from runner.edges.forge_files import PACKAGE, forge_files, forges, owners_of
from runner.edges.git_command import AUTHOR, attempt, git
from runner.edges.write_points import WritePoint, reach
from runner.errors import GitError, RecordError
from runner.records.setup import Owners
from runner.rules.repository.code_owners import PLACES, STAND_IN, lines_to_add
from runner.rules.repository.dvc_config import without_password
from runner.rules.repository.layout import PARAMS

NO_FORGE = "none"
_EMPTY = ("clusters", "scenarios", "rubrics", "policy")
DVC_FILES = (".dvc/config", ".dvc/.gitignore", ".dvcignore")
TEAMS = {
    "domain_owners": f"{STAND_IN}domain-owners",
    "approvers": f"{STAND_IN}approvers",
    "platform": f"{STAND_IN}platform",
}
"""What the templates call those who are asked to review."""
NO_OWNERS = Owners()
OWNERS = PLACES[0]
"""Where the templates have it."""


class TheirOwners(NamedTuple):
    """A CODEOWNERS of people's own, which stays the one that the forge reads."""

    path: str
    lacks: tuple[str, ...]
    """The lines of ours that would have somebody asked, and that it has none for."""


class Laid(NamedTuple):
    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that stand there with other contents than these: people's own, or of another version."""
    owners: TheirOwners | None
    """None where there was none, or ours."""


def initialise(directory: Path, *, remote: str, forge: str = NO_FORGE, owners: Owners = NO_OWNERS) -> Laid:
    """Make a workspace of `directory`, which is made where it is missing. Run again, it writes what is missing.

    Files that are there are left alone, and a CODEOWNERS in any of the forge's places gets no second one beside it. A
    git repository that is there is used as it is; else one is made, with the branch main. `remote` is DVC's default
    remote; a relative one counts from `directory`; a repository that has one keeps it. Raises `RecordError`
    for a file in the directory's place, a directory inside another repository, a forge that is not known, and a remote
    that says a password: its place is `.dvc/config.local`.
    """
    content = layout(forge, owners)
    if (problem := remote_problem(remote)) is not None:
        raise RecordError(problem[0], field="remote", hint=problem[1])
    if directory.exists() and not directory.is_dir():
        raise RecordError("is a file", path=str(directory), hint="name a directory")
    directory.mkdir(parents=True, exist_ok=True)
    if attempt(directory, "rev-parse", "--git-dir").returncode != 0:
        git(directory, "init", "--quiet", "--initial-branch=main")
    top = Path(git(directory, "rev-parse", "--show-toplevel"))
    if top.resolve() != directory.resolve():
        hint = f"make the workspace at {top}, or elsewhere"
        raise RecordError("lies inside another git repository", path=str(directory), hint=hint)
    reach(WritePoint.INIT_GIT, directory)
    there = {name for name in DVC_FILES if (directory / name).exists()}
    dvc_data.initialise(directory, remote=remote)
    reach(WritePoint.INIT_DVC, directory)
    if (theirs := _their_owners(directory, content)) is not None:
        content.pop(OWNERS)
    # what makes it a workspace comes last: killed before, the same command goes on
    wanted = sorted(content, key=lambda name: (name == PARAMS, name))
    missing = [name for name in wanted if not _there(directory / name)]
    kept = [name for name in wanted if name not in missing and not _holds(directory / name, content[name])]
    for name in missing:
        write_file(directory / name, content[name])
    reach(WritePoint.INIT_FILES, directory)
    made = [*missing, *(name for name in DVC_FILES if name not in there)]
    kept += [theirs.path] if theirs is not None else []
    return Laid(tuple(sorted(made)), tuple(sorted(name for name in kept if name != PARAMS)), theirs)


def _their_owners(directory: Path, content: Mapping[str, bytes]) -> TheirOwners | None:
    """The forge reads the first CODEOWNERS of three places: ours beside theirs could take theirs out of force."""
    place = owners_of(directory)
    if place is None or OWNERS not in content or _holds(directory / place, content[OWNERS]):
        return None
    said = (directory / place).read_text(errors="replace")
    return TheirOwners(place, lines_to_add(content[OWNERS].decode(), said, place=place))


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.read_bytes() == data


def remote_problem(remote: str) -> tuple[str, str] | None:
    """Why a remote may not stand in `.dvc/config`, and what to do; None where it may."""
    if without_password(remote) == remote:
        return None
    hint = "leave it out: `dvc remote modify --local store password …`, an ssh agent, or the environment say it"
    return "the remote says a password, and .dvc/config is committed", hint


def _there(path: Path) -> bool:
    """Also a link that leads nowhere, and a directory: nothing is put in the place of what somebody made."""
    if path.is_dir():
        raise RecordError("is a directory, and a file's place", path=str(path), hint="move it away")
    return path.exists() or path.is_symlink()


def layout(forge: str, owners: Owners) -> dict[str, bytes]:
    """Every file of a new workspace but DVC's own, by path."""
    if forge not in (NO_FORGE, *forges()):
        hint = f"forges: {', '.join([*forges(), NO_FORGE])}"
        raise RecordError(f"there are no files for the forge {forge}", field="forge", hint=hint)
    asked = forge_files(forge, install=PACKAGE) if forge != NO_FORGE else {}
    content = {f"{folder}/.gitkeep": b"" for folder in _EMPTY} | _templates()
    content |= {name: _owned(data, owners) if name in PLACES else data for name, data in asked.items()}
    content[PACKAGE.pins] += _own_pin()
    return content


def _owned(data: bytes, owners: Owners) -> bytes:
    for field, team in TEAMS.items():
        if (name := getattr(owners, field)) is not None:
            data = data.replace(team.encode(), name.encode())
    return data


def _own_pin() -> bytes:
    try:
        found = version(PACKAGE.package)
    except PackageNotFoundError:
        return b""
    said = "# The program itself, which CI installs at this version and no other."
    return f"\n{said}\n{PACKAGE.package}=={found}\n".encode()


def _templates() -> dict[str, bytes]:
    """The package's templates by path; `dot-` in a name stands for a leading dot."""
    with as_file(files("runner") / "templates" / "workspace") as source:
        found = [path for path in source.rglob("*") if path.is_file()]
        return {path.relative_to(source).as_posix().replace("dot-", "."): path.read_bytes() for path in found}


def commit(top: Path, paths: Iterable[str], *, message: str) -> str:
    """Commit what stands at `paths` as whom git knows. The commit, empty where nothing had changed.

    Raises `GitError` where git knows nobody, or a hook of theirs refuses.
    """
    who = _identity(top)
    there = sorted({path for path in paths if (top / path).exists()})
    git(top, "add", "--", *there)
    if attempt(top, "diff", "--cached", "--quiet").returncode == 0:
        return ""
    git(top, "commit", "--quiet", "--message", message, "--", *there, env=who)
    return git(top, "rev-parse", "HEAD")


def _identity(top: Path) -> Mapping[str, str]:
    """The user's own name and address, in the place of Hallmark's."""
    said: dict[str, str] = {}
    for variable in AUTHOR:
        key = f"user.{variable.rpartition('_')[2].lower()}"
        value = os.environ.get(variable) or attempt(top, "config", key).stdout.decode().strip()
        if not value:
            raise GitError(f"git does not know who commits: git config {key} …, or leave the commit to yourself")
        said[variable] = value
    return said
