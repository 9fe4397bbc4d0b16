"""How the rehearsal plays a run: needs, outputs, a matrix, called workflows, machines, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rehearsal.environments import Prebuilt
from tests.rehearsal.job import Machine
from tests.rehearsal.runs import Player, Run
from tests.rehearsal.server import Tokens
from tests.rehearsal.workflow import Workflow, read

GPU = Machine(frozenset({"self-hosted", "linux", "gpu"}), {"KEY": "ci"})
PLAN: dict[str, Any] = {
    "runs-on": "ubuntu-24.04",
    "outputs": {"matrix": "${{ steps.plan.outputs.matrix }}", "any": "${{ steps.plan.outputs.any }}"},
    "steps": [
        {
            "id": "plan",
            "run": "echo any=true >> $GITHUB_OUTPUT\n"
            """echo 'matrix={"include":[{"cluster":"a","runner":["self-hosted","gpu"]},"""
            """{"cluster":"b","runner":["self-hosted"]}]}' >> $GITHUB_OUTPUT""",
        }
    ],
}
EACH: dict[str, Any] = {
    "name": "each ${{ matrix.cluster }}",
    "needs": "plan",
    "if": "needs.plan.outputs.any == 'true'",
    "strategy": {"fail-fast": False, "matrix": "${{ fromJSON(needs.plan.outputs.matrix) }}"},
    "concurrency": {"group": "each-${{ matrix.cluster }}", "cancel-in-progress": False},
    "runs-on": "${{ matrix.runner }}",
    "steps": [{"run": 'echo "$CLUSTER with $KEY"', "env": {"CLUSTER": "${{ matrix.cluster }}"}}],
}


def workflow(name: str = "one", **jobs: Any) -> Workflow:
    said = {"name": name, "on": {"push": {}, "workflow_call": {}}, "permissions": {}, "jobs": jobs}
    return read(f".github/workflows/{name}.yaml", yaml.safe_dump(said))


def played(tmp_path: Path, one: Workflow, *called: Workflow) -> Run:
    others = {other.path: other for other in called}
    player = Player(
        tmp_path, "http://forge", Tokens(), [GPU], Prebuilt(Path("/bin/true")), lambda sha, path: others.get(path)
    )
    run = Run(1, one, "push", "ash", "refs/heads/main", "0" * 40)
    player.play(run, {"github": {"event": {}, "sha": "0" * 40}, "inputs": {}, "vars": {}})
    return run


def test_a_matrix_runs_what_the_plan_says_on_machines_that_have_its_labels(tmp_path: Path) -> None:
    run = played(tmp_path, workflow(plan=PLAN, each=EACH))
    assert run.problem == ""
    assert [job.result for job in run.jobs] == ["success"] * 3
    assert "  a with ci" in run.job("each a").log
    assert run.job("each b").machine == "gpu, self-hosted"
    assert run.job("plan").machine == "ubuntu-24.04"
    assert "KEY" not in "".join(run.job("plan").log)


def test_what_needs_a_job_that_failed_is_skipped(tmp_path: Path) -> None:
    failing = {**PLAN, "steps": [{"id": "plan", "run": "false"}]}
    run = played(tmp_path, workflow(plan=failing, each=EACH))
    assert [(job.name, job.result) for job in run.jobs] == [("plan", "failure"), ("each", "skipped")]
    assert run.result == "failure"


def test_a_called_workflow_is_part_of_the_run_and_may_have_no_more_than_its_caller(tmp_path: Path) -> None:
    job = {"runs-on": "ubuntu-24.04", "permissions": {"contents": "write"}, "steps": [{"run": "true"}]}
    inner = workflow("inner", deep=job)
    call = {"permissions": {"contents": "write"}, "uses": "./.github/workflows/inner.yaml"}
    assert [one.name for one in played(tmp_path / "a", workflow(outer=call), inner).jobs] == ["deep"]
    less = {**call, "permissions": {"contents": "read"}}
    assert "asks for more than its caller has" in played(tmp_path / "b", workflow(outer=less), inner).problem
    assert "cannot be called" in played(tmp_path / "c", workflow(outer=call)).problem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runs-on": ["self-hosted", "tpu"]}, "no machine has the labels"),
        ({"runs-on": "windows-2025"}, "no machine has the labels"),
        ({"if": "secrets.KEY == ''"}, "no context 'secrets'"),
        ({"strategy": {"matrix": {"cluster": ["a", "b"]}}}, "a matrix of `include` alone"),
        ({"strategy": {"matrix": {"include": []}}}, "not an empty one"),
        ({"permissions": "write-all"}, "says no permissions one by one"),
        ({"steps": [{"uses": "actions/cache@v4"}]}, "the rehearsal has no actions/cache@v4"),
        ({"steps": [{"run": "python -m pip install ."}]}, "installs before it has set up Python"),
    ],
)
def test_what_cannot_be_played_ends_the_run_and_is_said(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    job = {"runs-on": "ubuntu-24.04", "steps": [{"run": "true"}], **change}
    run = played(tmp_path, workflow(only=job))
    assert said in run.problem
    assert run.result == "not played"
