"""What gate, verify, fetch and the hook say where there is nothing to trust yet, or where the root is no digest."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from runner.cli.main import group
from runner.errors import ExitCode, VerificationError
from tests.desk_repository import git

NONE = "there is no policy at this commit (make one and commit it: hallmark policy init --help)"


@pytest.fixture
def bare_of_policy(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for message in ("One", "Two"):
        git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", message)
    return tmp_path


def hallmark(*words: str) -> Result:
    return CliRunner().invoke(group, [*words], standalone_mode=False)


def test_the_gate_says_that_there_is_no_policy(bare_of_policy: Path) -> None:
    base = git(bare_of_policy, "rev-parse", "HEAD^")
    found = hallmark("gate", "HEAD^", "HEAD", "-C", str(bare_of_policy))
    assert isinstance(found.exception, VerificationError)
    assert str(found.exception) == f"0.1 files: {base[:12]}:policy: {NONE}"


def test_the_verifier_says_that_there_is_no_policy(bare_of_policy: Path) -> None:
    first = git(bare_of_policy, "rev-parse", "HEAD^")
    found = hallmark("verify", "--root", "0" * 64, "-C", str(bare_of_policy), "--json")
    assert found.return_value is ExitCode.REFUSED
    (reason,) = json.loads(found.stdout)["reasons"]
    assert (reason["step"], reason["problem"]) == ("0 root", f"{first[:12]}:policy: {NONE}")


def test_a_policy_that_lacks_a_file_is_named_by_it(bare_of_policy: Path) -> None:
    (bare_of_policy / "policy").mkdir()
    (bare_of_policy / "policy/trust.yaml").write_text("version: 1\n")
    git(bare_of_policy, "add", ".")
    git(bare_of_policy, "commit", "--quiet", "--message", "A part of it")
    git(bare_of_policy, "commit", "--quiet", "--allow-empty", "--message", "Three")
    found = hallmark("gate", "HEAD^", "HEAD", "-C", str(bare_of_policy))
    assert str(found.exception).endswith(":policy/allowed_signers: there is no such file")


@pytest.mark.parametrize("root", ["abc", "g" * 64, "0" * 63, "0" * 65, "sha256:" + "0" * 64, "\x1b[2J"])
def test_a_root_that_is_no_sha256_is_told_of(bare_of_policy: Path, root: str) -> None:
    top = str(bare_of_policy)
    for words in (
        ("verify", "-C", top),
        ("hook", "install", top),
        ("fetch", "desk", "--to", f"{top}/adapter", "-C", top),
    ):
        found = hallmark(*words, "--root", root)
        assert isinstance(found.exception, click.BadParameter)
        assert found.exception.message.startswith(f"{root!r} is no sha256 (64 hex digits): `git show ")


def test_an_empty_root_is_none(bare_of_policy: Path) -> None:
    """As a variable gives it that was never set."""
    assert isinstance(hallmark("verify", "--root", "", "-C", str(bare_of_policy)).exception, click.BadParameter)


def test_a_root_in_capitals_is_that_sha256(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare")
    found = hallmark("hook", "install", str(tmp_path), "--root", " " + "AB" * 32)
    assert found.return_value is ExitCode.DONE
    assert f" {'ab' * 32} " in (tmp_path / "hooks/pre-receive").read_text()
