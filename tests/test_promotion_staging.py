"""A promotion staged from what an iteration left on its run branch and in DVC."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.edges.bases import base_digest
from runner.edges.yaml_dump import dump
from runner.errors import DataError, ExitCode, RecordError, exit_code
from runner.ports import Model, Tree
from runner.records.cluster import HubBase, PathBase, TinyBase
from runner.records.evidence import EvidenceFile
from runner.records.intake import Incumbent, Intake
from runner.records.step import Step
from runner.records.training import BaseTraining
from runner.records.verdict import Verdict
from runner.rules.canonical import canonical, digest, tree_digest
from runner.rules.trust.evidence import OUTSIDE_BUNDLE
from runner.wiring import promotion
from tests import evidence_fixture
from tests.adapter_fixture import adapter_files, base_files
from tests.promotion_fixture import BENCHMARK, World, operations, store_with_dvc

RUN = "clusters/desk/run/"
BASE = base_files()
FILES = adapter_files(base=tree_digest(BASE))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A finished iteration: its branch, its ledger entries, its adapter in DVC's storage."""
    world = World(tmp_path / "world")
    world.create()
    kept = {"adapter": FILES, "base": BASE}
    pointers = {name: store_with_dvc(world.path / "storage", files) for name, files in kept.items()}
    outs = [{**one.model_dump(), "path": f"clusters/desk/run/{name}"} for name, one in pointers.items()]
    bundle = {name: data for name, data in evidence_fixture.evidence().items() if name not in set(OUTSIDE_BUNDLE)}
    training = evidence_fixture.training().model_copy(update={"adapter": tree_digest(FILES)})
    intake = Intake(
        cluster="desk",
        iteration="it-1",
        benchmark_version=1,
        benchmark_sha256=BENCHMARK,
        pins={},
        incumbent=Incumbent(sequence=0),
    )
    base = BaseTraining(weights=tree_digest(BASE), parameters=1, steps=1, dev_by_steps={"1": 0.5}, loss=(1.0,))
    lock = dump({"schema": "2.0", "stages": {"train@desk": {"cmd": "x", "outs": outs}}})
    files = {
        **{f"{RUN}bundle/{name}": data for name, data in bundle.items()},
        f"{RUN}intake.json": canonical(intake),
        f"{RUN}training.json": canonical(training),
        f"{RUN}sweep.json": canonical(evidence_fixture.sweep()),
        f"{RUN}diagnosis.json": canonical(evidence_fixture.diagnosis()),
        f"{RUN}base.json": canonical(base),
        f"{RUN}steps/assess.json": step({"operations": operations(9.0)}),
        f"{RUN}steps/sweep.json": step({"training_s": {"s25": 4.5}}),
        f"{RUN}steps/train.json": step({"training_s": 0.0}),
        "dvc.lock": lock,
    }
    branch = world.git.commit_files([world.main], files, "Run\n")
    world.git.move({"refs/heads/runs/desk/it-1": (branch, None)})
    world.records["bundle"] = tree_digest(bundle)
    return world


def step(measured: dict[str, Any]) -> bytes:
    return canonical(Step(iteration="it-1", phase="x", inputs={}, outputs={}, verdict=Verdict(), measured=measured))


def finish(world: World) -> None:
    world.ledger("it-1", tree_digest(FILES), world.records["bundle"])


def room(world: World) -> promotion.Room:
    return promotion.room(world.origin, store=world.path / "storage")


def test_everything_an_approver_needs_is_staged(world: World) -> None:
    finish(world)
    staging = promotion.staging(room(world), "desk")
    assert (staging.sequence, staging.iteration, staging.run.branch) == (1, "it-1", "runs/desk/it-1")
    assert staging.adapter is not None
    assert staging.adapter.sha256 == tree_digest(FILES)
    assert staging.base.dvc is not None
    assert room(world).store.objects.tree(staging.base.dvc, staging.base.sha256, where="base").files == BASE
    assert staging.human_share == evidence_fixture.sweep().human_share
    wanted = {EvidenceFile.REPORT, EvidenceFile.ROLLBACK, EvidenceFile.OPERATIONS, EvidenceFile.SWEEP_PLOT}
    assert {name.value for name in wanted} <= set(staging.evidence)
    assert json.loads(staging.evidence[EvidenceFile.OPERATIONS])["training_seconds"] == 4.5
    again = promotion.staging(room(world), "desk")
    assert again.evidence == staging.evidence


def test_an_adapter_names_the_base_that_its_record_names() -> None:
    """The gate holds the one against the other; `wiring_promotion` makes the record of the same values."""
    path = PathBase(kind="path", path="bases/desk", sha256="e" * 64)
    hub = HubBase(kind="hub", id="example/base", revision="f" * 40)
    assert base_digest(Model(base=path, weights=Tree({}))) == path.sha256
    assert base_digest(Model(base=hub, weights=Tree({}))) == digest(hub)
    assert base_digest(Model(base=TinyBase(kind="tiny"), weights=Tree(BASE))) == tree_digest(BASE)


def test_an_iteration_without_a_bundle_is_not_staged(world: World) -> None:
    with pytest.raises(RecordError, match="no finished iteration"):
        promotion.staging(room(world), "desk")
    finish(world)
    with pytest.raises(RecordError, match="no bundle"):
        promotion.staging(room(world), "desk", "it-9")


def test_a_missing_run_branch_is_named(world: World) -> None:
    finish(world)
    world.git.run("update-ref", "-d", "refs/heads/runs/desk/it-1")
    with pytest.raises(RecordError, match="runs/desk/it-1"):
        promotion.staging(room(world), "desk")


def test_other_bytes_of_the_same_length_are_found(world: World) -> None:
    finish(world)
    for path in (world.path / "storage").rglob("*"):
        if path.is_file() and path.read_bytes() == FILES["adapter_model.safetensors"]:
            path.write_bytes(path.read_bytes()[:-7] + b"trojans")
    with pytest.raises(DataError, match="md5"):
        promotion.staging(room(world), "desk")


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("intake.json", b'{"cluster": "desk"}', "iteration"),
        ("training.json", b"[]", ""),
        ("sweep.json", b"{", ""),
        ("diagnosis.json", b'{"failures": 3}', "failures"),
        ("base.json", b'{"weights": "x"}', "weights"),
        ("steps/train.json", b'{"measured": 4}', "measured"),
        ("steps/assess.json", step({"operations": "none"}), "measured.operations"),
        ("steps/assess.json", step({}), "measured.operations"),
        ("steps/sweep.json", step({"training_s": 3}), "measured.operations"),
    ],
)
def test_outputs_that_were_edited_are_named_by_file_and_field(world: World, name: str, data: bytes, field: str) -> None:
    finish(world)
    ref = "refs/heads/runs/desk/it-1"
    tip = world.git.resolve(ref) or ""
    world.git.move({ref: (world.git.commit_files([tip], {f"{RUN}{name}": data}, "Edited\n"), tip)})
    with pytest.raises(RecordError) as caught:
        promotion.staging(room(world), "desk")
    assert "runs/desk/it-1" in caught.value.path
    assert caught.value.field == field or field in str(caught.value)
    assert exit_code(caught.value) is ExitCode.REFUSED
