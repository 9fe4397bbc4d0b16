"""Every command that the README prints exists as printed, and those that take seconds are run."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from runner.cli.main import VERBS

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The `hallmark` command lines in the README's blocks and table, continued lines joined."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
    printed = [line.strip().removeprefix("$ ") for line in lines]
    quoted = re.findall(r"`(hallmark [^`]*)`", TEXT)
    return sorted({line for line in (*printed, *quoted) if line.startswith("hallmark ")})


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, down to its subcommand, and what is left of them."""
    module, attribute = VERBS[words[0]][0].split(":")
    command = getattr(import_module(f"runner.cli.{module}"), attribute)
    rest = words[1:]
    while isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


@pytest.mark.parametrize("line", [line for line in commands() if line != "hallmark --help"])
def test_a_printed_command_exists_with_its_options(line):
    command, rest = resolve(shlex.split(line)[1:])
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    used = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert used <= known, f"{line}: {used - known} is no option of it"


def test_the_readme_prints_commands():
    assert len(commands()) >= 12


@pytest.mark.parametrize("line", ["hallmark --help", "hallmark check", "hallmark status"])
def test_a_quick_command_works_as_printed(line):
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(line.split(), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def five_commands() -> list[str]:
    (block,) = [block for block in BLOCKS if "hallmark init" in block]
    return block.replace("\\\n", " ").strip().splitlines()


def test_the_five_commands_make_a_cluster_of_a_users_own_files(tmp_path):
    """All but the last, which takes a minute of training: `make acceptance` runs it."""
    words = {"refund": "refund money back account paid", "parcel": "parcel courier late delivery van"}
    for part in ("base", "gold", "traffic", "core", "dev", "heldout"):
        rows = [
            (f"{part} {number} {' '.join(text.split()[number % 5 :])}", label)
            for label, text in words.items()
            for number in range(12)
        ]
        with (tmp_path / f"{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    *before, last = five_commands()
    assert last == "hallmark iterate routing"
    # the README's file names are relative to where the user is, and the user has gone into `desk`
    script = "\n".join(before)
    identity = {
        f"GIT_{who}_{what}": "owner@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **identity, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    checked = subprocess.run([str(BIN / "hallmark"), "check"], cwd=tmp_path / "desk", capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
