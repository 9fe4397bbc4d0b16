"""What a cluster's significance policy makes the gate read of the base tip, from real git objects."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.edges.yaml_files import dump
from runner.errors import RecordError
from runner.promotion.gather import read_before
from runner.records.terms import OutcomeType, SetName
from tests.promotion_fixture import CLUSTER, MAIN, World, make_keys

PROBLEM = b"""---
gap: two queues are missed
why_not_real_data: few were labelled
metric: accuracy
threshold: 0.6
real_only_baseline:
  value: 0.81
  how: a linear classifier on dev
---
"""


def world_asking(path: Path, **policy: Any) -> World:
    """A bare origin whose cluster asks for `policy`."""
    world = World(path)
    make_keys(path / "keys")
    cluster = copy.deepcopy(CLUSTER)
    cluster["gate"]["significance"] = policy
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(world.origin)], check=True)
    files = {**world.tree(), "clusters/desk/cluster.yaml": dump(cluster), "clusters/desk/problem.md": PROBLEM}
    world.git.move({MAIN: (world.git.commit_files([], files, "Root\n"), None)})
    return world


@pytest.mark.parametrize("plain", [True, False])
def test_nothing_more_is_read_than_is_asked_for(tmp_path: Path, plain: bool) -> None:
    before = world_asking(tmp_path / "world", **({} if plain else {"effect": 0.2})).before()
    assert (before.outcome_types, before.real_only) == ({}, None)


def test_outcome_types_and_the_real_only_baseline_are_the_base_tip_s(tmp_path: Path) -> None:
    world = world_asking(tmp_path / "world", min_outcome_share=0.5, real_only="refuse")
    before = world.before()
    assert before.real_only == ("accuracy", 0.81)
    assert set(before.outcome_types) == set(before.scenarios)
    assert set(before.outcome_types.values()) <= set(OutcomeType)
    assert {name for name, _ in before.outcome_types} >= {SetName.CORE, SetName.HELDOUT}


def test_a_problem_that_cannot_be_read_is_no_promotion(tmp_path: Path) -> None:
    world = world_asking(tmp_path / "world", real_only="refuse")
    broken = world.git.commit_files([world.main], {"clusters/desk/problem.md": b"---\ngap: none\n---\n"}, "Break\n")
    with pytest.raises(RecordError, match="metric"):
        read_before(world.sources(), broken, "desk")
