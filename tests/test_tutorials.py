"""The tutorials as they stand in docs/, played from the first command to the last.

Here models are simulated and everything else is real, so figures of models are not compared; with real models the same
pages are played by `tests/acceptance/test_tutorials.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner import wiring
from runner.demo import CLUSTER, Demo, Until
from runner.edges.simulated import simulated_ports
from runner.flywheel import iterate
from tests.played import Command, Stage, Written, same, steps
from tests.printed import ROOT

TUTORIALS = ROOT / "docs" / "tutorials"
PRACTICE = "hallmark demo --directory build/practice --until"


class Rehearsed(Demo):
    """The demonstration with simulated models."""

    def _iterate(self, ci: Path) -> None:
        real = wiring.flow(ci, CLUSTER)
        iterate(replace(real, ports=replace(simulated_ports(), dump_yaml=real.ports.dump_yaml)))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "ci")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ci@example.com")
    home = tmp_path / "home"
    home.mkdir()
    made = Stage(tmp_path / "checkout", home)
    played = Rehearsed(made.practice, ROOT, lambda line: None)
    made.stand_ins = {f"{PRACTICE} {until}": lambda until=until: played.practice(until) for until in Until}
    return made


@pytest.mark.parametrize("name", ["domain-owner", "approver"])
def test_a_tutorial_goes_as_printed(stage: Stage, name: str) -> None:
    stage.figures = name == "domain-owner"
    assert stage.play(TUTORIALS / f"{name}.md") > 15


def test_every_tutorial_is_played() -> None:
    assert {path.stem for path in TUTORIALS.glob("*.md")} == {"domain-owner", "approver"}


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
