"""The files for GitLab and Forgejo: the trust rules of GitHub's, held to by what each forge has of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.edges.forge_files import SOURCES, forge_files
from tests.governed_desk import BIN
from tests.rehearsal.workflow import Workflow, read

HALLMARK = re.compile(
    r'hallmark [a-z]+( (--|--[a-z-]+|HEAD\^1|HEAD|markdown|gitlab|"\$[A-Z_/$]+"))*( > \.\./[a-z.-]+)?'
)
INSTALL = re.compile(r"python -m pip install --constraint (base/)?constraints\.txt (\./base|\.|'\.\[[a-z,]+\]')")
KEYED = re.compile(r"hallmark-(gpu|ci|gate)")


def check_jsonschema(schema: str, *files: Path, transform: str = "") -> subprocess.CompletedProcess[str]:
    options = ["--data-transform", transform] if transform else []
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", schema, *options, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def gitlab() -> dict[str, Any]:
    """The jobs of the file with what they extend."""
    said = yaml.safe_load(forge_files("gitlab", install=SOURCES)[".gitlab-ci.yml"])

    def whole(job: dict[str, Any]) -> dict[str, Any]:
        return {**whole(said[job["extends"]]), **job} if "extends" in job else job

    settings = ("stages", "workflow", "variables", "default")
    return {name: whole(job) for name, job in said.items() if name not in settings and not name.startswith(".")}


def test_gitlabs_file_is_as_its_schema_says(tmp_path: Path) -> None:
    path = tmp_path / ".gitlab-ci.yml"
    path.write_bytes(forge_files("gitlab")[".gitlab-ci.yml"])
    assert check_jsonschema("vendor.gitlab-ci", path, transform="gitlab-ci").returncode == 0
    path.write_text(path.read_text().replace("resource_group: iterate", "resource_grup: iterate"))
    assert check_jsonschema("vendor.gitlab-ci", path, transform="gitlab-ci").returncode == 1


def test_a_merge_request_reaches_no_machine_that_holds_a_key(gitlab: dict[str, Any]) -> None:
    for name, job in gitlab.items():
        asked = " ".join(rule["if"] for rule in job["rules"])
        if "merge_request_event" in asked:
            assert "tags" not in job, name
            assert asked == '$CI_PIPELINE_SOURCE == "merge_request_event"', name
        else:
            (tag,) = job["tags"]
            assert KEYED.fullmatch(tag), name


def test_nothing_on_main_is_stopped_half_way_or_runs_twice(gitlab: dict[str, Any]) -> None:
    said = yaml.safe_load(forge_files("gitlab")[".gitlab-ci.yml"])
    assert said["default"]["interruptible"] is False
    for name, job in gitlab.items():
        assert ("resource_group" in job) == ("tags" in job), name
        assert "interruptible" not in job or job["interruptible"] == ("tags" not in job), name


def test_every_job_is_one_install_and_hallmark_commands(gitlab: dict[str, Any]) -> None:
    for name, job in gitlab.items():
        install, *rest = job["script"]
        assert INSTALL.fullmatch(install), name
        for line in rest:
            assert line == "cd change" or HALLMARK.fullmatch(line), (name, line)
    assert gitlab["gate"]["script"][0] == "python -m pip install --constraint base/constraints.txt ./base"
    assert "git worktree add --quiet --detach base origin/main" in gitlab["gate"]["before_script"]


@pytest.mark.parametrize("forge", ["gitlab", "forgejo"])
def test_no_secret_stands_in_the_files(forge: str) -> None:
    for path, data in forge_files(forge).items():
        assert not re.search(rb"secrets\.|CI_KEY|GATE_KEY|password", data), path


@pytest.fixture(scope="module")
def forgejo() -> dict[str, Workflow]:
    files = forge_files("forgejo", install=SOURCES)
    found = [read(path, data.decode()) for path, data in files.items()]
    return {workflow.name: workflow for workflow in found}


def test_forgejos_files_keep_the_rules(forgejo: dict[str, Workflow], tmp_path: Path) -> None:
    assert set(forgejo) == {"check", "iterate", "promote", "rollback", "triggers"}
    for workflow in forgejo.values():
        assert workflow.said["permissions"] == {}
        for job in workflow.jobs.values():
            change = "pull_request" in workflow.on
            assert job.said["permissions"] == {"contents": "read" if change else "write"}
            assert (job.said["runs-on"] == "docker") == change
            assert change or KEYED.fullmatch(job.said["runs-on"])
            installs = [step for step in job.steps if INSTALL.fullmatch(str(step.said.get("run", "")))]
            assert len(installs) == 1


def test_forgejos_files_are_as_the_schema_and_zizmor_say(tmp_path: Path) -> None:
    files = []
    for path, data in forge_files("forgejo").items():
        files.append(tmp_path / Path(path).name)
        files[-1].write_bytes(data)
    assert check_jsonschema("vendor.github-workflows", *files).returncode == 0
    command = [str(BIN / "zizmor"), "--offline", "--quiet", "--no-config", "--persona=auditor", *map(str, files)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    files[0].write_text(re.sub(r"@[0-9a-f]{40} # ", "@", files[0].read_text()))
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode in {11, 12, 13, 14}


def test_the_same_hallmark_commands_run_on_every_forge(gitlab: dict[str, Any], forgejo: dict[str, Workflow]) -> None:
    """Apart from what only GitHub has: plans for a matrix, comments, pull requests that are opened, previews."""
    there = {line.split(" > ")[0] for job in gitlab.values() for line in job["script"] if line.startswith("hallmark")}
    here = {
        step.said["run"]
        for workflow in forgejo.values()
        for job in workflow.jobs.values()
        for step in job.steps
        if str(step.said.get("run", "")).startswith("hallmark")
    }
    verbs = {line.split()[1] for line in there}
    assert verbs == {line.split()[1] for line in here}
    assert verbs == {"check", "gate", "review", "iterate", "propose", "rollback", "reconcile", "verify", "triggers"}


@pytest.mark.parametrize("forge", ["forgejo", "github", "gitlab"])
def test_what_somebody_types_is_no_option(forge: str) -> None:
    """A cluster called `--all` by whoever starts a rollback is a cluster that there is not."""
    lines = [line for data in forge_files(forge).values() for line in data.decode().splitlines() if "--why" in line]
    assert lines
    for line in lines:
        assert re.search(r'--why "\$\w+" -- "\$\w+/\$\w+"$', line), line
