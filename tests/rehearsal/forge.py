"""A forge on this machine: a push, a pull request, a review, a dispatch or the clock decides which workflows run, as
their files at that commit say.

As on GitHub, what a job's own token pushes or opens starts no workflow, but for a dispatch.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.rehearsal.environments import Environments
from tests.rehearsal.expressions import Unsupported
from tests.rehearsal.job import Machine
from tests.rehearsal.pulls import BOT, REPOSITORY, Pull, Pulls
from tests.rehearsal.runs import Player, Run
from tests.rehearsal.server import Actor, Moved, Server, Tokens
from tests.rehearsal.workflow import Workflow, read, starts

FOLDER = ".github/workflows"
ABSENT = "0" * 40
HEADS = "refs/heads/"
MERGER = ("-c", "user.name=forge", "-c", "user.email=forge@example.com")


class Forge:
    """`home` holds what jobs leave, `origin` is the bare repository, `machines` are asked for by their labels."""

    def __init__(
        self,
        home: Path,
        origin: Path,
        machines: Sequence[Machine],
        environments: Environments,
        *,
        variables: Mapping[str, str] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.origin, self.variables, self.say = origin, dict(variables or {}), say
        self.tokens = Tokens()
        self.pulls = Pulls(self.tip, self._opened, self._started)
        self.server = Server(origin, self.tokens, self._moved, self.pulls.ask)
        self.pulls.address = self.server.url
        self.player = Player(home, self.server.url, self.tokens, machines, environments, self._callable)
        self.runs: list[Run] = []
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._own: dict[str, str] = {}

    def close(self) -> None:
        """End what is still at work, and the server."""
        for run in self.runs:
            run.cancelled.set()
        for thread in self._threads:
            thread.join(10)
        self.server.close()

    # what people and the clock do

    def url(self, name: str) -> str:
        """Where somebody clones from, with a token of theirs."""
        host = self.server.url.removeprefix("http://")
        return f"http://{name}:{self.tokens.give(Actor(name))}@{host}/{REPOSITORY}.git"

    def open(self, branch: str, *, title: str, by: str) -> Pull:
        return self.pulls.open(branch, title=title, by=by)

    def approve(self, pull: Pull, *, by: str) -> None:
        """A review of the forge's own, which `preview` asks for. It is no signature."""
        self.pulls.add_review(pull["number"], by, head=pull["head"]["sha"])
        review = {"state": "approved", "commit_id": pull["head"]["sha"], "user": {"login": by}}
        self._pull_event("pull_request_review", "submitted", pull, by, review=review)

    def dispatch(self, workflow: str, inputs: Mapping[str, str], *, by: str) -> None:
        self._started(workflow, "main", dict(inputs), Actor(by))

    def night(self, *, environment: Mapping[str, str] | None = None) -> None:
        """The forge's clock: what `on: schedule` starts, at the tip of main. `environment` is what the
        machines of these runs have beside their own."""
        self._own = dict(environment or {})
        self._deliver("schedule", "refs/heads/main", self._standing("main"), BOT, {"schedule": "17 3 * * *"})
        self._own = {}

    def settle(self) -> None:
        """Wait until no workflow is at work. Raises `Unsupported` where one could not be played."""
        while alive := [thread for thread in list(self._threads) if thread.is_alive()]:
            alive[0].join(0.5)
        problems = [f"{run.workflow.path}: {run.problem}" for run in self.runs if run.problem]
        problems += [f"the API was asked for {one}" for one in self.pulls.unplayed]
        if problems:
            raise Unsupported("\n".join(problems))

    # what git says

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.origin, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def tip(self, branch: str) -> str | None:
        return self.git("for-each-ref", "--format=%(objectname)", f"{HEADS}{branch}") or None

    def _standing(self, branch: str) -> str:
        found = self.tip(branch)
        assert found is not None, f"there is no branch {branch}"
        return found

    def _workflows(self, commit: str) -> list[Workflow]:
        names = self.git("ls-tree", "--name-only", commit, f"{FOLDER}/").splitlines()
        return [read(name, self.git("show", f"{commit}:{name}")) for name in names]

    def _callable(self, commit: str, path: str) -> Workflow | None:
        return next((one for one in self._workflows(commit) if one.path == path), None)

    # events

    def _moved(self, moves: list[Moved], actor: Actor) -> None:
        for move in moves:
            if not move.ref.startswith(HEADS) or move.new == ABSENT:
                continue
            branch = move.ref.removeprefix(HEADS)
            if branch == "main":
                self._merged(move.new)
            pull = self.pulls.of_branch(branch)
            if pull is not None:
                pull["head"]["sha"] = move.new
                self._stand(pull)
            if not actor.workflow:
                self._pushed(move, actor)
                if pull is not None:
                    self._pull_event("pull_request", "synchronize", pull, actor.name)

    def _pushed(self, move: Moved, actor: Actor) -> None:
        made = move.old == ABSENT
        old = self.git("hash-object", "-t", "tree", os.devnull) if made else move.old
        paths = self.git("diff", "--name-only", old, move.new).splitlines()
        said = {"ref": move.ref, "before": move.old, "after": move.new, "created": made, "deleted": False}
        more = {"forced": False, "pusher": {"name": actor.name}}
        branch = move.ref.removeprefix(HEADS)
        self._deliver("push", move.ref, move.new, actor.name, {**said, **more}, branch=branch, paths=paths)

    def _merged(self, main: str) -> None:
        """A pull request whose head is in main is merged."""
        for pull in self.pulls.pulls.values():
            inside = ["git", "merge-base", "--is-ancestor", pull["head"]["sha"], main]
            if pull["state"] == "open" and not subprocess.run(inside, cwd=self.origin, check=False).returncode:
                pull.update(state="closed", merged=True, merged_at="2026-11-21T10:00:00Z")

    def _stand(self, pull: Pull) -> None:
        """Where the head of a pull request is fetched from."""
        self.git("update-ref", f"refs/pull/{pull['number']}/head", pull["head"]["sha"])

    def _opened(self, pull: Pull, actor: Actor) -> None:
        self._stand(pull)
        if not actor.workflow:
            self._pull_event("pull_request", "opened", pull, actor.name)

    def _started(self, workflow: str, ref: str, inputs: dict[str, Any], actor: Actor) -> None:
        said = {"inputs": inputs, "ref": f"{HEADS}{ref}", "workflow": f"{FOLDER}/{workflow}"}
        who = BOT if actor.workflow else actor.name
        self._deliver("workflow_dispatch", f"{HEADS}{ref}", self._standing(ref), who, said, only=workflow)

    def _pull_event(self, event: str, action: str, pull: Pull, actor: str, **more: Any) -> None:
        """On the merge that the forge proposes. Where the branches conflict there is none, and no workflow runs."""
        base, head = self._standing(pull["base"]["ref"]), pull["head"]["sha"]
        tried = ["git", "merge-tree", "--write-tree", base, head]
        tree = subprocess.run(tried, cwd=self.origin, capture_output=True, text=True, check=False)
        if tree.returncode:
            self.say(f"  #{pull['number']} conflicts with {pull['base']['ref']}: no workflow runs")
            return
        message = f"Merge {head} into {base}"
        words = ("commit-tree", tree.stdout.split()[0], "-p", base, "-p", head, "-m", message)
        merge, ref = self.git(*MERGER, *words), f"refs/pull/{pull['number']}/merge"
        self.git("update-ref", ref, merge)
        paths = self.git("diff", "--name-only", f"{base}...{head}").splitlines()
        said = {"action": action, "number": pull["number"], "pull_request": pull, **more}
        at = {"branch": pull["base"]["ref"], "action": action, "paths": paths}
        self._deliver(event, ref, merge, actor, said, pull=pull, **at)

    def _deliver(
        self,
        event: str,
        ref: str,
        sha: str,
        actor: str,
        said: dict[str, Any],
        *,
        only: str = "",
        pull: Pull | None = None,
        **at: Any,
    ) -> None:
        """Start what the event starts, each workflow in a thread of its own."""
        owner = REPOSITORY.partition("/")[0]
        whole = {"full_name": REPOSITORY, "default_branch": "main", "owner": {"login": owner}, "private": True}
        payload = {**said, "repository": whole, "sender": {"login": actor}}
        github = {
            "event": payload,
            "event_name": event,
            "ref": ref,
            "ref_name": ref.removeprefix(HEADS).removeprefix("refs/"),
            "sha": sha,
            "base_ref": pull["base"]["ref"] if pull else "",
            "head_ref": pull["head"]["ref"] if pull else "",
            "repository": REPOSITORY,
            "repository_owner": owner,
            "actor": actor,
            "run_attempt": "1",
            "server_url": self.server.url,
            "api_url": self.pulls.url,
        }
        for workflow in self._workflows(sha):
            if (not only or Path(workflow.path).name == only) and starts(workflow, event, **at):
                with self._lock:
                    number = next(self._numbers)
                    run = Run(number, workflow, event, actor, ref, sha, pull["number"] if pull else 0, dict(self._own))
                    self.runs.append(run)
                own = {"run_id": str(number), "run_number": str(number), "workflow": workflow.name}
                inputs = payload.get("inputs", {})
                contexts = {"github": {**github, **own}, "inputs": inputs, "vars": self.variables}
                thread = threading.Thread(target=self.player.play, args=(run, contexts), daemon=True)
                self._threads.append(thread)
                thread.start()
