"""pre-commit itself, on a workspace and offline: what it lets through, what it stops, what it lays out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from runner.rules.repository.layout import FORMATTED, place
from runner.wiring import flywheel
from tests.governed_desk import BIN, GovernedDesk

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "runner" / "templates" / "workspace" / "dot-pre-commit-config.yaml"
SCENARIO = "scenarios/support-desk/core"


@pytest.fixture
def desk(governed: GovernedDesk, tmp_path: Path) -> Path:
    """A governed workspace with the template in it, and the hook installed as a person does."""
    top = Path(shutil.copytree(governed.desk, tmp_path / "desk", symlinks=True))
    assert (top / ".pre-commit-config.yaml").read_bytes() == TEMPLATE.read_bytes()
    run(top, BIN / "pre-commit", "install")
    return top


def run(top: Path, *words: str | Path, code: int = 0) -> str:
    """What a command says, with the commands of this environment and pre-commit's files beside the workspace."""
    who = {f"GIT_{role}_{field}": "ash" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    own = {"PATH": f"{BIN}:{os.environ['PATH']}", "PRE_COMMIT_HOME": str(top.parent / "pre-commit"), **who}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT", "SKIP"))}
    done = subprocess.run(words, cwd=top, env={**kept, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def commit(top: Path, *, code: int = 0) -> str:
    run(top, "git", "add", "--all")
    return run(top, "git", "commit", "--message", "A change", code=code)


def test_a_commit_in_order_and_two_that_are_not(desk: Path) -> None:
    problem = desk / "clusters" / "support-desk" / "problem.md"
    problem.write_text(problem.read_text() + "\nMore of it.\n")
    said = commit(desk)
    assert said.count("Passed") == 2
    assert "Failed" not in said
    path = sorted((desk / SCENARIO).glob("*.yaml"))[0]
    text = path.read_text()
    path.write_text(text.replace("\n", "   \n", 1))
    said = commit(desk, code=1)
    assert "files were modified by this hook" in said
    assert path.read_text() == text, "laid out again"
    path.write_text(text + "unknown: true\n")
    said = commit(desk, code=1)
    assert f"{path.relative_to(desk)}:" in said
    assert "hallmark check" in said


def test_a_deleted_file_that_others_name_is_found(desk: Path) -> None:
    (rubric,) = sorted((desk / "rubrics").glob("*.yaml"))[:1]
    rubric.unlink()
    assert "hallmark check" in commit(desk, code=1)


def test_a_file_that_is_not_governed_asks_nobody(desk: Path) -> None:
    (desk / "notes.txt").write_text("x\n")
    said = commit(desk)
    assert (said.count("Skipped"), said.count("Passed")) == (1, 1), "a deleted file is none that pre-commit would name"


def test_a_new_workspace_has_the_hooks(tmp_path: Path) -> None:
    flywheel.initialise(tmp_path / "desk", remote="../store")
    assert (tmp_path / "desk" / ".pre-commit-config.yaml").read_bytes() == TEMPLATE.read_bytes()
    run(tmp_path / "desk", BIN / "pre-commit", "validate-config")


def test_what_this_project_offers_is_what_the_template_uses() -> None:
    run(ROOT, BIN / "pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
    offered = {one["id"]: one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    used = {one["id"]: one for one in yaml.safe_load(TEMPLATE.read_text())["repos"][0]["hooks"]}
    assert offered.keys() == used.keys()
    for name, hook in used.items():
        same = ("entry", "files", "pass_filenames", "always_run", "require_serial")
        assert {key: hook.get(key) for key in same} == {key: offered[name].get(key) for key in same}


def test_fmt_is_asked_about_every_file_that_it_lays_out() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (files,) = (re.compile(one["files"]) for one in hooks if one["id"] == "hallmark-fmt")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    formatted = [path for path in listed.splitlines() if (found := place(path)) and found.kind in FORMATTED]
    assert len(formatted) > 100
    assert [path for path in formatted if not files.match(path)] == []
