"""The boundary that a cluster declares: which machines may work on it, and which servers may be asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runner.cli.iterate import iterate
from runner.edges import machine
from runner.edges.logs.store import Evaluations
from runner.edges.simulated import simulated_ports
from runner.edges.triage.branch import Place
from runner.edges.triage.store import ReviewFiles
from runner.edges.yaml_files import parse
from runner.errors import ExitCode, RecordError, RecordErrors
from runner.ports import MachineFacts
from runner.records.cluster import Cluster
from runner.records.endpoint import Endpoint
from runner.records.evaluation import EvaluatedModel, ModelKind
from runner.records.fleet import Fleet
from runner.records.rubric import Rubric
from runner.records.terms import SetName
from runner.records.verdict import Outcome
from runner.rules.canonical import digest
from runner.rules.evaluation.evaluations import Asked, summary
from runner.rules.judges.intake import Bench, faults
from runner.rules.loop.boundary import host_of, outside, stranger, strangers, unservable
from runner.rules.loop.trigger_facts import Unknown
from runner.rules.repository.crossref import check
from runner.wiring import flywheel, logs, triage, triggers, workbench
from runner.wiring.boundary import judged
from tests.desk_repository import CLUSTER, git, make
from tests.evidence_fixture import cluster
from tests.flywheel_fixture import fixture
from tests.judged_fixture import POLITE, SERVED, judge
from tests.test_phases import run_all

PLANT = {"boundary": "plant-7", "hosts": ["llm.plant-7.example"]}
EMBEDDED = Path(__file__).parent.parent / "clusters/support-desk/cluster.yaml"


def test_a_cluster_without_the_block_has_the_bytes_and_the_digest_that_it_had() -> None:
    path = "clusters/support-desk/cluster.yaml"
    record = parse(EMBEDDED.read_bytes(), Cluster, path=path)
    assert "fleet" not in record.model_dump(mode="json")
    assert digest(record.model_copy(update={"fleet": Fleet()})) == digest(record)
    assert digest(record.model_copy(update={"fleet": Fleet(boundary="plant-7")})) != digest(record)
    assert record.place == Fleet()
    said = Fleet(boundary="plant-7").model_dump(mode="json")
    assert said == {"boundary": "plant-7"}


@pytest.mark.parametrize(
    ("declared", "passes"),
    [((), False), (("plant-8",), False), (("plant-7",), True), (("eu", "plant-7"), True), (("PLANT-7",), False)],
)
def test_a_machine_works_only_inside(declared: tuple[str, ...], passes: bool) -> None:
    assert (outside(Fleet(boundary="plant-7"), declared) == ()) is passes
    assert outside(Fleet(), declared) == ()


def test_an_adapter_is_fetched_into_its_own_boundary_and_those_that_are_named() -> None:
    place = Fleet(boundary="plant-7", serves_in=("shop",))
    assert unservable(place, ("shop",)) == ()
    assert unservable(place, ("plant-7",)) == ()
    (reason,) = unservable(place, ("office",))
    assert "declared inside office, and only one inside plant-7 or shop may serve" in reason.problem
    assert outside(place, ("shop",)) != ()


@pytest.mark.parametrize("declared", [(), ("office",)])
def test_intake_refuses_a_machine_of_another_boundary(declared: tuple[str, ...]) -> None:
    space, values = fixture(fleet=PLANT)
    ports = simulated_ports(facts=MachineFacts("here", 8, 64.0, gpu=False, boundaries=declared))
    verdict = run_all(space, values, ports, upto="intake")["intake"].verdict
    assert (verdict.outcome, [reason.step for reason in verdict.reasons]) == (Outcome.REFUSE, ["boundary"])


def test_what_runs_the_machine_says_its_boundaries_and_no_job_overrules_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "BOUNDARY", tmp_path / "boundary")
    monkeypatch.delenv("HALLMARK_BOUNDARY", raising=False)
    assert machine.declared_boundaries() == ()
    monkeypatch.setenv("HALLMARK_BOUNDARY", "eu, plant-7 eu")
    assert machine.declared_boundaries() == ("eu", "plant-7")
    (tmp_path / "boundary").write_text("office\n")
    assert machine.ThisMachine().facts().boundaries == ("office",)
    (tmp_path / "boundary").write_text("")
    assert machine.declared_boundaries() == ()


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:8000/v1", True),
        ("https://LLM.plant-7.example:8443/v1", True),
        ("https://llm.plant-7.example.attacker.example/v1", False),
        ("https://127.attacker.example/v1", False),
        ("https://127.0.0.1.attacker.example/v1", False),
        ("https://localhost.attacker.example/v1", False),
        ("https://api.example.com/v1", False),
        ("http://10.0.0.7/v1", False),
    ],
)
def test_a_server_is_inside_on_the_machine_itself_or_where_it_is_named(url: str, inside: bool) -> None:
    server = Endpoint(id="big", url=url, model="m")
    where: dict[str, Any] = {"path": "f", "field": "url"}
    assert (list(stranger(made(), server, **where)) == []) is inside
    assert list(stranger(cluster(), server, **where)) == []


def made(**more: Any) -> Cluster:
    return Cluster.model_validate({**cluster().model_dump(), "fleet": PLANT, **more})


SERVING = {
    "engine": "openai",
    "target": "the desk",
    "endpoint": {"id": "far", "url": "https://api.example.com/v1", "model": "m"},
}
GENERATION = {"servers": [{"id": "writer", "url": "https://writer.example/v1", "model": "m", "sends": ["gold"]}]}


def test_check_and_intake_refuse_servers_outside() -> None:
    record = made(serving=SERVING, generation=GENERATION)
    found = {(one.field, one.problem) for one in check({"clusters/support-desk/cluster.yaml": record})}
    said = "on {} is outside the boundary plant-7 of support-desk"
    assert ("serving.endpoint.url", "the server far " + said.format("api.example.com")) in found
    assert ("generation.servers[0].url", "the server writer " + said.format("writer.example")) in found
    assert list(strangers(cluster())) == []
    space, values = fixture(fleet=PLANT, generation=GENERATION)
    ports = simulated_ports(facts=MachineFacts("here", 8, 64.0, gpu=False, boundaries=("plant-7",)))
    verdict = run_all(space, values, ports, upto="intake")["intake"].verdict
    assert [reason.step for reason in verdict.reasons] == ["boundary"]
    assert "generation.servers[0].url" in verdict.reasons[0].problem


def test_a_judge_outside_is_refused() -> None:
    rubric = Rubric.model_validate({"id": "tone", "title": "The tone", "status": "approved", "criteria": [POLITE]})
    found = [
        faults(Bench(made(), {SetName.CORE: frozenset({"tone"})}, {"tone": rubric}, {"tone": judge(model=model)}, {}))
        for model in (SERVED, {**SERVED, "url": "https://judge.example/v1"})
    ]
    outside = [[one for one in each if one.field == "model.url"] for each in found]
    assert [len(each) for each in outside] == [0, 1]
    assert outside[1][0].path == "rubrics/judges/tone.yaml"


def test_hosts_are_read_as_clients_read_them() -> None:
    assert host_of("https://Judge.Example:443/v1") == "judge.example"
    assert host_of("http://[fe80::1]:80/v1") == "fe80::1"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with data behind DVC, whose cluster belongs to another machine's boundary."""
    home = tmp_path_factory.mktemp("boundary")
    return make(home, fleet={"boundary": "plant-7"})


@pytest.fixture
def stranger_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BOUNDARY", tmp_path / "none")
    monkeypatch.setenv("HALLMARK_BOUNDARY", "office")


@pytest.mark.usefixtures("stranger_here")
def test_iterate_brings_and_begins_nothing_outside(desk: Path) -> None:
    data = desk / "clusters" / CLUSTER / "data"
    before = sorted(path.name for path in data.iterdir())
    result = CliRunner().invoke(iterate, [CLUSTER, "--json", "-C", str(desk)], standalone_mode=False)
    assert result.return_value is ExitCode.REFUSED
    (standing,) = json.loads(result.output)
    assert [reason["step"] for reason in standing["verdict"]["reasons"]] == ["boundary"]
    assert (
        "declared inside office, and only one inside plant-7 may work" in standing["verdict"]["reasons"][0]["problem"]
    )
    assert flywheel.ledger_store(desk).read(CLUSTER) == (), "another machine may do it: the run is not blocked"
    assert sorted(path.name for path in data.iterdir()) == before
    said = CliRunner().invoke(iterate, ["--all", "-C", str(desk)], standalone_mode=False)
    assert said.return_value is ExitCode.REFUSED
    assert "no iteration on this machine" in said.output


@pytest.mark.usefixtures("stranger_here")
def test_outside_no_data_are_brought_and_no_model_is_at_hand(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("text\nhello\n")
    space = flywheel.workspace(desk, CLUSTER)
    for refused in (
        lambda: flywheel.bring_data(desk, CLUSTER),
        lambda: flywheel.ingest(desk, CLUSTER, [tmp_path / "log.csv"], push=False),
        lambda: flywheel.ports(desk, space),
        lambda: flywheel.flow(desk, CLUSTER),
        lambda: flywheel.workbench(desk, CLUSTER),
    ):
        with pytest.raises(RecordError, match="only one inside plant-7 may work on this cluster"):
            refused()


@pytest.mark.usefixtures("stranger_here")
def test_outside_no_signal_is_looked_at_for_a_trigger(tmp_path: Path) -> None:
    outer = make(tmp_path, fleet={"boundary": "plant-7"}, triggers=[{"kind": "score-drop", "drop": 0.05}])
    found = triggers._Desk(outer, CLUSTER, "2026-03-01T00:00:00Z").production
    assert isinstance(found, Unknown)
    assert "only one inside plant-7 may work on this cluster" in found.why


@pytest.mark.usefixtures("stranger_here")
def test_outside_a_reviewer_is_told_what_is_not_brought(desk: Path) -> None:
    place = Place(main=desk, top=desk, cluster=CLUSTER, iteration="desk-one", branch="")
    store = ReviewFiles(desk, CLUSTER, "desk-one", "ash")
    found = triage.Desk(place, triage.Reviewer("ash", None, None), store).background()
    (missing,) = found.missing
    assert missing.startswith("what the iteration wrote cannot be had: ")
    assert "only one inside plant-7 may work on this cluster" in missing
    assert found.capabilities, "reviewed files are here anyway"


@pytest.mark.usefixtures("stranger_here")
def test_outside_no_answers_are_brought(tmp_path: Path) -> None:
    outer = make(tmp_path, fleet={"boundary": "plant-7"})
    git(outer, "update-ref", f"refs/heads/runs/{CLUSTER}/desk-one", "HEAD")
    asked = Asked(
        cluster=CLUSTER,
        model=EvaluatedModel(kind=ModelKind.IMPORTED, name="m"),
        engine="simulated",
        benchmark_version=1,
        benchmark_sha256=None,
        scenarios_sha256={},
        rubrics={},
    )
    kept = Evaluations(outer).keep(summary(asked, [], weights={}), [], in_git=True)
    for name in ("desk-one/candidate", kept.run.id):
        with pytest.raises(RecordError, match="only one inside plant-7 may work on this cluster"):
            logs.log_of(outer, name)
    said = workbench.benchmark_report(outer, CLUSTER).model_dump_json()
    assert "the answers of iterations: this machine is declared inside office" in said


def test_a_server_outside_is_asked_by_no_command(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BOUNDARY", tmp_path / "boundary")
    (tmp_path / "boundary").write_text("plant-7\n")
    space = flywheel.workspace(desk, CLUSTER)
    assert flywheel.ports(desk, space)
    cluster = Cluster.model_validate({**space.cluster.model_dump(), "serving": SERVING, "generation": GENERATION})
    served = judge(model={**SERVED, "url": "https://judge.example/v1"})
    with pytest.raises(RecordErrors) as refused:
        flywheel.ports(desk, replace(space, cluster=cluster, judges={"tone": served}))
    assert [(one.path, one.field) for one in refused.value.errors] == [
        (f"clusters/{CLUSTER}/cluster.yaml", "serving.endpoint.url"),
        (f"clusters/{CLUSTER}/cluster.yaml", "generation.servers[0].url"),
        ("rubrics/judges/tone.yaml", "model.url"),
    ]


def test_inside_data_are_brought(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BOUNDARY", tmp_path / "boundary")
    (tmp_path / "boundary").write_text("plant-7\n")
    assert flywheel.bring_data(desk, CLUSTER)
    assert judged(desk, CLUSTER).passed
    assert judged(desk, "no-such-cluster").passed
