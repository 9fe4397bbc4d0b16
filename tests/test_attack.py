"""The corpus of `make attack` does not rot: one case of each step is played here, and a few of what must pass."""

from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.records.verdict import Outcome
from runner.rules.trust import verification
from tests.attack import triage
from tests.attack.case import Expected
from tests.attack.desk import PROGRAM, Desk
from tests.attack.flips import flips
from tests.attack.table import ALL_STARTS, BY_NAME, CASES, play, starts

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "trust.md").read_text()
HONEST = ("honest-squash", "policy-renewed", "clone-configuration")
SLICE = (*{case.step: case.name for case in reversed(CASES) if case.step}.values(), "bytes-swapped", *HONEST)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Desk]:
    return starts(tmp_path_factory.mktemp("starts"), ALL_STARTS)


@pytest.mark.parametrize("name", SLICE)
def test_a_case_of_each_step(name: str, begun: dict[str, Desk], tmp_path: Path) -> None:
    case = BY_NAME[name]
    row = play(case, begun[case.start], tmp_path)
    assert not row.wrong, f"{row}\n{row.said}"


def test_a_bit_of_each_member(begun: dict[str, Desk], tmp_path: Path) -> None:
    rows = flips(begun["promoted"].copy(tmp_path / "desk"), count=32, seed=7)
    assert [row for row in rows if row.wrong] == []
    assert {"record", "envelope", "tag", "receipt", "adapter bytes"} <= {row.case.split(": ")[0] for row in rows}


def test_a_bit_of_what_people_decided(begun: dict[str, Desk], tmp_path: Path) -> None:
    """Any bit of the list, the review or the envelope: what is merged is what its reviewer signed, or it is not."""
    desk = begun["triage"].copy(tmp_path / "desk")
    honest, source = triage.files(desk), random.Random(11)
    new = desk.git.commit_files([desk.main], honest, "Triage\n")
    assert desk.judge(new, now=desk.now).outcome is Outcome.PASS
    for path in honest:
        for _ in range(20):
            data = bytearray(honest[path])
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
            new = desk.git.commit_files([desk.main], {**honest, path: bytes(data)}, "Flipped\n")
            assert desk.judge(new, now=desk.now).outcome is Outcome.REFUSE, bytes(data)


def test_a_clone_shows_who_signed_which_review(begun: dict[str, Desk], tmp_path: Path) -> None:
    desk = begun["triage"].copy(tmp_path / "desk")
    desk.land(desk.git.commit_files([desk.main], triage.files(desk), "Triage\n"))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(desk.origin), str(clone)], check=True, capture_output=True)
    done = desk.hallmark("verify", "--root", desk.root_sha256, where=clone)
    assert done.returncode == 0, done.stderr
    assert "alice decided 2 candidates of desk/it-1, signed" in done.stdout.splitlines()
    told = json.loads(desk.hallmark("verify", "--root", desk.root_sha256, "--json", where=clone).stdout)
    assert told["reviews"] == ["desk/it-1 alice 2"]


def test_the_corpus_is_large_and_most_of_it_must_fail() -> None:
    fail = [case for case in CASES if case.expected is not Expected.PASS]
    assert len(CASES) >= 100
    assert len(fail) >= 0.7 * len(CASES)
    assert len(BY_NAME) == len(CASES), "two cases have one name"
    assert all(case.does.endswith(".") for case in CASES)


def test_every_step_and_rule_of_the_gate_has_a_case() -> None:
    text = verification.__doc__ or ""
    rules = re.findall(r"\b(\d+\.\d+)\b", text)
    steps = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    attacked = {case.step.split()[0] for case in CASES if case.step}
    families = {step.split(".")[0] for step in attacked}
    assert set(steps) <= families
    assert set(rules) <= attacked


# docs/trust.md


def told() -> dict[str, set[str]]:
    """Every case that the page's tables of attacks name, and the words of its row's step."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")
    ]
    return {
        name: set(re.findall(r"\w+", row[2]))
        for row in cells
        if len(row) == 4
        for name in re.findall(r"`([a-z0-9-]+)`", row[3])
    }


def test_the_page_and_the_corpus_name_the_same_cases() -> None:
    attacks = {case.name for case in CASES if case.expected is not Expected.PASS}
    assert attacks - set(told()) == set(), "the page does not say what these are about"
    assert set(told()) - attacks == set(), "the page names attacks that are not there"


def test_the_page_says_by_which_step() -> None:
    for name, words in told().items():
        case = BY_NAME[name]
        step = "exit" if case.expected is Expected.COULD_NOT else case.step.split()[0].split(".")[0]
        assert step in words, name


def auditor() -> list[str]:
    """The command lines of the page's auditor, continued lines joined."""
    block = re.search(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert block
    lines = block[1].replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def test_an_auditor_needs_nothing_but_the_page(begun: dict[str, Desk], tmp_path: Path) -> None:
    """The page's commands, as printed, in a shell: only the address, the root and `hallmark` are the test's."""
    desk = begun["twice"].copy(tmp_path / "desk")
    program = tmp_path / "bin" / "hallmark"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -c "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    said = {"REPOSITORY": str(desk.origin), "ROOT": desk.root_sha256, "CLUSTER": "desk", "SEQ": "1"}
    text = "set -eu\n" + "\n".join(auditor())
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=tmp_path,
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(tmp_path), **said},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 promotions verified: pass" in done.stdout
    assert 'Good "git" signature for gate' in done.stdout + done.stderr
    assert 'Good "hallmark-receipt@v1" signature for gate' in done.stdout + done.stderr
