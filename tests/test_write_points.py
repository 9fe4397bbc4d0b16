"""Killed, or with the disk full, at every named point: the same command then ends as if nothing had been."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.edges.write_points import WritePoint
from tests.attack.disk import filled, small_disk
from tests.attack.kills import each_point_once, in_a_chain, kills, struck_rows
from tests.attack.ledger import KINDS, tamperings
from tests.attack.struck import Blow
from tests.attack.works import Work, works

LIGHT = ("append", "propose", "approve", "reconcile", "hook", "init")
LONGER = ("import", "ingest")
"""Each some fifteen seconds; `make attack` kills these too."""
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Work]:
    return works(tmp_path_factory.mktemp("works"))


def wrong(rows: list) -> list:
    return [row for row in rows if row.got != row.expected]


@pytest.mark.parametrize("name", [*LIGHT, *(pytest.param(name, marks=pytest.mark.acceptance) for name in LONGER)])
def test_a_command_killed_at_any_point_and_run_again_ends_the_same(every: dict[str, Work], name: str) -> None:
    rows = each_point_once(every[name], Blow.KILL)
    assert rows
    assert wrong(rows) == []


@pytest.mark.parametrize("name", ["append", "approve", "reconcile", "hook"])
def test_a_full_disk_names_the_file_and_loses_nothing(every: dict[str, Work], name: str) -> None:
    rows = each_point_once(every[name], Blow.FULL)
    assert rows
    assert wrong(rows) == []


def test_an_iteration_killed_at_every_point_in_turn_ends_the_same_and_no_point_is_left_out(
    every: dict[str, Work],
) -> None:
    turn = every["iterate"]
    strikes = turn.first_passes(Blow.KILL)
    rows = in_a_chain(turn, strikes)
    assert wrong(rows) == []
    assert struck_rows(rows) == len(strikes)
    passed = {point for work in every.values() for point in work.undisturbed[1].passed}
    assert passed == set(WritePoint), "a point that no command here comes to is not tested"


def test_every_tampering_of_a_ledger_is_found() -> None:
    rows = tamperings(3, 10 * len(KINDS), on_branch=2 * len(KINDS))
    assert wrong(rows) == []
    assert {"bytes", "chain", "receipt"} <= {row.step for row in rows}


def test_nothing_in_the_program_watches_its_write_points() -> None:
    """What a point does is decided in tests alone."""
    naming = [path.name for path in (ROOT / "runner").rglob("*.py") if re.search(r"\bwatchers\b", path.read_text())]
    assert naming == ["write_points.py"]


@pytest.mark.parametrize("name", ["append", "reconcile", "ingest"])
def test_a_disk_that_is_really_full(every: dict[str, Work], tmp_path: Path, name: str) -> None:
    try:
        with small_disk(tmp_path / "disk", mebibytes=48) as disk:
            rows = [filled(every[name], disk, leave=leave) for leave in (0, 16384)]
    except PermissionError:
        pytest.skip("this process may not mount a tmpfs")
    assert wrong(rows) == []
    assert any("stopped" in row.case for row in rows)


@pytest.mark.acceptance
@pytest.mark.parametrize("name", [*LIGHT, *LONGER, "init with a cluster", "iterate"])
def test_a_disk_with_ever_more_room_left(every: dict[str, Work], tmp_path: Path, name: str) -> None:
    leaves = [0, *(4096 * 2**at for at in range(9))]
    with small_disk(tmp_path / "disk", mebibytes=64) as disk:
        rows = [filled(every[name], disk, leave=leave) for leave in leaves]
    assert wrong(rows) == []


@pytest.mark.acceptance
def test_a_workspace_with_a_cluster_killed_at_any_point_and_run_again_ends_the_same(every: dict[str, Work]) -> None:
    rows = each_point_once(every["init with a cluster"], Blow.KILL)
    assert rows
    assert wrong(rows) == []


@pytest.mark.acceptance
@pytest.mark.parametrize("name", ["propose", "init", *LONGER, "init with a cluster", "iterate"])
def test_a_full_disk_at_every_point_of_the_longer_commands(every: dict[str, Work], name: str) -> None:
    if name == "iterate":
        rows = in_a_chain(every[name], every[name].first_passes(Blow.FULL))
    else:
        rows = each_point_once(every[name], Blow.FULL)
    assert wrong(rows) == []


@pytest.mark.acceptance
def test_two_hundred_kills() -> None:
    rows = kills(5, 200)
    assert struck_rows(rows) == 200
    assert wrong(rows) == []
