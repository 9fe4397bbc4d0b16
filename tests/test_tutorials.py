"""The tutorials as they stand in docs/, played from the first command to the last.

What needs real models is left out here, or has simulated ones; `tests/acceptance/test_tutorials.py` plays it all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.demo import CLUSTER, Demo, Until
from tests.acceptance import test_tutorials as acceptance
from tests.desk_repository import clone, git
from tests.governed_desk import PEOPLE, GovernedDesk
from tests.played import Command, Stage, Written, same, steps
from tests.printed import ROOT

TUTORIALS = ROOT / "docs" / "tutorials"
PRACTICE = "hallmark demo --directory build/practice --until"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    (tmp_path / "home").mkdir()
    return Stage(tmp_path / "checkout", tmp_path / "home")


def test_the_domain_owner_s_tutorial_goes_as_printed(stage: Stage) -> None:
    """As far as no iteration is needed, in the world that the page begins with."""
    played = Demo(stage.practice, ROOT, lambda line: None)
    stage.stand_ins = {f"{PRACTICE} triage": lambda: played.practice(Until.START)}
    assert stage.play(TUTORIALS / "domain-owner.md", before="## Decide on candidates") == 13


@pytest.mark.acceptance
def test_the_approver_s_tutorial_goes_as_printed(stage: Stage) -> None:
    """On the small desk, whose models are simulated: its figures are others than the page's."""
    stage.figures = False
    stage.stand_ins = {f"{PRACTICE} proposal": lambda: proposed(stage.practice)}
    assert stage.play(TUTORIALS / "approver.md") > 25


def test_the_platform_engineer_s_tutorial_goes_as_printed(stage: Stage) -> None:
    """To where training begins."""
    stage.checkout.mkdir()
    (stage.checkout / "scenarios").symlink_to(ROOT / "scenarios")
    assert stage.play(TUTORIALS / "platform-engineer.md", before="## Run an iteration") == 26


def proposed(practice: Path) -> None:
    """The small desk where `--until proposal` would stop, with a clone for each person."""
    practice.mkdir(parents=True)
    desk = GovernedDesk(practice, CLUSTER, {**PEOPLE, "linden": "approver,on-call"}).make(
        stages={"enter": "production"}
    )
    assert desk.turn().verdict.passed
    desk.propose()
    (practice / "keys").mkdir()
    for name in (*desk.roles, "ci"):
        shutil.copy(desk.key(name), practice / "keys" / name)
    for name in ("ash", "hazel", "linden"):
        clone(practice, name)
        for key, value in (("user.name", name), ("user.email", f"{name}@example.com")):
            git(practice / name, "config", key, value)


def test_every_tutorial_is_played() -> None:
    """Here, and to its end by the acceptance tests."""
    assert {path.stem for path in TUTORIALS.glob("*.md")} == set(acceptance.TUTORIALS)


PAGE = """
```console
$ make one
rowan$ hallmark check \\
    --json
1 file, …
```

```yaml title="a/b.yaml"
id: x
```

<!-- exits 1 -->
```console
rowan$ true
rowan$ false
```
"""


def test_what_a_page_tells_to_type_is_found() -> None:
    assert list(steps(PAGE)) == [
        Command("", "make one", "", 0),
        Command("rowan", "hallmark check --json", "1 file, …", 0),
        Written("a/b.yaml", "id: x\n"),
        Command("rowan", "true", "", 0),
        Command("rowan", "false", "", 1),
    ]


@pytest.mark.parametrize(
    ("page", "said", "figures", "alike"),
    [
        ("12 files, 0 problems, 0.3 s", "13 files,  0 problems, 1.8 s\n", True, True),
        ("12 files, 0 problems, 0.3 s", "12 files, 1 problems, 0.3 s", True, False),
        ("12 files, 0 problems, 0.3 s", "12 files, 1 problems, 0.3 s", False, True),
        ("a\n…\nz", "a\nb\nc\nz", True, True),
        ("a\n…\nz", "a\nz", True, True),
        ("a\n…\nz", "a\nb", True, False),
        ("adapter 0757c56e09ea at …: wrote", "adapter 1111c56e09ea at 9f: wrote", True, True),
        ("a", "a\nand more", True, False),
        ("Sign? [y/N]: y\nsigned: ash", "Sign? [y/N]: signed: ash", True, True),
    ],
)
def test_what_is_printed_is_compared(page: str, said: str, figures: bool, alike: bool) -> None:
    assert same(page, said, figures=figures) is alike


def test_a_page_that_says_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    stage = Stage(tmp_path, tmp_path)
    page.write_text("```console\n$ cd /\n$ pwd\n/\n```\n")
    assert stage.play(page) == 2
    page.write_text("```console\n$ echo right\nwrong\n```\n")
    with pytest.raises(AssertionError, match="the page says:\nwrong"):
        stage.play(page)
    page.write_text("```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="exited 1"):
        stage.play(page)
