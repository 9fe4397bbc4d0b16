"""A workflow file as the rehearsal plays it. What it cannot play is refused, and never passed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.rehearsal.expressions import Unsupported

_WORKFLOW = {"name", "on", "permissions", "concurrency", "jobs", "env"}
_JOB = {
    "name", "runs-on", "needs", "if", "permissions", "concurrency", "strategy", "outputs", "env", "timeout-minutes",
    "steps", "uses",
}  # fmt: skip
_STEP = {"name", "id", "if", "uses", "with", "run", "working-directory", "env"}
_STRATEGY = {"matrix", "fail-fast"}
_EVENTS = {
    "push": {"branches", "paths", "tags"},
    "pull_request": {"branches", "paths", "types"},
    "pull_request_review": {"types"},
    "workflow_dispatch": {"inputs"},
    "workflow_call": {"inputs"},
    "schedule": set(),
}
_PULL_TYPES = ("opened", "synchronize", "reopened")
"""What `pull_request` means without `types`."""


@dataclass(frozen=True)
class Step:
    said: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.said.get("name") or self.said.get("run") or self.said.get("uses"))


@dataclass(frozen=True)
class Job:
    id: str
    said: Mapping[str, Any]
    steps: Sequence[Step] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        needs = self.said.get("needs", ())
        return (needs,) if isinstance(needs, str) else tuple(needs)


@dataclass(frozen=True)
class Workflow:
    path: str
    name: str
    on: Mapping[str, Any]
    said: Mapping[str, Any]
    jobs: Mapping[str, Job] = field(default_factory=dict)


def read(path: str, text: str) -> Workflow:
    """The workflow in `text`. Raises `Unsupported` for anything that the rehearsal does not play."""
    said = yaml.safe_load(text)
    if True in said:  # YAML 1.1 reads the key `on` as true
        said["on"] = said.pop(True)
    _known(said, _WORKFLOW, path)
    on = _triggers(said["on"], path)
    jobs = {name: _job(name, job, f"{path}: job {name}") for name, job in said["jobs"].items()}
    for job in jobs.values():
        if missing := set(job.needs) - set(jobs):
            raise Unsupported(f"{path}: job {job.id} needs {sorted(missing)}")
    return Workflow(path, str(said.get("name", path)), on, said, jobs)


def _known(said: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    if more := set(said) - set(known):
        raise Unsupported(f"{where}: the rehearsal does not play {', '.join(sorted(map(str, more)))}")


def _triggers(on: Any, path: str) -> dict[str, Any]:
    named = {on: None} if isinstance(on, str) else dict.fromkeys(on) if isinstance(on, list) else dict(on)
    _known(named, _EVENTS, f"{path}: on")
    for event, filters in named.items():
        if event != "schedule":
            _known(filters or {}, _EVENTS[event], f"{path}: on.{event}")
    return named


def _job(name: str, said: Mapping[str, Any], where: str) -> Job:
    _known(said, _JOB, where)
    _known(said.get("strategy", {}), _STRATEGY, f"{where}: strategy")
    steps = [Step(step) for step in said.get("steps", ())]
    for step in steps:
        _known(step.said, _STEP, f"{where}: step {step.name}")
        if ("run" in step.said) == ("uses" in step.said):
            raise Unsupported(f"{where}: step {step.name} has to run or to use something")
    if ("uses" in said) == bool(steps):
        raise Unsupported(f"{where} has to have steps, or to use a workflow")
    return Job(name, said, steps)


def glob(pattern: str, name: str) -> bool:
    """Whether a name matches, as in the forge's filters: `*` stays within a folder, `**` does not."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    marks = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]?"}
    return re.fullmatch("".join(marks.get(part) or re.escape(part) for part in parts), name) is not None


def selected(patterns: Sequence[str], name: str) -> bool:
    """The last pattern that matches decides; one that begins with `!` leaves the name out."""
    found = False
    for pattern in patterns:
        if glob(pattern.removeprefix("!"), name):
            found = not pattern.startswith("!")
    return found


def starts(workflow: Workflow, event: str, *, branch: str = "", action: str = "", paths: Sequence[str] = ()) -> bool:
    """Whether the event starts the workflow.

    `branch` is what was pushed to, or what a pull request asks to merge into; `paths` is what its change touches. A
    cron line is no filter: the forge's clock is the caller's.
    """
    if event not in workflow.on:
        return False
    filters = workflow.on[event] or {}
    if event == "schedule":
        return True
    if "tags" in filters:
        raise Unsupported(f"{workflow.path}: the rehearsal pushes no tags that start a workflow")
    if event == "pull_request" and action not in filters.get("types", _PULL_TYPES):
        return False
    if event == "pull_request_review" and action not in filters.get("types", (action,)):
        return False
    if "branches" in filters and not selected(filters["branches"], branch):
        return False
    return "paths" not in filters or any(selected(filters["paths"], path) for path in paths)


def order(jobs: Mapping[str, Job]) -> list[Job]:
    """Each job after those that it needs. Raises `Unsupported` for a circle."""
    left, done = dict(jobs), []
    while left:
        ready = [job for job in left.values() if not set(job.needs) & set(left)]
        if not ready:
            raise Unsupported(f"jobs need each other: {sorted(left)}")
        done += ready
        left = {name: job for name, job in left.items() if job not in ready}
    return done
