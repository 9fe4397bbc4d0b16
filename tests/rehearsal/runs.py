"""A workflow run: its jobs in the order of their needs, on machines that have the labels they ask for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rehearsal import actions
from tests.rehearsal.concurrency import Groups
from tests.rehearsal.environments import Environments
from tests.rehearsal.expressions import Unsupported, filled, holds
from tests.rehearsal.job import Blow, JobRun, Machine, Worker
from tests.rehearsal.pulls import BOT, REPOSITORY
from tests.rehearsal.server import Actor, Tokens
from tests.rehearsal.workflow import Job, Workflow, order

HOSTED = frozenset({"ubuntu-24.04"})
Permissions = Mapping[str, str]


@dataclass
class Run:
    """A workflow that an event started."""

    number: int
    workflow: Workflow
    event: str
    actor: str
    ref: str
    sha: str
    pull: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    """What its machines have beside their own."""
    jobs: list[JobRun] = field(default_factory=list)
    problem: str = ""
    """What the rehearsal could not play."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def result(self) -> str:
        if self.problem:
            return "not played"
        found = {job.result for job in self.jobs}
        return next((one for one in ("lost", "failure", "cancelled") if one in found), "success")

    def job(self, name: str) -> JobRun:
        return next(job for job in self.jobs if job.name == name)


@dataclass
class Player:
    """Plays the runs of one forge, which is at `url`. `callable` finds a workflow at a commit by its path."""

    home: Path
    url: str
    tokens: Tokens
    machines: Sequence[Machine]
    environments: Environments
    callable: Callable[[str, str], Workflow | None]
    blows: dict[str, Blow] = field(default_factory=dict)
    """Machines that will die, by the name of the job on them."""
    groups: Groups = field(default_factory=Groups)

    def __post_init__(self) -> None:
        self._busy = {machine.labels: threading.Semaphore(1) for machine in self.machines}
        self._hosted = threading.Semaphore(os.cpu_count() or 1)

    def play(self, run: Run, contexts: dict[str, Any]) -> None:
        """The whole run; what cannot be played becomes its `problem`."""
        try:
            with self.groups.entered(run.workflow.said.get("concurrency"), contexts, run.cancelled):
                self._jobs(run, run.workflow, contexts)
        except Unsupported as error:
            run.problem = str(error)
        except Exception as error:  # in a thread: whoever waits for the run is told
            run.problem = f"{type(error).__name__}: {error}"

    def _jobs(
        self, run: Run, workflow: Workflow, contexts: dict[str, Any], cap: Permissions | None = None
    ) -> list[JobRun]:
        """Every job after those that it needs; those that do not need each other run side by side."""
        done: dict[str, list[JobRun]] = {}
        ended = {name: threading.Event() for name in workflow.jobs}

        def one(job: Job) -> None:
            try:
                for name in job.needs:
                    ended[name].wait()
                done[job.id] = self._job(run, workflow, job, _after(contexts, job, done), cap)
            finally:
                ended[job.id].set()

        _side_by_side([lambda job=job: one(job) for job in order(workflow.jobs)])
        return [ran for runs in done.values() for ran in runs]

    def _job(
        self, run: Run, workflow: Workflow, job: Job, contexts: dict[str, Any], cap: Permissions | None
    ) -> list[JobRun]:
        """The job, once or for each entry of its matrix; skipped where its condition does not hold."""
        results = {one["result"] for one in contexts["needs"].values()}
        held = {
            "success": results <= {"success"} and not run.cancelled.is_set(),
            "failure": bool(results & {"failure", "lost"}),
            "cancelled": run.cancelled.is_set(),
            "always": True,
        }
        if not holds(job.said.get("if"), contexts, lambda asked: held[asked]):
            run.jobs.append(JobRun(job.id, result="skipped"))
            return run.jobs[-1:]
        permissions = _permissions(workflow, job, cap)
        if "uses" in job.said:
            path = str(job.said["uses"]).removeprefix("./")
            called = self.callable(run.sha, path)
            if called is None or "workflow_call" not in called.on:
                raise Unsupported(f"{workflow.path}: {job.id} calls {path}, which cannot be called")
            return self._jobs(run, called, {**contexts, "inputs": {}}, permissions)
        found = [{**contexts, "matrix": entry} for entry in _matrix(job, contexts)]
        runs = [JobRun(str(filled(job.said.get("name", job.id), one))) for one in found]
        run.jobs += runs

        def one(into: JobRun, contexts: dict[str, Any]) -> None:
            with self.groups.entered(job.said.get("concurrency"), contexts, run.cancelled):
                if run.cancelled.is_set():
                    into.result = "cancelled"
                else:
                    self._work(run, job, contexts, into, Actor(BOT, Path(workflow.path).stem, permissions))

        pairs = zip(runs, found, strict=True)
        _side_by_side([lambda into=into, known=known: one(into, known) for into, known in pairs])
        return runs

    def _work(self, run: Run, job: Job, contexts: dict[str, Any], into: JobRun, actor: Actor) -> None:
        wanted = filled(job.said["runs-on"], contexts)
        with self._machine(frozenset([wanted] if isinstance(wanted, str) else wanted)) as machine:
            token = self.tokens.give(actor)
            name = "".join(letter if letter.isalnum() else "-" for letter in into.name)
            home = self.home / "jobs" / f"{run.number:03d}-{actor.workflow}-{name}"
            (home / "home").mkdir(parents=True)
            into.machine = ", ".join(sorted(machine.labels - {"linux"}))
            github = {**contexts["github"], "token": token, "job": job.id, "workspace": str(home / "work")}
            environment = {**actions.clean_environment(home / "home"), **_variables(github), **run.environment}
            worker = Worker(
                home=home,
                job=job,
                contexts={**contexts, "github": github, "steps": {}, "env": run.workflow.said.get("env", {})},
                place=actions.Place(f"{self.url}/{REPOSITORY}.git", token, run.ref, run.sha, environment),
                machine=machine,
                environments=self.environments,
                run=into,
                cancelled=run.cancelled,
                blow=self._blow(into.name),
            )
            try:
                worker.work()
            finally:
                self.tokens.take_back(token)
                (home / "log.txt").write_text("\n".join(into.log) + "\n")

    def _blow(self, name: str) -> Blow | None:
        blow = self.blows.get(name)
        return blow if blow and not blow.fallen.is_set() else None

    @contextmanager
    def _machine(self, wanted: frozenset[str]) -> Iterator[Machine]:
        """One that has the labels, for itself. A hosted one is always to be had, the processors allowing."""
        if wanted == HOSTED:
            with self._hosted:
                yield Machine(HOSTED, {})
            return
        found = next((machine for machine in self.machines if wanted <= machine.labels), None)
        if found is None:
            raise Unsupported(f"no machine has the labels {sorted(wanted)}")
        with self._busy[found.labels]:
            yield found


def _after(contexts: dict[str, Any], job: Job, done: Mapping[str, list[JobRun]]) -> dict[str, Any]:
    """The contexts with what the jobs before said."""
    needs = {}
    for name in job.needs:
        found = [run.result for run in done.get(name, ())] or ["failure"]
        worst = next((one for one in ("lost", "failure", "cancelled", "skipped") if one in found), "success")
        outputs = {key: value for run in done.get(name, ()) for key, value in run.outputs.items()}
        needs[name] = {"result": worst, "outputs": outputs}
    return {**contexts, "needs": needs, "matrix": {}}


def _permissions(workflow: Workflow, job: Job, cap: Permissions | None) -> Permissions:
    """What the job's token may do. A called workflow's job may ask for no more than its caller has."""
    said = job.said.get("permissions", workflow.said.get("permissions"))
    if not isinstance(said, Mapping):
        raise Unsupported(f"{workflow.path}: {job.id} says no permissions one by one")
    more = {} if cap is None else {name for name, held in said.items() if cap.get(name) not in (held, "write")}
    if more:
        raise Unsupported(f"{workflow.path}: {job.id} asks for more than its caller has: {sorted(more)}")
    return said


def _matrix(job: Job, contexts: Mapping[str, Any]) -> list[dict[str, Any]]:
    matrix = filled(job.said.get("strategy", {}).get("matrix"), contexts)
    if matrix is None:
        return [{}]
    if set(matrix) != {"include"} or not matrix["include"]:
        raise Unsupported(f"{job.id}: the rehearsal plays a matrix of `include` alone, and not an empty one")
    return [dict(entry) for entry in matrix["include"]]


def _side_by_side(works: Sequence[Callable[[], None]]) -> None:
    """All of them, each in a thread. Raises the first error once all have ended."""
    errors: list[Exception] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _variables(github: Mapping[str, Any]) -> dict[str, str]:
    """What the forge puts into a job's environment from its own context; the token is no part of it."""
    kept = {f"GITHUB_{name.upper()}": str(value) for name, value in github.items() if name not in ("event", "token")}
    return {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_OS": "Linux", **kept}
