"""The workflows are thin and hardened: pinned actions, least permissions, one install, and `hallmark` commands.

The rules hold for what this repository runs, and for what a workspace gets (`hallmark init`).
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from runner.cli.main import group
from runner.edges.forge_files import PACKAGE, SOURCES, forge_files
from runner.edges.yaml_files import parse
from runner.records.cluster import Cluster
from runner.rules.loop.ci_plan import runner_labels
from tests.workflow_rules import OF_A_CHANGE, faults_of, on_our_machine, run_lines

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
BIN = Path(sys.executable).parent
TEXTS = {
    f"{whose}/{Path(path).stem}": data.decode()
    for whose, install in (("ours", SOURCES), ("a workspace's", PACKAGE))
    for path, data in forge_files("github", install=install).items()
    if path.endswith(".yaml")
}
"""Every workflow, of this repository and of a workspace."""

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
    "an input in a command": ("hallmark check", "hallmark rollback ${{ inputs.target }}"),
    "another workflow by its branch": (
        "jobs:\n",
        "jobs:\n  other:\n    permissions: {}\n    uses: org/repo/.github/workflows/x.yaml@main\n",
    ),
    "secrets handed on": (
        "jobs:\n",
        "jobs:\n  other:\n    permissions: {}\n    uses: ./.github/workflows/x.yaml\n    secrets: inherit\n",
    ),
    "a training that a newer one stops, with none said": (
        "concurrency:\n  group: good\n  cancel-in-progress: false\n",
        "",
    ),
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
    "a trigger that is not ours": ("push:\n    branches: [main]", "issue_comment:\n"),
    "a cache": (
        "        with:\n          persist-credentials: false",
        "        with:\n          cache: pip\n          persist-credentials: false",
    ),
    "an input in a command": ("hallmark check", 'hallmark rollback "${{ inputs.cluster }}"'),
    "a branch that is dispatched": ("push:\n    branches: [main]", "workflow_dispatch:\n"),
    "a newer run that stops it": ("cancel-in-progress: false", "cancel-in-progress: true"),
    "more than was granted": ("contents: read # to", "packages: write # to"),
}
"""Each makes GOOD one that breaks a rule of this house."""


def zizmor(path: Path) -> subprocess.CompletedProcess[str]:
    """zizmor at its strictest, without network; exits 0 where it finds nothing that is not excused in the file."""
    command = [str(BIN / "zizmor"), "--offline", "--quiet", "--no-config", "--persona=auditor", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(folder: Path, name: str) -> Path:
    path = folder / "workflow.yaml"
    path.write_text(TEXTS[name])
    return path


def test_the_workflows_are_what_the_templates_render_to() -> None:
    """One source: `hallmark init` writes the same files into a workspace, but for the install."""
    rendered = forge_files("github", install=SOURCES)
    for path, data in rendered.items():
        assert (ROOT / path).read_bytes() == data, "render it again: hallmark ci files github --sources"
    assert {f".github/workflows/{path.name}" for path in WORKFLOWS} == {p for p in rendered if p.endswith(".yaml")}


@pytest.mark.parametrize("name", TEXTS)
def test_every_workflow_keeps_the_rules(name: str) -> None:
    assert faults_of(TEXTS[name], name.partition("/")[2]) == []


@pytest.mark.parametrize("name", TEXTS)
def test_zizmor_finds_nothing(name: str, tmp_path: Path) -> None:
    result = zizmor(written(tmp_path, name))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", TEXTS)
def test_every_excuse_gives_its_reason(name: str) -> None:
    for excuse in re.findall(r"# zizmor: ignore(.*)", TEXTS[name]):
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
    assert faults_of(GOOD.replace(old, new))


@pytest.mark.parametrize("event", sorted(OF_A_CHANGE))
def test_a_change_s_code_is_kept_from_our_machines_and_tokens(event: str) -> None:
    of_change = GOOD.replace("push:\n    branches: [main]", f"{event}:")
    assert faults_of(of_change) == []
    for machine in ("[self-hosted, gpu]", "${{ matrix.runner }}"):
        assert "only: a change's code on a machine of ours" in faults_of(of_change.replace("ubuntu-24.04", machine))
    check = "        run: hallmark check"
    token = of_change.replace(check, f"        env:\n          T: ${{{{ github.token }}}}\n{check}")
    assert faults_of(token) == ["only: a token in the hands of a change's program"]


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXTS[f"ours/{name}"])
    return found


def test_a_training_is_never_stopped_and_a_cluster_has_one_at_a_time() -> None:
    job = workflow("iterate")["jobs"]["iterate"]
    assert job["concurrency"] == {"group": "iterate-${{ matrix.cluster }}", "cancel-in-progress": False}
    assert job["strategy"] == {"fail-fast": False, "matrix": "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    for name in ("promote", "rollback", "preview", "triggers"):
        assert workflow(name)["concurrency"]["cancel-in-progress"] is False


def test_no_plan_is_thrown_out_by_a_newer_one() -> None:
    """Of a group, GitHub keeps one waiting run: a plan that waited behind another would lose what its push changed."""
    assert workflow("iterate")["jobs"]["plan"]["concurrency"]["group"] == "plan-${{ github.run_id }}"
    assert "concurrency" not in workflow("iterate")


@pytest.mark.parametrize("job", ["gate", "review"])
def test_a_change_is_judged_and_told_with_the_program_of_main(job: str) -> None:
    steps = workflow("check")["jobs"][job]["steps"]
    trees = {step["with"]["path"]: step["with"].get("ref") for step in steps if "path" in step.get("with", {})}
    assert trees == {"base": "main", "change": None}
    install, command = (lines[0] for lines in run_lines(workflow("check")["jobs"][job]))
    assert re.fullmatch(r"python -m pip install --constraint base/constraints\.txt '?\./base(\[forge\]')?", install)
    assert command.startswith({"gate": "hallmark gate HEAD^1 HEAD", "review": "hallmark ci review HEAD^1 HEAD"}[job])
    places = [step.get("working-directory") for step in steps if "run" in step]
    assert places == [None, "change"], "the install must not start in the change: `python -m` imports from there"


def test_what_runs_on_our_machines_is_main_s() -> None:
    for name in TEXTS:
        for label, job in yaml.safe_load(TEXTS[name])["jobs"].items():
            if not on_our_machine(job):
                continue
            checkouts = [step["with"] for step in job["steps"] if "checkout" in step.get("uses", "")]
            refs = {place.get("ref", "what was pushed to main") for place in checkouts}
            assert len(checkouts) == 1, label
            assert refs <= {"main", "what was pushed to main"}, label


def test_the_machine_that_iterates_is_the_one_that_the_cluster_declares() -> None:
    assert workflow("iterate")["jobs"]["iterate"]["runs-on"] == "${{ matrix.runner }}"
    path = ROOT / "clusters" / "support-desk" / "cluster.yaml"
    cluster = parse(path.read_bytes(), Cluster, path=str(path))
    assert runner_labels(cluster) == ("self-hosted", "linux", "gpu")


def test_a_run_ends_with_its_proposals_a_look_at_what_serves_and_pull_requests() -> None:
    """Whatever became of the iteration: one that was refused must not keep an earlier one from its approvers."""
    steps = workflow("iterate")["jobs"]["iterate"]["steps"]
    assert [step["run"] for step in steps[-4:]] == [
        'hallmark iterate "$CLUSTER" --unattended',
        'hallmark propose "$CLUSTER" --unattended',
        'hallmark rollback "$CLUSTER" --unattended',
        'hallmark ci open "$CLUSTER"',
    ]
    assert [step.get("if") for step in steps] == [None] * (len(steps) - 3) + ["success() || failure()"] * 3
    assert all(step["env"]["CLUSTER"] == "${{ matrix.cluster }}" for step in steps[-4:])


def test_a_token_reaches_only_what_speaks_to_the_forge() -> None:
    for name, text in TEXTS.items():
        for job in yaml.safe_load(text)["jobs"].values():
            for step in job.get("steps", ()):
                if "github.token" in str(step):
                    assert step["run"].startswith("hallmark ci "), name
                    assert step["env"]["GITHUB_TOKEN"] == "${{ github.token }}"


def test_every_command_is_one_that_there_is() -> None:
    """With options that it has: a workflow is nothing that a type checker reads."""
    for text in TEXTS.values():
        for job in yaml.safe_load(text)["jobs"].values():
            for line in (line for lines in run_lines(job) for line in lines if line.startswith("hallmark ")):
                words = shlex.split(line)[1:]
                command: click.Command = group
                while isinstance(command, click.Group):
                    found = command.get_command(click.Context(command), words.pop(0))
                    assert found is not None, line
                    command = found
                options = {name for one in command.params for name in one.opts}
                assert {word for word in words if re.match("--.", word)} <= options, line


def test_what_somebody_typed_is_no_option() -> None:
    """An input may begin with a dash: it stands behind `--`, or is the value of an option."""
    for name, text in TEXTS.items():
        for job in yaml.safe_load(text)["jobs"].values():
            for step in (
                step for step in job.get("steps", ()) if "inputs." in str(step.get("env", "")) and "run" in step
            ):
                typed = {f"${key}" for key, value in step["env"].items() if "inputs." in str(value)}
                words = shlex.split(step["run"])
                bare = words[: words.index("--")] if "--" in words else words
                alone = [
                    word
                    for at, word in enumerate(bare)
                    if any(one in word for one in typed) and not bare[at - 1].startswith("--")
                ]
                assert alone == [] or name.endswith("/preview"), "the number of a pull request is typed as one"


def test_what_was_queued_at_night_is_iterated() -> None:
    jobs = workflow("triggers")["jobs"]
    assert run_lines(jobs["plan"])[-1] == ['hallmark ci plan --all --output "$GITHUB_OUTPUT"']
    assert run_lines(jobs["triggers"])[-1] == ['hallmark triggers "$CLUSTER" --queue --unattended']
    assert jobs["triggers"]["runs-on"] == "${{ matrix.runner }}", "what production saw stays inside the boundary"
    assert jobs["iterate"]["uses"].startswith("./.github/workflows/iterate.yaml")
    assert (jobs["iterate"]["needs"], jobs["iterate"]["if"]) == ("triggers", "success() || failure()")
    asks = workflow("iterate")["jobs"]["iterate"]["permissions"]
    assert jobs["iterate"]["permissions"] == asks, "a called workflow has what its caller grants at most"


def test_no_secret_stands_in_a_workflow() -> None:
    assert not [name for name, text in TEXTS.items() if re.search(r"secrets\b|HALLMARK_(CI|GATE)_KEY:", text)]
