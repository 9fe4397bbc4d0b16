"""Names and texts of strangers on their way to git and to a terminal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.cli.decision import words
from runner.cli.said import reasons
from runner.errors import RecordError
from runner.promotion.decide import branch_of
from runner.promotion.sources import Sources
from runner.records.scenario import SetName
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.text.shown import shown
from tests.promotion_fixture import World, scenario_file

REFUSED = ["", "-x", "--upload-pack=x", "../x", "a/../b", "a..b", "x.lock", "a//b", "/a", "a/", "a b", "a\n", "a:b"]
REFUSED += ["a~1", "a^", "a*", "a\\b", "@{u}", "\u0430/1", "desk/\u0661", "a\u202eb", ".git", "a/.b", "refs/tags/v1"]
REFUSED += ["x" * 201]
HARMFUL = {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x200F)}


@pytest.mark.parametrize("target", REFUSED)
def test_a_target_that_is_no_branch_is_refused(target: str) -> None:
    with pytest.raises(RecordError, match="is no CLUSTER/SEQ and no branch"):
        branch_of(target)


def test_targets_are_refs() -> None:
    assert branch_of("desk/12") == "refs/heads/promote/desk/12"
    assert branch_of("harder") == branch_of("refs/heads/harder") == "refs/heads/harder"
    assert branch_of("promote/desk/3") == "refs/heads/promote/desk/3"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.text(max_size=12) | st.text("ab/.-@{~^:?*[\\ \n", max_size=8))
def test_every_ref_that_is_made_is_one_of_gits(target: str) -> None:
    try:
        ref = branch_of(target)
    except RecordError:
        return
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text())
def test_what_is_shown_moves_no_cursor(text: str) -> None:
    made = shown(text)
    assert not set(made) & {
        chr(code) for code in (*range(10), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x200F)
    }
    made.encode()


def test_an_approver_sees_what_was_written_not_what_it_does_to_the_terminal() -> None:
    evil = "\x1b[2J\x1b[Hpass\u202e"
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="7", problem=f"bob rejects it: {evil}", hint=evil),))
    for text in ("\n".join(reasons(verdict)), words({"risks": [evil, "x" * 100], "person": evil})):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\u001b[2J" in text


def test_a_field_inside_a_quoted_text_is_not_the_field(tmp_path: Path) -> None:
    """What the gate reads of a scenario without parsing is what the parser reads of it."""
    world = World(tmp_path / "world")
    world.create()
    good = scenario_file("core-00", "refund")
    fake = good.replace(b"capability: refund\n", b'"cap\\x61bility": refund\n').replace(
        b"objective: Find the right answer.", b'objective: "Find\ncapability: order-status\nit"'
    )
    path = "scenarios/desk/core/core-00.yaml"
    new = world.git.commit_files([world.main], {path: fake, "scenarios/desk/stray.yaml": good}, "Two readings\n")
    sources: Sources = world.sources()
    assert sources.scenarios(new, "desk")[(SetName.CORE, "core-00")] == "refund"


def test_a_copy_of_a_scenario_that_is_no_yaml_takes_nothing_from_it(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.create()
    good = scenario_file("core-00", "refund")
    copies = {"scenarios/desk/core/a.txt": good, "scenarios/desk/core/core-00.yaml": good}
    for files in (copies, dict(reversed(copies.items()))):
        first = dict([next(iter(files.items()))])
        sources: Sources = world.sources()
        sources.scenarios(world.git.commit_files([world.main], first, "One\n"), "desk")
        new = world.git.commit_files([world.main], files, "Both\n")
        assert sources.scenarios(new, "desk")[(SetName.CORE, "core-00")] == "refund"
