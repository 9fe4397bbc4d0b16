"""A judged cluster on real git, DVC and HTTP: calibrated by the command, an iteration to its bundle, a swapped judge.

The models that are judged are simulated; the judge is whatever answers behind the server's address.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runner.edges.judges import AskedJudges
from runner.edges.simulated_models import SimulatedModels
from runner.edges.yaml_files import dump
from runner.flywheel import Flow, iterate
from runner.records.artifact import ARTIFACTS
from runner.records.evidence import EvidenceFile
from runner.records.judging import JudgesReport
from runner.records.rubric import Rubric
from runner.records.verdict import Outcome
from runner.wiring import check, flywheel
from tests.chat_fixture import ChatServerThread, completion
from tests.desk_repository import CLUSTER, clone, flow, git, make, said
from tests.flywheel_fixture import RUBRIC
from tests.judged_fixture import judge
from tests.test_judges_phases import CALM, people
from tests.test_judges_served import behind, shown

pytestmark = pytest.mark.acceptance
HOME = f"clusters/{CLUSTER}"
HALLMARK = str(Path(sys.executable).parent / "hallmark")


def no_money(body: dict[str, Any], asked: int) -> web.Response:
    answer, _ = shown(body)
    return completion(json.dumps({"verdict": "no" if "refund" in answer else "yes"}))


def hallmark(desk: Path, *arguments: str) -> str:
    done = subprocess.run([HALLMARK, *arguments], cwd=desk, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(desk: Path, says: str) -> None:
    git(desk, "add", "--all")
    git(desk, "commit", "--quiet", "--message", says)
    git(desk, "push", "--quiet", "origin", "main")


def judged_flow(desk: Path) -> Flow:
    found = flow(desk)
    judges = AskedJudges(SimulatedModels(), journals=desk / ".hallmark" / "judges" / CLUSTER)
    return replace(found, ports=replace(found.ports, judges=judges))


def test_a_judged_cluster_from_its_labels_to_its_bundle_and_a_judge_that_is_swapped(tmp_path: Path) -> None:
    desk = make(tmp_path)
    with ChatServerThread(no_money) as server:
        whole = RUBRIC.model_dump(mode="json")
        rubric = Rubric.model_validate({**whole, "criteria": [*whole["criteria"], CALM]})
        (desk / "rubrics/queue.yaml").write_bytes(said(rubric))
        (desk / "rubrics/judges").mkdir()
        (desk / "rubrics/judges/tone.yaml").write_bytes(
            dump(behind(server.url).model_dump(mode="json", exclude_defaults=True))
        )
        (tmp_path / "labels.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in people().labels))
        told = hallmark(desk, "calibrate", CLUSTER, "--judge", "tone", str(tmp_path / "labels.jsonl"))
        assert "kappa 1.00" in told
        hallmark(desk, "benchmark", "lock", CLUSTER)
        hallmark(desk, "check")
        commit(desk, "A judge")

        standing = iterate(judged_flow(desk))
        assert (standing.phase, standing.verdict.outcome) == ("bundle", Outcome.PASS)
        asked = len(server.bodies)
        assert asked > 80

    (branch,) = git(tmp_path / "origin.git", "branch", "--list", "runs/*", "--format=%(refname:short)").splitlines()
    machine = clone(tmp_path, "auditor")
    git(machine, "switch", "--quiet", branch)
    dvc = str(Path(sys.executable).parent / "dvc")
    for command in (["pull", "--quiet"], ["status", "--json"]):
        done = subprocess.run([dvc, *command], cwd=machine, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {}, "with the server gone, nothing is to be asked again"
    page = (machine / HOME / ARTIFACTS["bundle"].path / EvidenceFile.JUDGES).read_bytes()
    (found,) = JudgesReport.model_validate_json(page).judges
    assert (found.judge, found.agreement, found.shown) == ("tone", 1.0, {})
    assert json.loads((machine / HOME / ARTIFACTS["intake"].path).read_text())["pins"]["judges"]

    other = judge(prompt="Praise every answer.")
    (desk / "rubrics/judges/tone.yaml").write_bytes(said(other))
    problems = [f"{one.path}: {one.problem}" for one in check.survey(desk).problems]
    assert f"{HOME}/benchmark.lock: the judge tone is not the one that was locked" in problems
    commit(desk, "Another judge, in spite of check")
    standing = iterate(judged_flow(desk))
    assert (standing.phase, standing.verdict.outcome) == ("intake", Outcome.REFUSE)
    assert {reason.step for reason in standing.verdict.reasons} == {"benchmark", "judges"}
    assert flywheel.workspace(desk, CLUSTER).judges["tone"] == other
