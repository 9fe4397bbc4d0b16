"""The forge's files: one source, rendered for a repository that holds the program and for one that installs it."""

from __future__ import annotations

import re

import pytest
import yaml

from runner.edges.forge_files import PACKAGE, SOURCES, Install, forge_files, forges
from runner.errors import RecordError

WORKFLOWS = ("check", "iterate", "preview", "promote", "rollback", "triggers")


@pytest.mark.parametrize(
    ("install", "place", "extras", "line"),
    [
        (SOURCES, "here", (), "--constraint constraints.txt ."),
        (SOURCES, "here", ("data", "train"), "--constraint constraints.txt '.[data,train]'"),
        (SOURCES, "base", (), "--constraint base/constraints.txt ./base"),
        (SOURCES, "base", ("forge",), "--constraint base/constraints.txt './base[forge]'"),
        (PACKAGE, "here", ("data",), "--constraint constraints.txt 'hallmark-flywheel[data]'"),
        (PACKAGE, "base", (), "--constraint base/constraints.txt hallmark-flywheel"),
        (Install("hallmark-flywheel", "pins.txt"), "base", (), "--constraint base/pins.txt hallmark-flywheel"),
    ],
)
def test_what_pip_is_asked_for(install: Install, place: str, extras: tuple[str, ...], line: str) -> None:
    assert install.command(place, extras) == f"python -m pip install {line}"


@pytest.mark.parametrize("install", [SOURCES, PACKAGE], ids=["sources", "package"])
def test_github_gets_its_workflows_owners_and_form(install: Install) -> None:
    found = forge_files("github", install=install)
    assert list(found) == [
        ".github/CODEOWNERS",
        ".github/pull_request_template.md",
        *(f".github/workflows/{name}.yaml" for name in WORKFLOWS),
    ]
    assert not [path for path, data in found.items() if b"<<" in data], "a placeholder is left"


def test_every_job_of_a_workspace_installs_the_package_at_its_pin() -> None:
    """Nothing of a workspace is a Python project: `.` would fail, and an unpinned package would be anybody's."""
    for path, data in forge_files("github", install=PACKAGE).items():
        lines = re.findall(r"run: (python .*)", data.decode())
        wanted = r"python -m pip install --constraint (base/)?constraints\.txt '?hallmark-flywheel(\[[a-z,]+\]')?"
        assert all(re.fullmatch(wanted, line) for line in lines), path
        if path.endswith(".yaml"):
            assert yaml.safe_load(data)["jobs"]


def test_a_forge_that_is_not_known_is_refused() -> None:
    with pytest.raises(RecordError, match=r"forges: .*github"):
        forge_files("sourcehut", install=PACKAGE)
    assert "github" in forges()
