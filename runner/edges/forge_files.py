"""What a forge needs of a repository: its workflows, who is asked to review what, and the form of a pull request.

The templates are the one source: this repository's own files are what they render to. A template names what differs
between repositories as `<<install PLACE EXTRA...>>`; everything else is the same everywhere.
"""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from runner.errors import RecordError
from runner.rules.repository.code_owners import PLACES

_INSTALL = re.compile(r"<<install (here|base)((?: [a-z]+)*)>>")


class Install(NamedTuple):
    """How a job gets Hallmark: what pip is asked for, and the constraints file that pins it and all that it needs."""

    package: str
    """A requirement (`hallmark-flywheel`, pinned in `pins`), or `.` where the repository holds the program itself."""
    pins: str = "constraints.txt"
    """From the top of the repository. The job that judges a change takes the base's."""

    def command(self, place: str, extras: tuple[str, ...] = ()) -> str:
        """The line that installs: `here`, in a checkout at the top, or from the checkout of main in `base`."""
        at = "" if place == "here" else "base/"
        named = f"./{at}".rstrip("/") if self.package == "." else self.package
        wanted = f"'{named}[{','.join(extras)}]'" if extras else named
        return f"python -m pip install --constraint {at}{self.pins} {wanted}"


SOURCES = Install(".")
"""A repository that holds the program, as this one does."""
PACKAGE = Install("hallmark-flywheel")
"""A workspace: the package, at the version that its own `constraints.txt` says."""


def forges() -> tuple[str, ...]:
    """The forges that there are files for, sorted."""
    with as_file(files("runner") / "templates" / "forge") as home:
        return tuple(sorted(path.name for path in home.iterdir() if path.is_dir()))


def owners_of(top: Path) -> str | None:
    """The CODEOWNERS of the repository that the forge reads; None where there is none. Beside it, no other counts."""
    return next((place for place in PLACES if (top / place).is_file()), None)


def forge_files(forge: str, *, install: Install = PACKAGE) -> dict[str, bytes]:
    """The forge's files by their path in the repository, sorted. Raises `RecordError` for a forge that is not known.

    Templates lie as the files will, with `dot-` for a leading dot.
    """
    if forge not in forges():
        raise RecordError(f"there are no files for the forge {forge}", hint=f"forges: {', '.join(forges())}")
    with as_file(files("runner") / "templates" / "forge" / forge) as home:
        found = {path.relative_to(home).as_posix(): path.read_text() for path in home.rglob("*") if path.is_file()}
    return {
        re.sub(r"(^|/)dot-", r"\1.", name): _INSTALL.sub(lambda match: _line(match, install), text).encode()
        for name, text in sorted(found.items())
    }


def _line(match: re.Match[str], install: Install) -> str:
    return install.command(match[1], tuple(match[2].split()))
