"""A new workspace: the layout of a governed repository, with git and DVC ready in it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

from runner.edges import dvc_data
from runner.edges.files import write_file
from runner.edges.git_command import attempt, git
from runner.edges.write_points import WritePoint, reach
from runner.errors import RecordError
from runner.rules.layout import PARAMS

_EMPTY = ("clusters", "scenarios", "rubrics", "policy")


def initialise(directory: Path, *, remote: str) -> tuple[str, ...]:
    """Make a workspace of `directory`: made where it is missing, refused where it is one that has been worked in. The
    files it wrote, sorted.

    Files that are there are left alone. A git repository that is there is used as it is; else one is made, with the
    branch main. `remote` is DVC's default remote; a relative one counts from `directory`.
    """
    content = {f"{folder}/.gitkeep": b"" for folder in _EMPTY} | _templates()
    if (directory / PARAMS).exists() and not _untouched(directory, content):
        raise RecordError("is a workspace already", path=str(directory), hint="go on with: hallmark import labelled")
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
    dvc_data.initialise(directory, remote=remote)
    reach(WritePoint.INIT_DVC, directory)
    # what makes it a workspace comes last: killed before, the same command goes on
    wanted = sorted(content, key=lambda name: (name == PARAMS, name))
    written = [name for name in wanted if not (directory / name).exists()]
    for name in written:
        write_file(directory / name, content[name])
    return tuple(sorted([*written, ".dvc/config", ".dvc/.gitignore", ".dvcignore"]))


def _untouched(directory: Path, content: Mapping[str, bytes]) -> bool:
    """Whether everything is as this made it: killed after its last write, the same command is done."""
    return all(
        (directory / name).is_file() and (directory / name).read_bytes() == data for name, data in content.items()
    )


def _templates() -> dict[str, bytes]:
    """The package's templates by path; `dot-` in a name stands for a leading dot."""
    with as_file(files("runner") / "templates" / "workspace") as source:
        found = [path for path in source.rglob("*") if path.is_file()]
        return {path.relative_to(source).as_posix().replace("dot-", "."): path.read_bytes() for path in found}
