"""`status` and `why` on a real repository: reviewed files, a ledger branch, a promotion and a run branch."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from runner.cli.status import status
from runner.cli.why import why
from runner.errors import RecordError
from runner.ledger import PHASES, History
from runner.records.conversation import Message, Role
from runner.records.evidence import EvidenceFile
from runner.records.graders import Exact
from runner.records.intake import Incumbent
from runner.records.ledger import Entry, EntryKind
from runner.records.lineage import LineageNode
from runner.records.params import ClusterParams, Params
from runner.records.promotion import AdapterRecord, BaseId, BenchmarkId, FileDigest, PromotionRecord, RunSource
from runner.records.rubric import Criterion, Rubric, RubricStatus
from runner.records.scenario import Origin, OutcomeType, Scenario, SetName, Severity
from runner.records.schemas import schema
from runner.records.triage import TriageResult
from runner.wiring import flywheel
from runner.wiring.evidence import promoted, sequences
from tests.evidence_fixture import PROBLEM, A, B, C, begun, cluster, evidence, funnel, lineage, validation


def git(directory: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True)


def put(root: Path, path: str, data: bytes | str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data.encode() if isinstance(data, str) else data)


def scenario(number: int) -> Scenario:
    return Scenario(
        id=f"core-{number:02}",
        capability="warranty",
        outcome_type=OutcomeType.TP,
        lens="customer",
        severity=Severity.LOW,
        origin=Origin.HUMAN,
        objective="Route it.",
        input=(Message(role=Role.USER, content="My stove broke after a year."),),
        reference="Warranty",
        rubric="label",
        pass_criteria=("right queue",),
        fail_criteria=("another queue",),
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    rubric = Rubric(
        id="label",
        title="The label",
        status=RubricStatus.APPROVED,
        criteria=(Criterion(id="exact", description="equals the reference", grader=Exact(kind="exact")),),
    )
    put(root, "clusters/support-desk/cluster.yaml", flywheel.dump_record(cluster()))
    put(root, "clusters/support-desk/problem.md", PROBLEM)
    put(root, "rubrics/label.yaml", flywheel.dump_record(rubric))
    put(root, "params.yaml", flywheel.dump_record(Params(clusters={"support-desk": ClusterParams(seed=8)})))
    for number in range(3):
        one = scenario(number)
        put(root, f"scenarios/support-desk/core/{one.id}.yaml", flywheel.dump_record(one))
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "reviewed files")
    return root


def promote(root: Path, sequence: int, files: dict[str, bytes] | None = None) -> None:
    home = f"clusters/support-desk/promotions/{sequence}"
    record = PromotionRecord(
        cluster="support-desk",
        sequence=sequence,
        benchmark=BenchmarkId(id="support-desk", version=2, sha256=C),
        base=BaseId(kind="tiny", sha256=C),
        adapter=AdapterRecord(sha256=A, files={"adapter_model.safetensors": FileDigest(sha256=B, size=9)}),
        incumbent=Incumbent(sequence=sequence - 1, adapter=A if sequence > 1 else None),
        evidence={},
        run=RunSource(branch="runs/support-desk/i1", iteration="i1"),
        human_share=0.75,
    )
    put(root, f"{home}/record.yaml", flywheel.dump_record(record))
    for name, data in (files or evidence()).items():
        put(root, f"{home}/evidence/{name}", data)


def record_run(root: Path, passed: int) -> None:
    store, history = flywheel.ledger_store(root), History("support-desk")
    for number, phase in enumerate(["", *PHASES[:passed]], 1):
        entry = Entry(
            cluster="support-desk",
            sequence=number,
            previous=history.head,
            kind=EntryKind.PHASE if phase else EntryKind.QUEUED,
            iteration="i1",
            phase=phase,
            measured={"seconds": 2.0} if phase else {},
        )
        history = history.append(entry)
        store.append(entry)


def run(command: click.Command, *arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)
    assert result.exception is None
    return result.output


def test_a_folder_that_is_no_promotion_is_none(repository: Path) -> None:
    promote(repository, 1)
    for name in ("02", "\uff13", "draft"):
        put(repository, f"clusters/support-desk/promotions/{name}/record.yaml", "no record")
    assert sequences(flywheel.reader(repository), "support-desk") == (1,)
    with pytest.raises(RecordError, match="has no promotion 2"):
        promoted(flywheel.reader(repository), "support-desk", 2)


def test_status_of_a_fresh_cluster(repository: Path) -> None:
    output = run(status, "support-desk", "-C", str(repository))
    assert "none queued" in output
    assert "core 3" in output
    assert "tiny base, the base alone" in output


def test_status_shows_the_run_and_its_own_figures(repository: Path) -> None:
    record_run(repository, 12)
    git(repository, "checkout", "-q", "-b", "runs/support-desk/i1")
    put(repository, "clusters/support-desk/run/scorecard.json", evidence()[EvidenceFile.SCORECARD])
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "run")
    git(repository, "checkout", "-q", "main")
    output = run(status, "support-desk", "-C", str(repository))
    for expected in ("12 of 13 assess, next: bundle", "assessing", "0.922 / 0.850", "4 / 371", "24 s", "iteration i1"):
        assert expected in output
    document = json.loads(run(status, "support-desk", "--json", "-C", str(repository)))
    Draft202012Validator(schema("cluster-status")).validate(document)
    assert document["figures"]["composite_after"] == pytest.approx(0.9225)
    assert document["next_phase"] == "bundle"


def test_status_says_how_many_rows_came_through(repository: Path) -> None:
    record_run(repository, 8)
    git(repository, "checkout", "-q", "-b", "runs/support-desk/i1")
    home = "clusters/support-desk/run"
    report = validation().model_copy(update={"funnel": begun()})
    put(repository, f"{home}/validation.json", report.model_dump_json())
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "validated")
    git(repository, "checkout", "-q", "main")
    assert "540 generated, 531 ruled, 513 novel, 360 consistent" in run(status, "support-desk", "-C", str(repository))
    git(repository, "checkout", "-q", "runs/support-desk/i1")
    decided = TriageResult(reviewer="ada", accepted=304, edited=0, rejected=16, funnel=funnel())
    put(repository, f"{home}/triage.json", decided.model_dump_json())
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "triaged")
    git(repository, "checkout", "-q", "main")
    assert "360 consistent, 320 validated, 304 accepted" in run(status, "support-desk", "-C", str(repository))
    document = json.loads(run(status, "support-desk", "--json", "-C", str(repository)))
    Draft202012Validator(schema("cluster-status")).validate(document)
    assert document["funnel"]["steps"][-1] == {"step": "accepted", "kept": 304, "rejected": {"rejected": 16}}


def test_status_falls_back_to_the_promotion_in_force(repository: Path) -> None:
    promote(repository, 1)
    record_run(repository, 3)
    fleet = json.loads(run(status, "--json", "-C", str(repository)))
    assert [one["cluster"] for one in fleet] == ["support-desk"]
    assert fleet[0]["figures_of"] == "promotion 1"
    assert fleet[0]["promoted_sequence"] == 1
    assert "support-desk" in run(status, "-C", str(repository))


def test_why_walks_from_the_promotion_to_the_traces_and_back(repository: Path) -> None:
    promote(repository, 1)
    output = run(why, "support-desk/1", "-C", str(repository))
    assert "adapter aaaaaaaaaaaa  candidate, in promotion support-desk/1" in output
    assert "because of (9 batches, 360 examples, 3 failures, 1 mixture, 57 signals)" in output
    assert "… and 354 more examples" in output
    assert "signal signal-warranty-" in output
    back = run(why, "signal-warranty-3", "-C", str(repository))
    assert "led to (1 adapter, 3 batches, 120 examples, 1 failure, 1 mixture)" in back
    document = json.loads(run(why, "aaaaaaaa", "--json", "-C", str(repository)))
    assert document["node"]["id"] == A
    assert len(document["behind"]["signal"]) == 57
    assert document["parents"]["branches"][0]["kind"] == "mixture"


def test_the_newest_promotion_that_has_it_answers(repository: Path) -> None:
    old = lineage().model_copy(update={"nodes": (*lineage().nodes, LineageNode(id="old", kind="signal", parents=()))})
    promote(repository, 1, {EvidenceFile.LINEAGE: old.model_dump_json().encode()})
    promote(repository, 2)
    assert "support-desk/2" in run(why, "warranty-llm", "-C", str(repository))
    assert "support-desk/1" in run(why, "old", "-C", str(repository))
    assert "support-desk/1" in run(why, "support-desk/1", "-C", str(repository))


def test_why_reads_a_run_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "runs/support-desk/i1")
    put(repository, "clusters/support-desk/run/bundle/lineage.json", evidence()[EvidenceFile.LINEAGE])
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "run")
    git(repository, "checkout", "-q", "main")
    assert "1 adapter" in run(why, "warranty-log", "--iteration", "i1", "-C", str(repository))
    with pytest.raises(RecordError, match="is its run branch fetched"):
        run(why, "warranty-log", "--iteration", "i2", "-C", str(repository))


def test_unknown_ids_are_explained(repository: Path) -> None:
    with pytest.raises(RecordError, match="no lineage to look through"):
        run(why, "x", "-C", str(repository))
    promote(repository, 1)
    with pytest.raises(RecordError, match="nearest: warranty-l"):
        run(why, "waranty-llm", "-C", str(repository))
    with pytest.raises(RecordError, match="promotions that have one: support-desk/1"):
        run(why, "support-desk/7", "-C", str(repository))


def test_a_set_that_is_named_is_counted(repository: Path) -> None:
    document = json.loads(run(status, "support-desk", "--json", "-C", str(repository)))
    assert document["scenarios"] == {name.value: 3 * (name is SetName.CORE) for name in SetName}
