"""The rehearsal: what people do in a month, one event after the other, and what the workflows make of each.

Every act says what must come of it. What does not raises `Wrong`, with the logs of the jobs that ran.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.rehearsal.job import Blow, JobRun
from tests.rehearsal.origin import Origin
from tests.rehearsal.people import People
from tests.rehearsal.runs import Run
from tests.rehearsal.world import World

REVIEW = "<!-- hallmark-review -->"


class Wrong(Exception):
    """Something else came of an act than must."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    event: str
    workflow: str = ""
    jobs: tuple[str, ...] = ()
    result: str = ""
    became: str = ""


@dataclass(frozen=True)
class Texts:
    """What the acts write into the benchmark: an old scenario to go by, and new texts of its capability."""

    like: str
    first: str
    second: str
    third: str


@dataclass
class Play:
    world: World
    texts: Texts
    strike: str
    """A line in the log of `iterate` at which its machine is killed."""
    show: Callable[[Row], None] = lambda row: None
    rows: list[Row] = field(default_factory=list)
    _seen: int = 0

    def __post_init__(self) -> None:
        self.forge, self.people = self.world.forge, People(self.world)
        self.cluster = self.world.cluster
        self.origin = Origin(self.forge, self.cluster)

    def run(self) -> None:
        self.scenario()
        self.bad_scenario()
        self.two_at_once()
        self.triage_and_a_kill()
        self.taken_up()
        self.promotion()
        self.preview()
        self.night()
        self.rollback()

    # the acts

    def scenario(self) -> None:
        """One comment, written over at the next push; the gate asks for signatures until it has them."""
        self.people.scenario("ash", "first", like=self.texts.like, name="core-rehearsed-1", text=self.texts.first)
        pull = self.forge.open("first", title="A scenario", by="ash")["number"]
        (check,) = self.played("ash opens a pull request with a scenario")
        self.want(check, records="success", gate="failure", review="success")
        self.must("nobody signed the proposal" in _log(check, "gate"), "the gate asks for a signature", check)
        (before,) = self.comments(pull)
        self.must("core-rehearsed-1" in before["body"], "the comment names the scenario", check)
        self.people.sign("ash", "first")
        self.people.approve("rowan", "first")
        check = self.played("ash signs the proposal, rowan approves")[-1]
        self.want(check, records="success", gate="success", review="success")
        (after,) = self.comments(pull)
        self.must(after["id"] == before["id"] and after["body"] != before["body"], "the one comment is updated", check)

    def bad_scenario(self) -> None:
        """Refused, with what is wrong at file and line; main stays."""
        extra = "rubric: no-such-rubric\n"
        name = "core-rehearsed-bad"
        self.people.scenario("hazel", "bad", like=self.texts.like, name=name, text=self.texts.second, extra=extra)
        self.forge.open("bad", title="A hurried scenario", by="hazel")
        (check,) = self.played("hazel opens one with a field twice")
        self.must(check.job("records").result == "failure", "records fails", check)
        path = f"scenarios/{self.cluster}/core/{name}.yaml"
        at = [
            one
            for job in check.jobs
            for one in job.annotations
            if one.file == path and one.level == "error" and one.line
        ]
        self.must(bool(at), f"an annotation at a line of {path}", check)
        before = self.forge.tip("main")
        self.people.merge("hazel", "bad", check=False)
        self.must(self.forge.tip("main") == before, "the hook keeps it off main", check)
        self.note("hazel pushes it to main all the same", f"refused by the hook; {path}:{at[0].line}")

    def two_at_once(self) -> None:
        """Two people merge at the same moment: both land, one after the other, and one iteration comes of it."""
        self.people.scenario("hazel", "second", like=self.texts.like, name="core-rehearsed-2", text=self.texts.second)
        self.people.sign("hazel", "second")
        self.people.approve("rowan", "second")
        self.forge.settle()
        mergers = [
            threading.Thread(target=self.people.merge, args=pair) for pair in (("ash", "first"), ("hazel", "second"))
        ]
        for merger in mergers:
            merger.start()
        for merger in mergers:
            merger.join()
        runs = self.played("ash and hazel merge two scenarios at the same moment")
        main = self.forge.git("ls-tree", "-r", "--name-only", "main", f"scenarios/{self.cluster}/core/")
        both = all(f"core-rehearsed-{n}.yaml" in main for n in (1, 2))
        self.must(both, "both scenarios are on main", *runs)
        self.must(self.people.lost <= 1, "at most one of the two came second", *runs)
        branch = self.origin.waiting("triage")
        self.must(bool(branch), "the iteration has come to its human gate", *runs)
        pull = self.forge.pulls.of_branch(branch)
        self.must(pull is not None and pull["user"]["type"] == "Bot", "CI has opened its pull request", *runs)
        self.must(len(self.origin.branches("runs")) == 1, "one iteration has run", *runs)

    def triage_and_a_kill(self) -> None:
        branch = self.origin.waiting("triage")
        said = self.people.triage("rowan", branch)
        (check,) = [
            run for run in self.played(f"rowan decides on the candidates: {said}") if run.event == "pull_request"
        ]
        self.must(check.job("gate").result == "success", "the gate lets the decisions through", check)
        blow = Blow(self.strike)
        self.forge.player.blows[f"iterate {self.cluster}"] = blow
        self.people.merge("rowan", branch)
        runs = self.played("rowan merges; the machine is killed in the middle of iterate")
        self.must(blow.fallen.is_set(), f"the machine was killed at {self.strike!r}", *runs)
        self.must(any(job.result == "lost" for run in runs for job in run.jobs), "the job is lost", *runs)
        self.must(not self.origin.waiting("promote"), "nothing is proposed", *runs)

    def taken_up(self) -> None:
        before = self.origin.passed()
        self.people.docs("linden", "The machine in the corner is off again.")
        runs = self.played("linden pushes a page; the next runner finds the iteration in the middle")
        again = [phase for phase in self.origin.passed()[len(before) :] if phase in before]
        self.must(not again, "no phase was done twice", *runs)
        self.must(len(self.origin.branches("runs")) == 1, "it is the same iteration", *runs)
        self.must(self.origin.waiting("promote") == f"promote/{self.cluster}/1", "the candidate is proposed", *runs)
        pull = self.forge.pulls.of_branch(f"promote/{self.cluster}/1")
        self.must(pull is not None, "and has its pull request", *runs)

    def promotion(self) -> None:
        target = f"{self.cluster}/1"
        self.people.approve("ash", target)
        self.people.approve("hazel", target)
        runs = self.played("ash and hazel approve the promotion")
        check = [run for run in runs if run.event == "pull_request"][-1]
        self.must(check.job("gate").result == "success", "the gate passes with two signatures", check)
        self.people.merge("ash", f"promote/{target}")
        self._received("ash merges it", 1)

    def preview(self) -> None:
        """The owner's approval on the forge has the model asked that serves now; it is said in the one comment."""
        self.people.scenario("hazel", "third", like=self.texts.like, name="core-rehearsed-3", text=self.texts.third)
        pull = self.forge.open("third", title="One more", by="hazel")
        self.played("hazel opens a pull request with one more scenario")
        (before,) = self.comments(pull["number"])
        self.forge.approve(pull, by="rowan")
        asked, told = self.played("rowan, who owns scenarios, approves it on the forge")
        self.want(asked, ask="success", preview="skipped")
        self.want(told, ask="skipped", preview="success")
        (after,) = self.comments(pull["number"])
        self.must(after["id"] == before["id"] and after["body"] != before["body"], "the comment has the answer", told)

    def rollback(self) -> None:
        inputs = {"cluster": self.cluster, "to": "", "why": "Refunds go to the wrong queue."}
        self.forge.dispatch("rollback.yaml", inputs, by="linden")
        (run,) = self.played("linden starts the workflow `rollback`")
        branch = self.origin.waiting("rollback")
        self.must(bool(branch), "it is proposed, with its pull request", run)
        self.people.approve("linden", branch)
        runs = self.played("linden, who is on call, signs it")
        self.must(runs[-1].job("gate").result == "success", "the gate passes with one signature", *runs)
        self.people.merge("linden", branch)
        self._received("linden merges it", 2)

    def night(self) -> None:
        before = len(self.origin.branches("runs"))
        self.forge.night(environment=self.world.later(days=8))
        (run,) = self.played("eight days later: the nightly look at the triggers")
        self.must(len(self.origin.branches("runs")) == before + 1, "what fired was queued and iterated", run)

    def _received(self, event: str, sequence: int) -> None:
        """After the merge: the receipt in the ledger, the tag, and main verified from its root."""
        runs = self.played(event)
        promote = next(run for run in runs if run.workflow.name == "promote")
        self.must(promote.result == "success", "the workflow `promote` passes", promote)
        tag = f"refs/tags/promotions/{self.cluster}/{sequence}"
        self.must(tag in self.origin.refs, f"there is the tag {tag}", promote)
        self.must(any("receipt" in line for line in promote.job("promote").log), "and the receipt", promote)

    # what is looked at

    def played(self, event: str) -> list[Run]:
        """What the event started, each a row, once all of it has ended."""
        self.forge.settle()
        runs, self._seen = self.forge.runs[self._seen :], len(self.forge.runs)
        became = self.origin.since()
        for at, run in enumerate(runs):
            jobs = tuple(_told(job) for job in run.jobs)
            last = at == len(runs) - 1
            self._add(
                Row(event if at == 0 else "", f"{run.workflow.name} ({run.event})", jobs, run.result, became * last)
            )
        if not runs:
            self._add(Row(event, became=became))
        return runs

    def note(self, event: str, became: str) -> None:
        self._add(Row(event, became=became))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self.show(row)

    def want(self, run: Run, **results: str) -> None:
        for name, result in results.items():
            self.must(run.job(name).result == result, f"{name} ends with {result}", run)

    def must(self, holds: bool, what: str, *runs: Run) -> None:
        if not holds:
            logs = "\n".join(_tail(run, job) for run in runs for job in run.jobs)
            raise Wrong(f"it must be so: {what}\n{logs}")

    def comments(self, number: int) -> list[dict[str, str]]:
        return [dict(one) for one in self.forge.pulls.comments.get(number, ()) if one["body"].startswith(REVIEW)]


def _tail(run: Run, job: JobRun) -> str:
    return "\n".join([f"── {run.workflow.name}: {job.name}: {job.result}", *job.log[-25:]])


def _log(run: Run, job: str) -> str:
    return "\n".join(run.job(job).log)


def _told(job: JobRun) -> str:
    return f"{job.name}: {job.result}" + (f" at {job.failed_step()}" if job.result == "failure" else "")
