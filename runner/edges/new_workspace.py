"""A new workspace: the layout of a governed repository, with git and DVC ready in it."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from runner.edges import dvc_data
from runner.edges.files import write_file
from runner.edges.git_command import attempt, git
from runner.errors import RecordError

_EMPTY = ("clusters", "scenarios", "rubrics", "policy")


def initialise(directory: Path, *, remote: str) -> tuple[str, ...]:
    """Make a workspace of `directory`: made where it is missing, refused where it is one. The files it wrote, sorted.

    A git repository that is there is used as it is; else one is made, with the branch main. `remote` is DVC's default
    remote; a relative one counts from `directory`.
    """
    if (directory / "params.yaml").exists():
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
    dvc_data.initialise(directory, remote=remote)
    written = [*_templates(directory), ".dvc/config", ".dvc/.gitignore", ".dvcignore"]
    for folder in _EMPTY:
        (directory / folder).mkdir(exist_ok=True)
        (directory / folder / ".gitkeep").touch()
        written.append(f"{folder}/.gitkeep")
    return tuple(sorted(written))


def _templates(directory: Path) -> list[str]:
    """Copy the package's templates; `dot-` in a name stands for a leading dot. What is there is left alone."""
    written = []
    with as_file(files("runner") / "templates" / "workspace") as source:
        for path in sorted(source.rglob("*")):
            if not path.is_file():
                continue
            relative = path.relative_to(source).as_posix().replace("dot-", ".")
            target = directory / relative
            if not target.exists():
                write_file(target, path.read_bytes())
                written.append(relative)
    return written
