"""The rehearsal of `.gitlab-ci.yml`: its jobs by `gitlab-ci-local` (npm, shell executor), in clones of the same origin.

`gitlab-ci-local` decides from the file which jobs an event has and in what order they run. It knows no runners, no
protected branches and no tokens: which machine's environment and whose token a pipeline has is said here. Versions from
4.74 on do not start on Node 20, and those about 4.60 do not install without a compiler.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.edges.forge_files import forge_files
from tests.rehearsal.actions import clean_environment
from tests.rehearsal.origin import Origin
from tests.rehearsal.people import People
from tests.rehearsal.play import Row, Texts, Wrong
from tests.rehearsal.pulls import REPOSITORY
from tests.rehearsal.server import Actor
from tests.rehearsal.world import THREADS, World, simulated, small_desk

VERSION = "4.73.0"
FILE = ".gitlab-ci.yml"
_ENDED = re.compile(r"^ *(PASS|FAIL|WARN) +(\S+)", re.MULTILINE)
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
NEEDED = ("npm", "rsync")
QUIETLY = ("--ignore-predefined-vars", "CI_PIPELINE_SOURCE")
"""A pipeline has the source that is said here."""


def missing() -> str:
    """Sets rsync up from Debian where root may; says what is not to be had, or nothing."""
    if shutil.which("rsync") is None and shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "rsync"]):
            subprocess.run(["apt-get", "-qq", *words], env=environment, capture_output=True, check=False)
    return ", ".join(name for name in NEEDED if shutil.which(name) is None)


def installed(folder: Path) -> Path:
    """The program, from the npm registry, once for a folder. Raises `Wrong` where npm fails."""
    program = folder / "node_modules" / ".bin" / "gitlab-ci-local"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}\n")
        words = ["npm", "install", "--no-audit", "--no-fund", "--save-exact", f"gitlab-ci-local@{VERSION}"]
        done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Wrong(f"npm could not install gitlab-ci-local {VERSION}:\n{done.stderr[-2000:]}")
    return program


@dataclass(frozen=True)
class Pipeline:
    """How the jobs of a pipeline ended, and what was said."""

    jobs: Mapping[str, str]
    said: str
    clone: Path

    def artifact(self, job: str, name: str) -> Path:
        return self.clone / ".gitlab-ci-local" / "artifacts" / job / name


class GitLab:
    def __init__(self, world: World, program: Path, show: Callable[[Row], None]) -> None:
        self.world, self.program, self.show = world, program, show
        self.forge, self.people = world.forge, People(world)
        self.cluster, self.rows = world.cluster, list[Row]()
        self.origin = Origin(self.forge, self.cluster)

    def pipeline(
        self, event: str, source: str, *, commit: str = "main", key: str = "", job: str = "", **variables: str
    ) -> Pipeline:
        """What a push, a merge request, a schedule or a person by hand starts, in a fresh clone at `commit`.

        `key` says whose machine it is: of CI, or of the gate; on another there is no key, and a token that reads. With
        `job`, that one alone, which runs on another machine than the rest.
        """
        number = len(self.rows) + 1
        home = self.world.home / "jobs" / f"gitlab-{number:02d}"
        (home / "home").mkdir(parents=True)
        actor = Actor("gitlab", {"ci": "iterate", "gate": "promote"}.get(key, "check"), {"contents": _right(key)})
        url = self.forge.server.url.replace("http://", f"http://gitlab-ci-token:{self.forge.tokens.give(actor)}@")
        environment = {**clean_environment(home / "home"), **THREADS, **self._environment(key)}
        clone = home / "work"
        for words in (["clone", "--quiet", f"{url}/{REPOSITORY}.git", str(clone)],
                      ["-C", str(clone), "checkout", "--quiet", *_at(commit)]):  # fmt: skip
            subprocess.run(["git", *words], env=environment, check=True, capture_output=True)
        said = {"CI_PIPELINE_SOURCE": source, **variables}
        given = [part for name, value in said.items() for part in ("--variable", f"{name}={value}")]
        options = ["--force-shell-executor", "--shell-isolation", "--no-color", *QUIETLY, *given, *filter(None, [job])]
        done = subprocess.run(
            [str(self.program), *options],
            cwd=clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        text = _ESCAPE.sub("", done.stdout + done.stderr)
        (home / "log.txt").write_text(text)
        found = Pipeline({name: how.lower() for how, name in _ENDED.findall(text)}, text, clone)
        jobs = tuple(f"{name}: {how}" for name, how in found.jobs.items())
        self.rows.append(
            Row(event, f"GitLab ({source})", jobs, "failure" if done.returncode else "success", self.origin.since())
        )
        self.show(self.rows[-1])
        return found

    def _environment(self, key: str) -> dict[str, str]:
        own = {"ci": "HALLMARK_CI_KEY", "gate": "HALLMARK_GATE_KEY"}
        named = {own[key]: str(self.world.keys / key)} if key else {}
        return {**named, "PATH": f"{self.world.hallmark.parent}:{os.environ['PATH']}"}

    def must(self, holds: bool, what: str, found: Pipeline) -> None:
        if not holds:
            raise Wrong(f"it must be so: {what}\n{found.said[-6000:]}")

    def ended(self, found: Pipeline, **jobs: str) -> None:
        self.must(dict(found.jobs) == jobs, f"the jobs end so: {jobs}, and not {dict(found.jobs)}", found)

    def play(self, texts: Texts) -> None:
        self.merge_requests(texts)
        self.iterations()
        self.promotion()

    def merge_requests(self, texts: Texts) -> None:
        request = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
        self.people.scenario("hazel", "bad", like=texts.like, name="core-rehearsed-bad", text=texts.second,
                             extra="rubric: no-such-rubric\n")  # fmt: skip
        found = self.pipeline("a merge request with a field twice", "merge_request_event", commit="bad", **request)
        self.ended(found, records="fail", gate="fail", review="pass")
        report = json.loads(found.artifact("review", "gl-code-quality-report.json").read_text())
        at = [one["location"] for one in report if one["severity"] == "blocker"]
        path = f"scenarios/{self.cluster}/core/core-rehearsed-bad.yaml"
        self.must(any(one["path"] == path and one["lines"]["begin"] > 1 for one in at), f"a remark in {path}", found)
        self.people.scenario("ash", "first", like=texts.like, name="core-rehearsed-1", text=texts.first)
        self.people.sign("ash", "first")
        self.people.approve("rowan", "first")
        found = self.pipeline("a signed one", "merge_request_event", commit="first", **request)
        self.ended(found, records="pass", gate="pass", review="pass")
        self.must("core-rehearsed-1" in found.artifact("review", "review.md").read_text(), "the review names it", found)
        self.people.merge("ash", "first")

    def iterations(self) -> None:
        found = self.pipeline("it is merged", "push", key="ci")
        self.ended(found, iterate="pass", propose="pass", watch="pass")
        branch = self.forge.git("for-each-ref", "--format=%(refname:short)", "refs/heads/triage/")
        self.must(bool(branch), "the iteration waits for people", found)
        self.people.triage("rowan", branch)
        self.people.merge("rowan", branch)
        found = self.pipeline("rowan has decided on the candidates, and merged", "push", key="ci")
        self.ended(found, iterate="pass", propose="pass", watch="pass")
        self.must(self.forge.tip(f"promote/{self.cluster}/1") is not None, "the candidate is proposed", found)

    def promotion(self) -> None:
        for person in ("ash", "hazel"):
            self.people.approve(person, f"{self.cluster}/1")
        self.people.merge("ash", f"promote/{self.cluster}/1")
        root = {"HALLMARK_ROOT": self.world.root}
        found = self.pipeline("two people have approved the promotion, one has merged it", "push", key="gate",
                              job="promote", **root)  # fmt: skip
        self.must(found.jobs.get("promote") == "pass", "the receipt is written and main verified", found)
        found = self.pipeline("the nightly schedule", "schedule", key="ci")
        self.ended(found, triggers="pass", iterate="pass", propose="pass", watch="pass")
        asked = {"ROLLBACK_CLUSTER": self.cluster, "ROLLBACK_TO": "", "ROLLBACK_WHY": "Refunds go wrong."}
        found = self.pipeline("linden starts a rollback by hand", "web", key="ci", **asked)
        self.ended(found, rollback="pass")
        self.must(self.forge.tip(f"rollback/{self.cluster}/2") is not None, "the way back is proposed", found)


def _right(key: str) -> str:
    return "write" if key else "read"


def _at(commit: str) -> list[str]:
    """A merge request's pipeline stands at its head and on no branch; others stand on theirs."""
    return ["-B", "main", "origin/main"] if commit == "main" else ["--detach", f"origin/{commit}"]


def gitlab_desk(world: World) -> None:
    """The small desk with GitLab's file in the place of GitHub's."""
    small_desk(world)
    shutil.rmtree(world.seed / ".github")
    (world.seed / FILE).write_bytes(forge_files("gitlab")[FILE])


def rehearse(home: Path, texts: Texts, show: Callable[[Row], None]) -> list[Row]:
    """Play `.gitlab-ci.yml` with simulated models in `home`, which is made anew. Raises `Wrong`."""
    shutil.rmtree(home, ignore_errors=True)
    world = simulated(home)
    forge = world.begin(gitlab_desk)
    gitlab = GitLab(world, installed(home.parent / f"gitlab-ci-local-{VERSION}"), show)
    try:
        gitlab.play(texts)
    finally:
        forge.close()
    return gitlab.rows
