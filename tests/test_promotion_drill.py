"""The rollback drill, and the rollback that proposes itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.edges.scratch import scratch_repository
from runner.errors import DataError, GitError, RecordError, VerificationError
from runner.promotion.propose import Staging
from runner.promotion.watch import Watched, rollback_if_below
from runner.records.evidence import EvidenceFile, RollbackDrill
from runner.records.scenario import SetName
from runner.records.score import Baseline, ModelScores, SetScore
from runner.rules.canonical import canonical
from tests.promotion_fixture import LATER, World
from tests.staged_fixture import Line, jsonl, later, lines

SECONDS = 10.0
"""What a drill takes at most on a busy machine; alone it takes half a second."""


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two adapters, straight into production one after the other."""
    world = World(tmp_path_factory.mktemp("drill") / "world")
    world.create()
    for sequence, people in ((1, ("alice", "bob")), (2, ("alice", "carol"))):
        world.propose(world.staged(world.staging(f"it-{sequence}")), sequence=sequence, check=True)
        world.approve(*people, sequence=sequence)
        world.land(world.merge(sequence=sequence))
        world.reconcile(now=later(LATER, minutes=sequence))
    world.now = later(LATER, hours=1)
    return world


@pytest.fixture
def world(promoted: World, tmp_path: Path) -> World:
    made = promoted.copy(tmp_path / "world")
    made.now = promoted.now
    return made


def drill_of(staging: Staging) -> RollbackDrill:
    return RollbackDrill.model_validate_json(staging.evidence[EvidenceFile.DRILL])


def adapter(world: World, sequence: int) -> str:
    found = world.before().records[sequence].adapter
    assert found is not None
    return found.sha256


# the drill


def test_a_drill_brings_the_serving_adapters_bytes_back(world: World) -> None:
    refs = world.git.refs("refs/")
    staging = world.staging("it-3")
    done = drill_of(staging)
    recorded = world.before().records[2].adapter
    assert recorded is not None
    assert (done.to_sequence, done.to_adapter, done.problems) == (2, recorded.sha256, ())
    assert done.files == len(recorded.files)
    assert done.bytes == sum(file.size for file in recorded.files.values())
    assert done.signed_by == 1
    assert 0 < done.measured.merge < done.measured.total < SECONDS
    assert {name: tip for name, tip in world.git.refs("refs/").items() if "ledger" not in name} == {
        name: tip for name, tip in refs.items() if "ledger" not in name
    }


def test_the_first_promotion_rehearses_the_way_to_the_bare_base(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.create()
    done = drill_of(world.staging())
    assert (done.to_sequence, done.to_adapter, done.files, done.problems) == (0, None, 0, ())


def test_a_drill_with_wrong_bytes_fails_and_is_not_proposed(world: World) -> None:
    for path in (world.path / "adapters" / adapter(world, 2)).iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
    staging = world.staging("it-3")
    done = drill_of(staging)
    assert done.problems
    assert (done.files, done.bytes) == (0, 0)
    with pytest.raises(VerificationError, match=r"8\.11 rollback drill"):
        world.propose(world.staged(staging), sequence=3, check=True)


def test_a_drill_needs_bytes(world: World) -> None:
    for path in (world.path / "adapters" / adapter(world, 2)).iterdir():
        path.unlink()
    (world.path / "adapters" / adapter(world, 2)).rmdir()
    with pytest.raises((DataError, FileNotFoundError)):
        world.staging("it-3")


def test_a_scratch_repository_reads_the_real_objects_and_writes_none(world: World) -> None:
    with scratch_repository(world.origin) as (scratch, keys):
        assert scratch.read(world.main, "README.md") == b"# desk\n"
        made = scratch.commit_files([world.main], {"README.md": b"other\n"}, "Scratch\n")
        folder = keys.parent
    assert not folder.exists()
    with pytest.raises(GitError):
        world.git.commit(made)


# the rollback that proposes itself


def watch(world: World, results: bytes, name: str = "runs/baseline.json") -> Watched:
    return rollback_if_below(world.sources(), world.git, world.main, "desk", results=results, path=name, remote=None)


def baseline(of: str | None, *, core: float = 0.9, heldout: float = 0.9) -> bytes:
    sets = {
        name: SetScore(scenarios=10, passed=9, composite=value, capabilities={"refund": value})
        for name, value in ((SetName.CORE, core), (SetName.HELDOUT, heldout))
    }
    models = {"base": ModelScores(adapter=None, sets=sets), "incumbent": ModelScores(adapter=of, sets=sets)}
    return canonical(Baseline(models=models))


def test_nothing_is_proposed_while_what_serves_holds(world: World) -> None:
    assert watch(world, baseline(adapter(world, 2))) == Watched()


@pytest.mark.parametrize(
    ("figures", "below"),
    [
        ({"core": 0.69}, ("composite 0.6900 on core is below 0.7000",)),
        ({"heldout": 0.5}, ("composite 0.5000 on heldout is below 0.7000",)),
    ],
)
def test_a_rollback_is_proposed_when_a_later_baseline_falls(
    figures: dict[str, float], below: tuple[str, ...], world: World
) -> None:
    found = watch(world, baseline(adapter(world, 2), **figures))
    assert found.below == below
    assert found.staging is not None
    assert (found.staging.restores, found.staging.branch) == (1, "refs/heads/rollback/desk/3")
    trigger = json.loads(found.staging.evidence[EvidenceFile.TRIGGER])
    assert (trigger["adapter"], trigger["file"], trigger["below"]) == (adapter(world, 2), "baseline.json", list(below))
    assert below[0] in json.loads(found.staging.evidence[EvidenceFile.ROLLBACK])["when"]


def test_people_sign_what_proposed_itself(world: World) -> None:
    results = baseline(adapter(world, 2), core=0.1)
    staging = watch(world, results).staging
    assert staging is not None
    world.propose(world.staged(staging), by="ci", sequence=3, check=True, branch=staging.branch)
    assert watch(world, results) == Watched(below=watch(world, results).below, branch=staging.branch)
    refused = world.judge(world.merge(branch=staging.branch), now=world.now)
    assert [reason.step for reason in refused.reasons] == ["7 quorum"]
    world.approve("carol", target="rollback/desk/3")
    new = world.merge(branch=staging.branch)
    assert world.judge(new, now=world.now).reasons == ()
    world.land(new)
    world.reconcile(now=world.now)
    assert world.incumbent().adapter == adapter(world, 1)
    assert watch(world, baseline(adapter(world, 1))) == Watched()


def test_an_open_promotion_does_not_stand_in_the_way_of_a_rollback(world: World) -> None:
    world.propose(world.staged(world.staging("it-3")), sequence=3, check=True)
    staging = watch(world, baseline(adapter(world, 2), core=0.1)).staging
    assert staging is not None
    world.propose(world.staged(staging), by="ci", sequence=3, check=True, branch=staging.branch)
    world.approve("carol", target="rollback/desk/3")
    assert world.judge(world.merge(branch=staging.branch), now=world.now).reasons == ()


def test_traffic_under_the_threshold_proposes_too(world: World) -> None:
    def wrong(rows: list[Line], share: int) -> bytes:
        for row in rows[::share]:
            row["results"][0]["answer"] = "no"
        return jsonl(rows)

    def rows() -> list[Line]:
        return lines(adapter(world, 2), None, start=LATER, count=240)

    assert watch(world, wrong(rows(), 10), "results.jsonl") == Watched()
    assert watch(world, wrong(rows(), 2), "results.jsonl").below == ("agreement 0.5000 is below 0.7000",)


def test_results_that_say_nothing_of_what_serves_are_refused(world: World) -> None:
    with pytest.raises(RecordError, match="no scores of the serving adapter"):
        watch(world, baseline(adapter(world, 1), core=0.1))
    with pytest.raises(RecordError, match="too few"):
        watch(world, jsonl(lines(adapter(world, 2), None, start=LATER, count=20)), "results.jsonl")
    with pytest.raises(RecordError, match=r"Extra inputs|Field required"):
        watch(world, b'{"models": {"incumbent": {}}}')


def test_nothing_serving_is_nothing_to_watch(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.create()
    with pytest.raises(RecordError, match="serves no adapter"):
        watch(world, baseline(None))


def test_the_trigger_is_attested(world: World) -> None:
    staging = watch(world, baseline(adapter(world, 2), core=0.1)).staging
    assert staging is not None
    files = world.staged(staging)
    home = "clusters/desk/promotions/3/evidence/"
    forged = {**files, f"{home}{EvidenceFile.TRIGGER}": b"{}"}
    with pytest.raises(VerificationError, match="is not the recorded bytes"):
        world.propose(forged, sequence=3, check=True)
    with pytest.raises(VerificationError, match="rollback contract"):
        world.propose(world.staged(replace(staging, evidence={})), sequence=3, check=True)
