"""The forge's files: one source, rendered for a repository that holds the program and for one that installs it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from runner.cli.main import group
from runner.edges.forge_files import PACKAGE, SOURCES, Install, forge_files, forges
from runner.errors import ExitCode, RecordError

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


def test_the_files_are_written_where_they_differ(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    found = forge_files("github", install=PACKAGE)

    def files(*options: str) -> tuple[ExitCode, dict[str, str]]:
        words = ["ci", "files", "github", "-C", str(tmp_path), "--json", *options]
        done = CliRunner().invoke(group, words, standalone_mode=False)
        return done.return_value, json.loads(done.output)

    assert files("--check") == (ExitCode.REFUSED, dict.fromkeys(found, "new"))
    assert not (tmp_path / ".github").exists()
    assert files() == (ExitCode.DONE, dict.fromkeys(found, "new"))
    assert {path: (tmp_path / path).read_bytes() for path in found} == found
    (tmp_path / ".github/CODEOWNERS").write_text("* @ash\n")
    assert files("--check") == (ExitCode.DONE, dict.fromkeys(found, "unchanged")), "the names are people's own"
    (tmp_path / ".github/workflows/check.yaml").write_text("name: older\n")
    assert files("--check")[0] is ExitCode.REFUSED
    assert files() == (ExitCode.DONE, {**dict.fromkeys(found, "unchanged"), ".github/workflows/check.yaml": "changed"})
    assert (tmp_path / ".github/CODEOWNERS").read_text() == "* @ash\n"


@pytest.mark.parametrize("place", ["CODEOWNERS", "docs/CODEOWNERS"])
def test_owners_that_stand_elsewhere_are_not_put_out_of_force(tmp_path: Path, place: str) -> None:
    """GitHub reads the first of three places, and `.github/CODEOWNERS` is that."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("* @ash\n")
    words = ["ci", "files", "github", "-C", str(tmp_path), "--json"]
    told = json.loads(CliRunner().invoke(group, words, standalone_mode=False).output)
    assert told[place] == "unchanged"
    assert ".github/CODEOWNERS" not in told
    assert not (tmp_path / ".github/CODEOWNERS").exists()
    assert (tmp_path / ".github/workflows/check.yaml").is_file()
