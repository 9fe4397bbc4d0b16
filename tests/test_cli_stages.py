"""Stages and rollbacks as people type them: `propose --stage`, `rollback` and `status` in a clone of a real origin."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from runner.cli.propose import propose
from runner.cli.rollback import rollback
from runner.cli.status import status
from runner.errors import ExitCode
from runner.records.artifact import ARTIFACTS
from runner.records.intake import Intake
from runner.records.scenario import SetName
from runner.records.score import Baseline, ModelScores, SetScore
from runner.rules.canonical import canonical
from runner.wiring import promotion
from tests.promotion_fixture import LATER
from tests.staged_fixture import StagedWorld, jsonl, later, lines

DAY_2 = later(LATER, hours=24)
DAY_3 = later(DAY_2, hours=24)


class Clone:
    """A clone of the world's origin, and what is typed in it."""

    def __init__(self, world: StagedWorld, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.path = world, path
        subprocess.run(["git", "clone", "-q", str(world.origin), str(path)], check=True)
        monkeypatch.setattr(promotion, "now", lambda: self.world.now)

    def type(self, command: click.Command, *arguments: str, code: int = 0, key: str = "ci") -> Any:
        keys = [] if command is status else ["--key", str(self.world.path / "keys" / key)]
        subprocess.run(["git", "pull", "-q", "--ff-only"], cwd=self.path, check=True)
        done = CliRunner().invoke(
            command, [*arguments, *keys, "-C", str(self.path), "--json"], standalone_mode=False, catch_exceptions=False
        )
        assert done.return_value == code, done.output
        return json.loads(done.stdout)

    def merge(self, sequence: int, *people: str, at: str, target: str = "") -> None:
        target = target or f"desk/{sequence}"
        branch = f"refs/heads/{target}" if target.startswith("rollback/") else ""
        self.world.approve(*people, target=target)
        new = self.world.merge(sequence=sequence, branch=branch)
        assert self.world.judge(new, now=at).reasons == ()
        self.world.land(new)
        self.world.reconcile(now=at)
        self.world.now = at

    def file(self, data: bytes, name: str = "results.jsonl") -> str:
        (self.path.parent / name).write_bytes(data)
        return str(self.path.parent / name)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> StagedWorld:
    world = StagedWorld(tmp_path_factory.mktemp("cli") / "world")
    world.create()
    world.take(world.staging(), "alice", "bob", at=LATER)
    world.now = DAY_2
    return world


@pytest.fixture
def clone(template: StagedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    return Clone(template.copy(tmp_path / "world"), tmp_path / "clone", monkeypatch)


def traffic(clone: Clone, start: str) -> str:
    return clone.file(jsonl(lines(clone.world.adapter(1), clone.world.incumbent().adapter, start=start)))


def into_production(clone: Clone) -> None:
    told = clone.type(propose, "desk", "--stage", "canary", "--traffic", traffic(clone, LATER))
    assert (told["branch"], [one["step"] for one in told["waits_for"]]) == ("promote/desk/2", ["7 quorum"])
    clone.merge(2, "alice", "bob", at=DAY_2)
    clone.world.now = DAY_3
    clone.type(propose, "desk", "--stage", "production", "--traffic", traffic(clone, DAY_2))
    clone.merge(3, "bob", "carol", at=DAY_3)


def test_from_shadow_to_production_and_back(clone: Clone) -> None:
    before = clone.type(status, "desk")
    assert [(one["stage"], one["since"], one["approved_by"]) for one in before["adapters"]] == [
        ("shadow", LATER, ["alice", "bob"])
    ]
    assert before["promoted_sequence"] == 0
    into_production(clone)
    after = clone.type(status, "desk")
    assert after["promoted_sequence"] == 3
    assert after["figures_of"] == "promotion 1"
    told = clone.type(rollback, "desk/0", "--why", "refunds misrouted")
    assert (told["branch"], told["restores"]) == ("rollback/desk/4", 0)
    clone.merge(4, "carol", at=later(DAY_3, minutes=1), target="rollback/desk/4")
    told = clone.type(propose, "desk/3", "--stage", "deprecated", "--why", "it misroutes refunds")
    clone.merge(5, "alice", "bob", at=later(DAY_3, minutes=2))
    last = clone.type(status, "desk")
    assert last["promoted_sequence"] == 4
    assert [(one["stage"], one["ended"], one["since"]) for one in last["adapters"]] == [
        ("deprecated", "deprecated", later(DAY_3, minutes=2))
    ]


def test_a_rollback_is_proposed_only_where_the_results_say_so(clone: Clone) -> None:
    into_production(clone)
    serving = clone.world.adapter(1)
    rows = lines(serving, None, start=DAY_3, count=60)
    assert clone.type(rollback, "desk", "--if-below", clone.file(jsonl(rows)))["below"] == []
    for row in rows[::2]:
        row["results"][0]["answer"] = "no"
    told = clone.type(rollback, "desk", "--if-below", clone.file(jsonl(rows)), code=ExitCode.WAITING)
    assert (told["branch"], told["restores"]) == ("rollback/desk/4", 0)
    assert told["below"] == ["agreement 0.5000 is below 0.7000"]
    again = clone.type(rollback, "desk", "--if-below", clone.file(jsonl(rows)), code=ExitCode.WAITING)
    assert again["already"] is True


def test_every_clusters_last_baseline_is_watched(clone: Clone) -> None:
    assert clone.type(rollback, "--all") == [{"cluster": "desk", "below": []}]
    assert clone.type(rollback, "desk", "--unattended") == [{"cluster": "desk", "below": []}]
    into_production(clone)
    world, now = clone.world, clone.world.incumbent()
    sets = {
        name: SetScore(scenarios=9, passed=3, composite=0.4, capabilities={"refund": 0.4})
        for name in (SetName.CORE, SetName.HELDOUT)
    }
    digest = "a" * 64
    intake = Intake(
        cluster="desk", iteration="it-2", benchmark_version=1, benchmark_sha256=digest, pins={}, incumbent=now
    )
    files = {
        "intake": canonical(intake),
        "baseline": canonical(Baseline(models={"incumbent": ModelScores(adapter=now.adapter, sets=sets)})),
    }
    tree = {f"clusters/desk/{ARTIFACTS[name].path}": data for name, data in files.items()}
    world.git.move({"refs/heads/runs/desk/it-2": (world.git.commit_files([world.main], tree, "Run\n"), None)})
    world.ledger("it-2", "e" * 64, "f" * 64)
    (told,) = clone.type(rollback, "--all", code=ExitCode.WAITING)
    assert told["below"] == ["composite 0.4000 on core is below 0.7000", "composite 0.4000 on heldout is below 0.7000"]
    assert told["branch"] == "rollback/desk/4"


USAGE: dict[str, tuple[click.Command, list[str], str]] = {
    "a stage without traffic": (propose, ["desk", "--stage", "canary"], "asks for --traffic"),
    "a deprecation without a sequence": (propose, ["desk", "--stage", "deprecated", "--why", "x"], "CLUSTER/SEQ"),
    "a deprecation without a reason": (propose, ["desk/1", "--stage", "deprecated"], "say --why"),
    "a stage of every cluster": (propose, ["--all", "--stage", "canary"], "goes with a cluster"),
    "a rollback without a reason": (rollback, ["desk/1"], "say --why"),
    "a rollback to no number": (rollback, ["desk/x", "--why", "x"], "name the sequence"),
    "a rollback of nothing": (rollback, ["--why", "x"], "name a cluster"),
}


@pytest.mark.parametrize("name", USAGE)
def test_usage(name: str, template: StagedWorld) -> None:
    command, arguments, expected = USAGE[name]
    key = str(template.path / "keys" / "ci")
    with pytest.raises(click.UsageError, match=expected):
        CliRunner().invoke(
            command,
            [*arguments, "--key", key, "-C", str(template.origin)],
            standalone_mode=False,
            catch_exceptions=False,
        )
