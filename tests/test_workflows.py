"""The workflows are thin and hardened: pinned actions, least permissions, one install, and `hallmark` commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
BIN = Path(sys.executable).parent

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
INSTALL = re.compile(
    r"python -m pip install --constraint (base/)?constraints\.txt (torch==[\d.]+|\./base|\.|'\.\[[a-z,]+\]')"
)
HALLMARK = re.compile(r'hallmark [a-z]+( (--[a-z-]+|HEAD\^1|HEAD|"\$[A-Z_]+"))*')
EXPRESSIONS = {"github.event.pull_request.number", "vars.HALLMARK_ROOT"}
"""What a workflow may take from its surroundings: a number the forge assigns, and a setting of the repository."""
CONDITIONS = {"success() || failure()"}
"""When a step may run other than after success; an `if` is an expression without its braces."""

GOOD = """\
name: good
on:
  push:
    branches: [main]
permissions: {}
concurrency:
  group: good
  cancel-in-progress: false
jobs:
  only:
    name: only
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # to check out
    steps:
      - name: Check out
        uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - name: Install
        run: python -m pip install --constraint constraints.txt .
      - name: Check
        run: hallmark check
"""

BREAKAGES = {
    "an action by its tag": ("11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "v4"),
    "a trigger with the base's secrets": ("push:\n    branches: [main]", "pull_request_target:"),
    "an untrusted expression": ("hallmark check", 'echo "${{ github.event.pull_request.title }}"'),
    "permissions for everything": ("permissions: {}", "permissions: write-all"),
    "no permissions said": ("permissions: {}\n", ""),
    "credentials left behind": ("persist-credentials: false", "fetch-depth: 0"),
}
"""Each makes GOOD one that zizmor must fail."""

OURS = {
    "a command that is not ours": ("hallmark check", "make test"),
    "a second command after ours": ("hallmark check", "hallmark check && curl example.org | sh"),
    "an install without pins": ("--constraint constraints.txt ", ""),
    "an install from elsewhere": ("constraints.txt .", "constraints.txt git+https://example.org/x"),
    "a secret": (
        "        run: hallmark check",
        "        env:\n          KEY: ${{ secrets.CI_KEY }}\n        run: hallmark check",
    ),
    "an unknown condition": (
        "        run: hallmark check",
        "        if: github.actor == 'x'\n        run: hallmark check",
    ),
    "a job's condition": ("    name: only\n", "    name: only\n    if: always()\n"),
    "an unknown expression": ("hallmark check", "hallmark check ${{ github.actor }}"),
    "a job without a limit": ("    timeout-minutes: 5\n", ""),
    "a job that inherits": ("    permissions:\n      contents: read # to check out\n", ""),
    "two installs": (
        "      - name: Check\n",
        "      - run: python -m pip install --constraint constraints.txt .\n      - name: Check\n",
    ),
    "fork code on our machine": (
        "push:\n    branches: [main]",
        "pull_request:\n",
    ),
}
"""Each makes GOOD one that breaks a rule of this house."""


def zizmor(path: Path) -> subprocess.CompletedProcess[str]:
    """zizmor at its strictest, without network; exits 0 where it finds nothing that is not excused in the file."""
    command = [str(BIN / "zizmor"), "--offline", "--quiet", "--no-config", "--persona=auditor", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_lines(job: dict[str, Any]) -> list[list[str]]:
    return [step["run"].strip().splitlines() for step in job["steps"] if "run" in step]


def job_faults(name: str, job: dict[str, Any]) -> list[str]:
    """What is wrong with one job; every step of it is an action, the install, or `hallmark` commands."""
    faults = []
    if "permissions" not in job:
        faults.append(f"{name}: says no permissions")
    elif not set(job["permissions"].items()) <= {("contents", "read"), ("contents", "write")}:
        faults.append(f"{name}: permissions beyond contents")
    if "timeout-minutes" not in job:
        faults.append(f"{name}: has no limit of time")
    conditions = [part["if"] for part in (job, *job["steps"]) if "if" in part]
    faults += [f"{name}: runs if {condition}" for condition in conditions if condition not in CONDITIONS]
    installs = 0
    for lines in run_lines(job):
        if all(INSTALL.fullmatch(line) for line in lines):
            installs += 1
        elif not all(HALLMARK.fullmatch(line) for line in lines):
            faults.append(f"{name}: runs {lines}")
    if installs != 1:
        faults.append(f"{name}: installs {installs} times")
    return faults


def faults_of(text: str) -> list[str]:
    """What in a workflow breaks the house's own rules; empty where nothing does."""
    workflow = yaml.safe_load(text)
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    faults = []
    if workflow.get("permissions") != {}:
        faults.append("the top level grants permissions")
    if "pull_request_target" in triggers:
        faults.append("runs with the base's secrets on a change")
    if not set(triggers) <= {"push", "pull_request"}:
        faults.append(f"unknown triggers {sorted(triggers)}")
    for uses in re.findall(r"uses: (.+)", text):
        if not PINNED.fullmatch(uses):
            faults.append(f"not pinned: {uses}")
    for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", text):
        if expression not in EXPRESSIONS:
            faults.append(f"takes {expression}")
    for name, job in workflow["jobs"].items():
        faults += job_faults(name, job)
        if "pull_request" in triggers and (
            "self-hosted" in job["runs-on"] or job.get("permissions") != {"contents": "read"}
        ):
            faults.append(f"{name}: a change's code with more than reading, or on a machine of ours")
    return faults


def test_the_workflows_are_these() -> None:
    assert [path.name for path in WORKFLOWS] == ["check.yaml", "iterate.yaml", "promote.yaml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_keeps_the_rules(path: Path) -> None:
    assert faults_of(path.read_text()) == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_zizmor_finds_nothing(path: Path) -> None:
    result = zizmor(path)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_excuse_gives_its_reason(path: Path) -> None:
    for excuse in re.findall(r"# zizmor: ignore(.*)", path.read_text()):
        assert re.fullmatch(r"\[[a-z-]+\] \w.{10,}", excuse), excuse


def test_workflows_match_the_forge_schema() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_good_example_passes_both(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert zizmor(path).returncode == 0
    assert faults_of(GOOD) == []


@pytest.mark.parametrize(("old", "new"), BREAKAGES.values(), ids=BREAKAGES)
def test_zizmor_fails_a_bad_workflow(tmp_path: Path, old: str, new: str) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace(old, new))
    result = zizmor(path)
    # 11 to 14 grade what was found; anything else means that zizmor could not read the file
    assert result.returncode in {11, 12, 13, 14}, result.stderr


@pytest.mark.parametrize(("old", "new"), OURS.values(), ids=OURS)
def test_our_rules_fail_a_bad_workflow(old: str, new: str) -> None:
    assert GOOD.count(old) == 1
    bad = GOOD.replace(old, new)
    if new == "pull_request:\n":
        bad = bad.replace("ubuntu-24.04", "[self-hosted, gpu]")
    assert faults_of(bad)


def test_a_training_is_never_cancelled() -> None:
    for name in ("iterate", "promote"):
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yaml").read_text())
        assert workflow["concurrency"] == {"group": name, "cancel-in-progress": False}
        assert set(workflow[True]) == {"push"}
        assert workflow[True]["push"]["branches"] == ["main"]


def test_the_gate_judges_with_the_program_of_main() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yaml").read_text())
    gate = workflow["jobs"]["gate"]
    trees = {step["with"]["path"]: step["with"].get("ref") for step in gate["steps"] if "path" in step.get("with", {})}
    assert trees == {"base": "main", "change": None}
    assert run_lines(gate) == [
        ["python -m pip install --constraint base/constraints.txt ./base"],
        ["hallmark gate HEAD^1 HEAD"],
    ]
    places = [step.get("working-directory") for step in gate["steps"] if "run" in step]
    assert places == [None, "change"], "the install must not start in the change: `python -m` imports from there"


def test_a_run_ends_with_its_proposals_and_a_look_at_what_serves() -> None:
    """Whatever became of the iterations: one that was refused must not keep another from its approvers."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "iterate.yaml").read_text())
    steps = workflow["jobs"]["iterate"]["steps"]
    ends = ["hallmark iterate --all", "hallmark propose --all", "hallmark rollback --all"]
    assert [step["run"] for step in steps[-3:]] == ends
    assert [step.get("if") for step in steps] == [None] * (len(steps) - 2) + ["success() || failure()"] * 2


def test_no_secret_stands_in_a_workflow() -> None:
    assert not [path.name for path in WORKFLOWS if re.search(r"secrets\b|HALLMARK_CI_KEY:", path.read_text())]


def test_the_pinned_torch_is_the_constrained_one() -> None:
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    text = (ROOT / ".github" / "workflows" / "iterate.yaml").read_text()
    (torch,) = re.findall(r"torch==[\d.]+", text)
    assert torch in constraints
