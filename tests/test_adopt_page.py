"""The commands of docs/adopt.md and docs/imports.md, run as they are printed."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.records.adoption import Format
from runner.rules.adopt.assertions import JUDGED, MAPPED
from runner.rules.data.labelled_split import SHARES as LABELLED
from runner.rules.data.new_cluster import SHARES, SHARES_TINY
from tests.governed_desk import BIN
from tests.printed import ROOT, block_with

ADOPT, IMPORTS = ROOT / "docs" / "adopt.md", ROOT / "docs" / "imports.md"
ASSETS = ROOT / "tests" / "assets" / "imports"
WHO = {f"GIT_{role}_{field}": "owner@example.com" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
LABELS = {
    "refund": "money back account paid euros",
    "parcel": "courier late delivery van street",
    "login": "code mail app",
}


def typed(script: list[str], cwd: Path, *, code: int = 0) -> str:
    own = {"HOME": str(cwd), "PATH": f"{BIN}:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
        cwd=cwd,
        env={**os.environ, **WHO, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def messages(path: Path) -> None:
    """A labelled file whose texts say different things."""
    rows = [
        (f"{word} {' '.join(reversed(words.split()[n % 3 :]))} number {n} {chr(97 + n) * 4}", word)
        for word, words in LABELS.items()
        for n in range(16)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def test_the_five_commands_on_one_file(tmp_path: Path) -> None:
    """All but the last, which takes a minute of training: `tests/acceptance/test_readme.py` runs them all."""
    messages(tmp_path / "messages.csv")
    *before, last = block_with(ADOPT, "hallmark iterate routing")
    assert (len(before), last) == (4, "hallmark iterate routing")
    said = typed(before, tmp_path)
    assert "scenarios/routing:" in said
    assert "0 problems" in typed(["cd desk", "hallmark check"], tmp_path)


def test_the_hour_as_printed(tmp_path: Path) -> None:
    """The answers of the page, then its commands, with an origin where the page has one."""
    messages(tmp_path / "messages.csv")
    (tmp_path / "keys").mkdir()
    for name in ("rowan", "ash", "hazel", "ci", "gate"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(tmp_path / "keys" / name)]
        subprocess.run(key, check=True)
    (answers,) = re.findall(r"^```yaml\n(.*?)^```$", ADOPT.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "answers.yaml").write_text(answers)
    said = typed(block_with(ADOPT, "--answers"), tmp_path)
    assert "policy: its root of trust is" in said
    assert "committed: " in said
    assert "to do:" not in said
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "origin.git"], check=True)
    *script, doctor = block_with(ADOPT, "hallmark doctor")
    said = typed(script, tmp_path)
    assert "policy: pass" in said
    assert "0 problems" in said
    assert doctor == "hallmark doctor"
    command = [BIN / "hallmark", "doctor", "-C", "desk"]
    examined = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "DVC remote store" in examined.stdout, examined.stdout + examined.stderr


def test_every_import_as_printed(tmp_path: Path) -> None:
    for folder in ("promptfoo", "lm_eval"):
        shutil.copytree(ASSETS / folder, tmp_path / "desk", dirs_exist_ok=True)
    shutil.copytree(ASSETS / "taxonomy", tmp_path / "desk" / "taxonomy")
    messages(tmp_path / "messages.csv")
    script = block_with(IMPORTS, "hallmark import promptfoo")
    said = typed(["hallmark init desk --forge none", "cd desk", *script, "hallmark check"], tmp_path)
    assert "0 problems" in said
    assert said.count("the import's record: ") == len(script) == 4


def rows(words: str) -> list[list[str]]:
    blocks = [block for block in IMPORTS.read_text().split("\n\n") if block.startswith("|")]
    (table,) = [block for block in blocks if words in block.splitlines()[0]]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_documented_formats_are_the_real_ones() -> None:
    assert {row[0].strip("`") for row in rows("the right answer")} == {*Format}


@pytest.mark.parametrize(("column", "shares"), [(1, LABELLED), (2, SHARES_TINY), (3, SHARES)])
def test_the_documented_shares_are_the_real_ones(column: int, shares: dict[str, float]) -> None:
    said = {row[0].replace("held-out", "heldout"): row[column].partition(",")[0] for row in rows("a labelled file")}
    assert {part: float(share) for part, share in said.items() if share} == {str(part): n for part, n in shares.items()}


def test_the_documented_assertions_are_the_real_ones() -> None:
    named = {name for row in rows("assertion") for name in re.findall(r"`([a-z-]{2,})`", row[0])}
    assert named == {name.replace("icontains", "contains") for name in {*MAPPED, *JUDGED}}
