"""`hallmark simulate collapse` with real models: on a cluster's own data, on a CSV file, and the same again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from runner.records.collapse import Collapse, Regime
from tests.acceptance.conftest import hallmark
from tests.acceptance.small import small_desk

pytestmark = pytest.mark.acceptance
SIZE = ("--generations", "2", "--rows", "120", "--steps", "200")


def simulated(desk: Path, *arguments: str) -> Collapse:
    done = hallmark("simulate", "collapse", "desk", *arguments, "--json", cwd=desk)
    return Collapse.model_validate(json.loads(done.stdout))


def test_two_generations_on_the_cluster_s_data_and_on_a_file(tmp_path: Path) -> None:
    desk = small_desk(tmp_path / "home") / "desk"
    found = simulated(desk, *SIZE, "--plot", str(tmp_path / "first.png"))
    replace, accumulate = (line.generations for line in found.lines)
    assert [line.regime for line in found.lines] == [Regime.REPLACE, Regime.ACCUMULATE]
    assert replace[0] == accumulate[0]
    assert replace[0].score > 0.4, "the first generation has really learnt"
    assert 0 < replace[0].tails < 1
    assert replace[2].tails < replace[0].tails, "what replaces its data writes less of the rare wording"
    assert accumulate[2].rows > 2 * replace[2].rows
    again = simulated(desk, *SIZE, "--plot", str(tmp_path / "second.png"))
    assert again == found
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    with (tmp_path / "own.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([f"message {n} about the {label}", label] for label in ("tent", "stove") for n in range(20))
    own = simulated(desk, *SIZE, "--data", str(tmp_path / "own.csv"), "--plot", str(tmp_path / "own.png"))
    assert (own.data, own.real, own.dev) == ("own.csv", 30, 10)
