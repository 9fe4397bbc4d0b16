"""The table of phases: DVC is told the same, and a stage sees what it declares and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runner.errors import PhaseOrderError
from runner.ledger import PHASES as LEDGER_PHASES
from runner.pipeline import NAMES, PHASES, Stage, perform
from runner.ports import Output
from runner.records.artifact import ARTIFACTS, Keeper
from runner.records.scenario import SetName
from runner.rules.repository.benchmark import OPTIONAL

ROOT = Path(__file__).parents[1]
STAGES = [stage for phase in PHASES for stage in phase.stages]
REVIEWED = {
    "problem": "clusters/${key}/problem.md",
    "lock": "clusters/${key}/benchmark.lock",
    "triage": "clusters/${key}/triage",
    "promotions": "clusters/${key}/promotions",
    "rubrics": "rubrics",
}


def place(artifact: str) -> str:
    return f"clusters/${{key}}/{ARTIFACTS[artifact].path}"


def declared() -> dict[str, dict[str, object]]:
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def test_thirteen_phases_in_the_ledgers_order():
    assert NAMES == LEDGER_PHASES
    assert [phase.number for phase in PHASES] == list(range(1, 14))


def test_dvc_has_a_stage_for_each_and_no_other():
    assert list(declared()) == [stage.name for stage in STAGES]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_dvc_knows_what_the_stage_reads_writes_and_turns_on(stage):
    row = declared()[stage.name]
    assert row["foreach"] == "${clusters}"
    do = row["do"]
    assert do["cmd"] == f"hallmark phase {stage.name} ${{key}}"
    reads = {"clusters/${key}/cluster.yaml", *(REVIEWED[name] for name in stage.reviewed)}
    whole = bool(OPTIONAL & set(stage.sets))  # DVC asks for every dependency, and a cluster may lack a set
    sets = {"scenarios/${key}"} if whole else {f"scenarios/${{key}}/{name}" for name in stage.sets}
    reads |= sets | {place(name) for name in stage.reads}
    assert set(do["deps"]) == reads
    wanted = {"clusters.${key}" if name == "*" else f"clusters.${{key}}.{name}" for name in stage.params}
    assert set(do.get("params", [])) == wanted
    outs = {}
    for kind in ("outs", "metrics", "plots"):
        for out in do.get(kind, []):
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            outs[path] = options.get("cache", True)
    assert outs == {place(name): ARTIFACTS[name].keeper is Keeper.DVC for name in stage.writes}


def test_every_artifact_a_phase_makes_is_made_once():
    written = [name for stage in STAGES for name in stage.writes]
    assert sorted(written) == sorted(name for name, artifact in ARTIFACTS.items() if artifact.path.startswith("run/"))


def test_nothing_is_read_before_it_is_written():
    known = {name for name, artifact in ARTIFACTS.items() if artifact.path.startswith("data/")}
    for stage in STAGES:
        assert set(stage.reads) <= known, stage.name
        known |= set(stage.writes)


@pytest.mark.parametrize("name", ["diagnose", "rubrics", "expand"])
def test_what_aims_training_sees_core_alone(name):
    stage = next(stage for stage in STAGES if stage.name == name)
    assert stage.sets == (SetName.CORE,)
    assert not {"baseline-answers", "baseline", "answers", "scorecard"} & set(stage.reads)


@pytest.mark.parametrize("name", ["base", "sweep", "train"])
def test_selection_looks_at_dev_alone(name):
    stage = next(stage for stage in STAGES if stage.name == name)
    assert stage.sets == (SetName.DEV,)


def test_a_stage_that_reads_more_than_it_declares_is_stopped(workspace, artifacts, ports):
    def greedy(inputs, ports):
        return Output({"ingest": inputs.artifacts.digest("traces")})

    with pytest.raises(PhaseOrderError, match="asked for `traces`"):
        perform(Stage("greedy", greedy, ("gold",), ("ingest",)), workspace, artifacts, ports)


def test_a_stage_that_writes_less_than_it_declares_is_stopped(workspace, artifacts, ports):
    with pytest.raises(PhaseOrderError, match="wrote"):
        perform(Stage("lazy", lambda inputs, ports: Output({}), (), ("ingest",)), workspace, artifacts, ports)


def test_a_stage_has_only_the_sets_it_declares(workspace, artifacts, ports):
    seen = []

    def look(inputs, ports):
        seen.extend(inputs.workspace.scenarios)
        return Output({})

    perform(Stage("look", look, (), (), sets=(SetName.CORE,)), workspace, artifacts, ports)
    assert seen == [SetName.CORE]
