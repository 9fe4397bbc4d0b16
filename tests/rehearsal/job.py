"""One job of a workflow on a machine of its own: a fresh home, a fresh work tree, each step in `bash -e`."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.rehearsal import actions
from tests.rehearsal.environments import Environment, Environments, install_of
from tests.rehearsal.expressions import Unsupported, filled, holds
from tests.rehearsal.workflow import Job, Step

ANNOTATION = re.compile(r"::(?P<level>error|warning|notice)(?: (?P<where>[^:]*(?:%3A[^:]*)*))?::(?P<text>.*)")


class Annotation(NamedTuple):
    """What the forge shows at a line of the change."""

    level: str
    file: str
    line: str
    text: str


class Machine(NamedTuple):
    """A kind of runner: the labels that it has, and the environment that it starts jobs with."""

    labels: frozenset[str]
    environment: Mapping[str, str]


@dataclass
class Blow:
    """SIGKILL for a machine, as soon as a line of its log has `line`. It falls once."""

    line: str
    fallen: threading.Event = field(default_factory=threading.Event)


@dataclass
class JobRun:
    """What became of a job."""

    name: str
    machine: str = ""
    result: str = "queued"
    """`success`, `failure`, `skipped`, `cancelled` or `lost`, where its machine died."""
    outputs: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    summary: str = ""
    steps: list[tuple[str, int]] = field(default_factory=list)
    """The steps that ran commands, and what they exited with."""
    seconds: float = 0.0

    def failed_step(self) -> str:
        return next((f"{name} (exit code {code})" for name, code in self.steps if code), "")


@dataclass
class Worker:
    """Runs the job at `home`, which is its whole machine."""

    home: Path
    job: Job
    contexts: dict[str, Any]
    place: actions.Place
    machine: Machine
    environments: Environments
    run: JobRun
    cancelled: threading.Event
    blow: Blow | None = None
    say: Callable[[str], None] = lambda line: None
    _environment: Environment | None = None
    _added: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.home / "work"

    def work(self) -> None:
        """Every step whose condition holds. Raises `Unsupported`; a step that fails is the job's failure."""
        began = time.monotonic()
        self.workspace.mkdir(parents=True)
        (self.home / "temp").mkdir()
        (self.home / "event.json").write_text(json.dumps(self.contexts["github"]["event"], indent=1))
        self.run.result = "success"
        limit = threading.Timer(60 * float(self.job.said.get("timeout-minutes", 360)), self.cancelled.set)
        limit.daemon = True
        limit.start()
        try:
            for step in self.job.steps:
                if self.run.result == "lost":
                    break
                if holds(step.said.get("if"), self.contexts, self._status):
                    self._step(step)
            if self.cancelled.is_set() and self.run.result != "lost":
                self.run.result = "cancelled"
            said = self.job.said.get("outputs", {})
            self.run.outputs = {name: str(value or "") for name, value in filled(said, self.contexts).items()}
        finally:
            limit.cancel()
            self.run.seconds = time.monotonic() - began
            shutil.rmtree(self.home / "temp", ignore_errors=True)

    def _status(self, asked: str) -> bool:
        if asked == "always":
            return True
        if asked == "cancelled":
            return self.cancelled.is_set()
        return self.run.result == asked and not self.cancelled.is_set()

    def _step(self, step: Step) -> None:
        self._say(f"▸ {filled(step.name, self.contexts)}")
        if "uses" in step.said:
            code, outputs = self._act(step), {}
        else:
            code, outputs = self._bash(step)
            self.run.steps.append((step.name, code))
        if "id" in step.said:
            self.contexts["steps"][step.said["id"]] = {"outputs": outputs}
        if code:
            self._say(f"  exit code {code}")
            self.run.result = "lost" if self.blow and self.blow.fallen.is_set() and code < 0 else "failure"

    def _act(self, step: Step) -> int:
        given = filled(step.said.get("with", {}), self.contexts)
        name = actions.action(step.said["uses"], given)
        try:
            if name == "actions/checkout":
                self._say(f"  {actions.checkout(self.place, self.workspace, given)}")
            else:
                self._environment = self.environments.choose(self.job)
                self._say(f"  {actions.set_up_python(given, self._environment.python)}, {self._environment.words}")
        except subprocess.CalledProcessError as error:
            self._say(error.stderr.decode(errors="replace"))
            return 1
        return 0

    def _bash(self, step: Step) -> tuple[int, dict[str, str]]:
        text = filled(step.said["run"], self.contexts)
        where = self.workspace / str(step.said.get("working-directory", ""))
        if install_of(step.said["run"]):
            if self._environment is None:
                raise Unsupported(f"{self.job.id} installs before it has set up Python")
            with self.environments.installing(self._environment, text, where) as done:
                if done:
                    self._say(f"  {done}")
                    return 0, {}
                return self._run(step, text, where)
        return self._run(step, text, where)

    def _run(self, step: Step, text: str, where: Path) -> tuple[int, dict[str, str]]:
        files = {name: self.home / "temp" / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")}
        summary = self.home / "summary.md"
        for path in (*files.values(), summary):
            path.touch()
        script = self.home / "temp" / "step.sh"
        script.write_text(text + "\n")
        own = {name: str(path) for name, path in files.items()} | {"GITHUB_STEP_SUMMARY": str(summary)}
        said = {**self.job.said.get("env", {}), **step.said.get("env", {})}
        chosen = {name: _plain(value) for name, value in filled(said, self.contexts).items()}
        code = self._process(["bash", "-e", str(script)], where, {**self._variables(), **own, **chosen})
        self._added |= _assignments(files["GITHUB_ENV"].read_text())
        outputs = _assignments(files["GITHUB_OUTPUT"].read_text())
        self.run.summary = summary.read_text()
        for path in files.values():
            path.unlink()
        return code, outputs

    def _variables(self) -> dict[str, str]:
        event = {name: value for name, value in self.contexts["env"].items() if value is not None}
        own = {
            **self.place.environment,
            **self.machine.environment,
            **event,
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_EVENT_PATH": str(self.home / "event.json"),
            "RUNNER_TEMP": str(self.home / "temp"),
            **self._added,
        }
        if self._environment is not None:
            own["PATH"] = f"{self._environment.python.parent}:{own['PATH']}"
        return own

    def _process(self, command: list[str], where: Path, environment: Mapping[str, str]) -> int:
        """The exit code; below nought where a signal ended it. The whole group dies with it."""
        process = subprocess.Popen(
            command,
            cwd=where,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        watch = threading.Thread(target=self._end_if_cancelled, args=(process,), daemon=True)
        watch.start()
        assert process.stdout is not None
        for line in process.stdout:
            self._say(f"  {line.rstrip()}")
            if annotation := ANNOTATION.search(line):
                self.run.annotations.append(_annotation(annotation))
            if self.blow and self.blow.line in line and not self.blow.fallen.is_set():
                self.blow.fallen.set()
                self._say("  ⚡ the machine is killed (SIGKILL)")
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def _end_if_cancelled(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if self.cancelled.wait(0.2):
                os.killpg(process.pid, signal.SIGTERM)
                return

    def _say(self, line: str) -> None:
        self.run.log.append(line)
        self.say(line)


def _plain(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _assignments(text: str) -> dict[str, str]:
    """`name=value` lines, and `name<<END` blocks, as GITHUB_OUTPUT and GITHUB_ENV take them."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if mark and "=" not in name:
            block = []
            for one in lines:
                if one == end:
                    break
                block.append(one)
            found[name] = "\n".join(block)
        elif line:
            name, equals, value = line.partition("=")
            if not equals:
                raise Unsupported(f"not an assignment: {line!r}")
            found[name] = value
    return found


def _annotation(match: re.Match[str]) -> Annotation:
    def plain(text: str) -> str:
        for code, sign in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
            text = text.replace(code, sign)
        return text

    where = dict(part.split("=", 1) for part in (match["where"] or "").split(",") if "=" in part)
    return Annotation(match["level"], plain(where.get("file", "")), where.get("line", ""), plain(match["text"]))
