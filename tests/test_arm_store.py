"""An arm that is the same again is not trained again, and never another one's adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges import arm_store
from runner.edges.arm_store import LocalArms
from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.edges.simulated_models import SimulatedModels
from runner.phases import p10_sweep
from runner.ports import KeptArm, Output, Ports, Tree
from runner.records.training import TrainingRecord
from runner.rules.data.mixture import TrainingKey
from runner.workspace import Inputs, Workspace
from tests.flywheel_fixture import fixture
from tests.test_phases import run_all

ARMS = 5


@pytest.fixture(scope="module")
def desk() -> tuple[Workspace, dict[str, Any]]:
    space, values = fixture()
    run_all(space, values, upto="triage")
    return space, values


def sweep(space: Workspace, values: dict[str, Any], store: Path) -> tuple[Output, int]:
    """The sweep, and how many adapters it trained."""
    models = SimulatedModels()
    ports: Ports = replace(simulated_ports(), models=models, arms=LocalArms(store))
    output = p10_sweep.run(Inputs(space, MemoryArtifacts(values)), ports)
    return output, models.calls.count("fit")


def test_the_same_sweep_trains_nothing_and_says_the_same(desk: Any, tmp_path: Path) -> None:
    space, values = desk
    first, trained = sweep(space, values, tmp_path)
    assert (trained, "reused" in first.measured) == (ARMS, False)
    again, trained = sweep(space, values, tmp_path)
    assert trained == 0
    assert set(again.measured["reused"]) == set(first.measured["training_s"])
    assert again.measured["training_s"] == first.measured["training_s"], "what it took is what it took"
    assert again.artifacts == first.artifacts


def test_what_an_arm_depends_on_makes_another(desk: Any, tmp_path: Path) -> None:
    space, values = desk
    sweep(space, values, tmp_path)
    recipe = space.params.train.model_copy(update={"rank": 4})
    changes = {
        "recipe": replace(space, params=space.params.model_copy(update={"train": recipe})),
        "seed": replace(space, params=space.params.model_copy(update={"seed": 8})),
        "threads": replace(space, params=space.params.model_copy(update={"threads": 1})),
        "instruction": replace(space, cluster=space.cluster.model_copy(update={"instruction": "Be brief."})),
    }
    for what, changed in changes.items():
        assert sweep(changed, values, tmp_path)[1] == ARMS, what
    fewer = {**values, "gold": values["gold"][1:]}
    assert 0 < sweep(space, fewer, tmp_path)[1] < ARMS, "the control shows no gold: it alone is the same"
    limits = space.cluster.model_copy(update={"human_floor": 0.5})
    assert sweep(replace(space, cluster=limits), values, tmp_path)[1] == 0, "a limit changes no adapter"


def test_a_killed_sweep_goes_on_with_the_arms_it_has(desk: Any, tmp_path: Path) -> None:
    space, values = desk

    class Killed(SimulatedModels):
        def fit(self, *args: Any, **how: Any) -> Any:
            if self.calls.count("fit") == 2:
                raise KeyboardInterrupt
            return super().fit(*args, **how)

    ports = replace(simulated_ports(), models=Killed(), arms=LocalArms(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        p10_sweep.run(Inputs(space, MemoryArtifacts(values)), ports)
    output, trained = sweep(space, values, tmp_path)
    assert trained == ARMS - 2
    assert output.artifacts == sweep(space, values, tmp_path / "fresh")[0].artifacts


def kept(number: int) -> KeptArm:
    adapter = Tree({"adapter_model.safetensors": b"%d" % number, "adapter_config.json": b"{}"})
    record = TrainingRecord(
        mixture="0" * 64, base="1" * 64, recipe="2" * 64, seed=number, threads=1, examples=1, tokens=1, steps=1,
        loss=(), adapter=adapter.digest, setting="3" * 64,
    )  # fmt: skip
    return KeptArm(adapter, record, 1.5)


def test_damaged_bytes_and_records_are_not_taken(tmp_path: Path) -> None:
    store, arm = LocalArms(tmp_path), kept(1)
    key = TrainingKey.of(arm.record)
    assert store.find(key) is None
    store.keep(arm)
    assert store.find(key) == arm
    (home,) = tmp_path.iterdir()
    (home / "adapter_model.safetensors").write_bytes(b"another")
    assert store.find(key) is None
    store.keep(arm)
    (home / "training.json").write_bytes(b"[]")
    assert store.find(key) is None
    store.keep(arm)
    home.rename(tmp_path / "moved")
    other = kept(2)
    (tmp_path / "moved").rename(tmp_path / arm_store._name(TrainingKey.of(other.record)))
    assert store.find(TrainingKey.of(other.record)) is None, "it stands where another is looked for"


def test_only_the_last_used_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_store, "KEPT", 3)
    store = LocalArms(tmp_path)
    arms = [kept(number) for number in range(4)]
    for arm in arms[:3]:
        store.keep(arm)
    store.find(TrainingKey.of(arms[0].record))
    store.keep(arms[3])
    found = [store.find(TrainingKey.of(arm.record)) is not None for arm in arms]
    assert found == [True, False, True, True]
