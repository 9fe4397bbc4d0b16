"""Records written by the first release stay verifiable, offline, from their root of trust, for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "assets" / "golden" / "v1"
PROGRAM = "from runner.cli.main import main; main()"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    command = ["git", "clone", "-q", "-b", "main", str(GOLDEN / "registry.bundle"), str(tmp_path / "clone")]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "clone"


def verified(clone: Path, *, root: str = EXPECTED["root"]) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-c", PROGRAM, "verify", "--root", root, "--json"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def test_the_first_release_still_verifies(clone: Path) -> None:
    code, found = verified(clone)
    assert (code, found["outcome"], found["reasons"]) == (0, "pass", [])
    assert found["promotions"] == EXPECTED["promotions"] == ["desk/1", "desk/2", "desk/3"]
    assert found["commits"] == EXPECTED["commits"]


def test_it_has_a_promotion_a_rollback_and_a_revocation(clone: Path) -> None:
    records = [(clone / f"clusters/desk/promotions/{number}/record.yaml").read_text() for number in (1, 2, 3)]
    assert ["kind: rollback" in record for record in records] == [False, False, True]
    assert (clone / "policy/revoked").read_text().endswith(" lost\n")
    assert (GOLDEN / "registry.bundle").stat().st_size < 300_000


def test_it_verifies_from_no_other_root_and_not_without_a_tag(clone: Path) -> None:
    assert verified(clone, root="0" * 64)[0] == 1
    subprocess.run(["git", "update-ref", "-d", "refs/tags/promotions/desk/2"], cwd=clone, check=True)
    code, found = verified(clone)
    assert (code, found["outcome"]) == (1, "refuse")
    assert "no tag promotions/desk/2" in found["reasons"][0]["problem"]


def test_no_private_key_is_kept() -> None:
    for path in GOLDEN.parent.rglob("*"):
        assert path.is_dir() or b"PRIVATE KEY" not in path.read_bytes()
