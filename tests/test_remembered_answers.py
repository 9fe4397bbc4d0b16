"""What is remembered on a machine reaches phases and commands, is told from what was timed, and is nobody else's."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runner.edges.answer_cache import AnswerCache
from runner.edges.cached_models import CachedModels
from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.edges.simulated_models import SimulatedModels
from runner.errors import DataError
from runner.phases.common import Stopwatch, ask, base_model
from runner.pipeline import PHASES, perform
from runner.ports import Output, Ports
from runner.records.conversation import Message, Role
from runner.records.serving import Serving
from runner.wiring import flywheel
from runner.workspace import Inputs
from tests.flywheel_fixture import fixture
from tests.test_phases import run_all


@pytest.fixture(scope="module")
def desk() -> tuple[Any, dict[str, Any]]:
    space, values = fixture()
    run_all(space, values, upto="train")
    return space, values


def phase(name: str, desk: Any, ports: Ports) -> Output:
    (stage,) = (one for row in PHASES for one in row.stages if one.name == name)
    return perform(stage, desk[0], MemoryArtifacts(desk[1]), ports)


def cached(home: Path) -> tuple[Any, SimulatedModels]:
    models = SimulatedModels()
    return replace(simulated_ports(), models=CachedModels(models, AnswerCache(home))), models


def test_a_phase_that_is_run_again_asks_nothing_and_says_the_same(desk: Any, tmp_path: Path) -> None:
    bare = phase("baseline", desk, simulated_ports())
    first = phase("baseline", desk, cached(tmp_path)[0])
    ports, models = cached(tmp_path)
    again = phase("baseline", desk, ports)
    assert bare.artifacts == first.artifacts == again.artifacts
    assert models.calls == []
    asked = len(bare.artifacts["core-answers"] + bare.artifacts["dev-answers"] + bare.artifacts["baseline-answers"])
    assert again.measured["remembered_answers"] * 2 == asked, "base and incumbent are one, and are asked once"
    assert "remembered_answers" not in bare.measured


def test_throughput_is_told_by_answers_that_were_generated_then(desk: Any, tmp_path: Path) -> None:
    first = phase("assess", desk, cached(tmp_path)[0])
    ports, models = cached(tmp_path)
    again = phase("assess", desk, ports)
    assert again.artifacts == first.artifacts
    timed, before = again.measured["operations"], first.measured["operations"]
    assert models.calls.count("latency") == 1
    assert timed["seconds_per_decision"] == pytest.approx(0.001)
    assert before["seconds_per_decision"] == pytest.approx(0.001)
    assert timed["tokens_per_second"] > 0
    assert before["tokens_per_second"] > 0


def test_a_cluster_that_closes_its_set_of_answers_gets_no_other(desk: Any, tmp_path: Path) -> None:
    space, values = desk
    some = ("late-parcel", "sizing")
    serving = space.cluster.serving.model_copy(update={"choices": some})
    closed = replace(space, cluster=space.cluster.model_copy(update={"serving": serving}))
    inputs = Inputs(closed, MemoryArtifacts(values))
    prompts = [
        (Message(role=Role.USER, content=text),) for text in ("refund my money", "waist size", "where is the parcel")
    ]
    for ports in (simulated_ports(), cached(tmp_path)[0]):
        answers = ask(inputs, ports, Stopwatch(ports), base_model(inputs), prompts, "answers")
        assert set(answers.texts) == set(some)
    free = ask(Inputs(space, MemoryArtifacts(values)), ports, Stopwatch(ports), base_model(inputs), prompts, "answers")
    assert free.texts[0] == "refund"


def test_choices_stand_once_and_say_nothing_where_there_are_none() -> None:
    said = {"target": "the desk", "choices": ["a", "b", "a"]}
    with pytest.raises(ValidationError, match="a stands twice"):
        Serving.model_validate(said)
    assert "choices" not in Serving(target="the desk").model_dump(mode="json")
    assert Serving.model_validate({**said, "choices": ["a", "b"]}).choices == ("a", "b")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".hallmark").mkdir()
    (tmp_path / ".hallmark" / "note").write_text("local")
    return tmp_path


def test_what_a_repository_brings_is_not_remembered(repository: Path) -> None:
    assert isinstance(flywheel.remembering(SimulatedModels(), flywheel.own_folder(repository), "desk"), CachedModels)
    subprocess.run(["git", "add", "--force", ".hallmark/note"], cwd=repository, check=True)
    with pytest.raises(DataError, match="git rm -r --cached"):
        flywheel.own_folder(repository)


@pytest.mark.parametrize("cached", [True, False])
def test_nor_is_it_run_or_asked_where_nothing_is_cached(desk: Any, repository: Path, cached: bool) -> None:
    flywheel.ports(repository, desk[0], cached=cached)
    subprocess.run(["git", "add", "--force", ".hallmark/note"], cwd=repository, check=True)
    with pytest.raises(DataError, match="comes with the repository"):
        flywheel.ports(repository, desk[0], cached=cached)


def test_nor_is_a_link_that_it_brings_followed(repository: Path) -> None:
    (repository / "elsewhere").mkdir()
    (repository / ".hallmark").rename(repository / "old")
    (repository / ".hallmark").symlink_to("elsewhere")
    subprocess.run(["git", "add", ".hallmark"], cwd=repository, check=True)
    with pytest.raises(DataError, match="comes with the repository"):
        flywheel.own_folder(repository)


def test_the_environment_switches_it_off(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_NO_CACHE", "1")
    models = SimulatedModels()
    assert flywheel.remembering(models, flywheel.own_folder(repository), "desk") is models
