"""What a workflow of ours may be: rules that no linter of workflows can know, because they are this house's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
INSTALL = re.compile(
    r"python -m pip install --constraint (base/)?constraints\.txt '?(\./base|\.|hallmark-flywheel)(\[[a-z,]+\]')?"
)
WORD = r'(--|--[a-z-]+|HEAD\^1|HEAD|[a-z]+\.yaml|"\$[A-Z_]+(/\$[A-Z_]+)?")'
HALLMARK = re.compile(rf"hallmark (ci )?[a-z]+( {WORD})*")
EXPRESSIONS = {
    "github.event.before || github.sha",
    "github.event.pull_request.number",
    "github.event.pull_request.number || inputs.pull",
    "github.run_id",
    "github.token",
    "inputs.cluster",
    "inputs.pull",
    "inputs.to",
    "inputs.why",
    "matrix.cluster",
    "matrix.runner",
    "steps.plan.outputs.any",
    "steps.plan.outputs.matrix",
    "fromJSON(needs.plan.outputs.matrix)",
    "vars.HALLMARK_ROOT",
}
"""What a workflow may take from its surroundings: numbers and commits that the forge assigns, settings of the
repository, what somebody who may write typed, and a plan that Hallmark made of main. None stands in a `run`."""
ON_MAIN = "github.ref == 'refs/heads/main'"
CONDITIONS = {
    "success() || failure()",
    "needs.plan.outputs.any == 'true'",
    ON_MAIN,
    f"github.event_name == 'workflow_dispatch' && {ON_MAIN}",
    "github.event_name == 'pull_request_review' && github.event.review.state == 'approved' && "
    "github.event.pull_request.head.repo.full_name == github.repository",
}
"""When a job or step runs other than after success; an `if` is an expression without its braces."""
TRIGGERS = {"push", "pull_request", "pull_request_review", "schedule", "workflow_call", "workflow_dispatch"}
OF_A_CHANGE = {"pull_request", "pull_request_review"}
"""Events whose workflow the forge takes from the change itself."""
WRITES = {
    ("check", "review"): {"pull-requests"},
    ("preview", "ask"): {"actions"},
    ("preview", "preview"): {"pull-requests"},
    ("iterate", "iterate"): {"contents", "pull-requests"},
    ("promote", "promote"): {"contents"},
    ("rollback", "rollback"): {"contents", "pull-requests"},
    ("triggers", "triggers"): {"contents"},
    ("triggers", "iterate"): {"contents", "pull-requests"},
}
"""What each job's token may write; every other one reads at most."""


def run_lines(job: dict[str, Any]) -> list[list[str]]:
    return [step["run"].strip().splitlines() for step in job.get("steps", ()) if "run" in step]


def on_our_machine(job: dict[str, Any]) -> bool:
    """Whether a runner of ours takes the job: by its label, or by what a matrix says."""
    return not str(job.get("runs-on", "ubuntu-")).startswith("ubuntu-")


def of_a_change(job: dict[str, Any], triggers: set[str]) -> bool:
    """Whether a change may bring this job about, and so decide what is in it."""
    return bool(triggers & OF_A_CHANGE) and "workflow_dispatch" not in str(job.get("if", ""))


def step_faults(name: str, job: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a job's steps; every one is an action, the install, or `hallmark` commands."""
    installs = 0
    for lines in run_lines(job):
        if all(INSTALL.fullmatch(line) for line in lines):
            installs += 1
        elif not all(HALLMARK.fullmatch(line) for line in lines):
            yield f"{name}: runs {lines}"
        if any("${{" in line for line in lines):
            yield f"{name}: a value stands in a command"
    if "uses" not in job and installs != 1:
        yield f"{name}: installs {installs} times"
    for step in job.get("steps", ()):
        if "actions/cache" in step.get("uses", "") or "cache" in step.get("with", {}):
            yield f"{name}: keeps a cache, which other levels of trust could read or fill"


def job_faults(workflow: str, name: str, job: dict[str, Any], triggers: set[str]) -> Iterator[str]:
    """What is wrong with one job."""
    if "permissions" not in job:
        yield f"{name}: says no permissions"
    granted = job.get("permissions", {})
    if set(granted.values()) - {"read", "write"} or set(granted) - {"contents", "pull-requests", "actions"}:
        yield f"{name}: unknown permissions {granted}"
    if {scope for scope, right in granted.items() if right == "write"} != WRITES.get((workflow, name), set()):
        yield f"{name}: writes other than what it is granted here"
    if "timeout-minutes" not in job and "uses" not in job:
        yield f"{name}: has no limit of time"
    conditions = [part["if"] for part in (job, *job.get("steps", ())) if "if" in part]
    yield from (f"{name}: runs if {condition}" for condition in conditions if condition not in CONDITIONS)
    if of_a_change(job, triggers) and on_our_machine(job):
        yield f"{name}: a change's code on a machine of ours"
    dispatched = "workflow_dispatch" in triggers and not of_a_change(job, triggers)
    if dispatched and ON_MAIN not in str(job.get("if", "")) and not job.get("needs"):
        yield f"{name}: runs as any branch has it"
    tokens = [step for step in job.get("steps", ()) if "github.token" in str(step.get("env", ""))]
    if tokens and of_a_change(job, triggers) and not from_main(job):
        yield f"{name}: a token in the hands of a change's program"
    yield from step_faults(name, job)


def from_main(job: dict[str, Any]) -> bool:
    """Whether what is installed is main's."""
    places = [step.get("with", {}) for step in job["steps"] if "checkout" in step.get("uses", "")]
    base = next((place.get("path") for place in places if place.get("ref") == "main"), "no checkout of main")
    (install,) = (lines[0] for lines in run_lines(job) if INSTALL.fullmatch(lines[0]))
    return ("base/constraints" in install) == (base == "base") and base in ("base", None)


def concurrency_faults(workflow: dict[str, Any], triggers: set[str]) -> Iterator[str]:
    """Only a check of a change may be stopped by a newer one: nothing is trained or pushed there."""
    said = [workflow, *workflow["jobs"].values()]
    stops = [one["concurrency"]["cancel-in-progress"] for one in said if "concurrency" in one]
    if any(stops) and triggers != {"pull_request"}:
        yield "a newer run stops this one half-way"


def faults_of(text: str, workflow_name: str = "good") -> list[str]:
    """What in a workflow breaks the house's own rules; empty where nothing does."""
    workflow = yaml.safe_load(text)
    triggers = set(workflow[True])  # YAML 1.1 reads the key `on` as true
    faults = []
    if workflow.get("permissions") != {}:
        faults.append("the top level grants permissions")
    if not triggers <= TRIGGERS:
        faults.append(f"unknown triggers {sorted(triggers)}")
    for uses in re.findall(r"uses: (.+)", text):
        if not PINNED.fullmatch(uses) and not uses.startswith("./.github/workflows/iterate.yaml"):
            faults.append(f"not pinned: {uses}")
    for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", text):
        if expression not in EXPRESSIONS:
            faults.append(f"takes {expression}")
    faults += concurrency_faults(workflow, triggers)
    for name, job in workflow["jobs"].items():
        faults += job_faults(workflow_name, name, job, triggers)
    return faults
