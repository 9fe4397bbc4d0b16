"""The dress rehearsal's own parts: what it plays as the forge would, and what it refuses to play."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.edges.forge_files import forge_files
from runner.edges.simulated import MemoryAdapters, SimulatedModels
from runner.rules.loop.escalation_page import escalation_branch
from runner.wiring import flywheel
from tests.governed_desk import GovernedDesk
from tests.rehearsal.__main__ import SMALL
from tests.rehearsal.actions import Place, action, checkout, clean_environment
from tests.rehearsal.concurrency import Groups
from tests.rehearsal.environments import Installed, Prebuilt, install_of
from tests.rehearsal.expressions import Unsupported, evaluate, filled, holds
from tests.rehearsal.job import Blow, JobRun, Machine, Worker
from tests.rehearsal.play import Play, Wrong
from tests.rehearsal.pulls import Pulls
from tests.rehearsal.runs import Run
from tests.rehearsal.server import RULES, Actor, Moved, Server, Tokens, guard
from tests.rehearsal.simulated import simulate
from tests.rehearsal.workflow import Job, Step, glob, read, selected, starts
from tests.rehearsal.world import ROOT, simulated, small_desk

CONTEXTS: dict[str, Any] = {
    "github": {"event": {"before": "", "pull_request": {"number": 7.0}}, "sha": "abc", "ref": "refs/heads/main"},
    "needs": {"plan": {"outputs": {"any": "true", "matrix": '{"include":[{"cluster":"a"}]}'}}},
    "inputs": {"cluster": "desk"},
}
PIN = "actions/checkout@" + "1" * 40


# expressions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.event.before || github.sha", "abc"),
        ("github.event.pull_request.number", 7.0),
        ("needs.plan.outputs.any == 'true' && github.ref == 'refs/heads/main'", True),
        ("fromJSON(needs.plan.outputs.matrix)", {"include": [{"cluster": "a"}]}),
        ("!(inputs.cluster != 'DESK')", True),
        ("inputs['cluster']", "desk"),
        ("inputs.nothing || 'it''s'", "it's"),
        ("'1' == 1", True),
        ("null == ''", True),
        ("contains(inputs.cluster, 'ES')", True),
        ("startsWith(github.ref, 'refs/heads/')", True),
    ],
)
def test_expressions_say_what_the_forge_says(text: str, value: object) -> None:
    assert evaluate(text, CONTEXTS) == value


@pytest.mark.parametrize(
    "text",
    [
        "secrets.KEY",
        "github.actor",
        "github",
        "hashFiles('**/lock')",
        "github.sha > 1",
        "github.sha ??",
        "success(1)",
        "(github.sha",
        "github.*",
        "format('{0}', 1)",
        "1 2",
        "",
    ],
)
def test_what_is_outside_the_small_set_is_refused(text: str) -> None:
    with pytest.raises(Unsupported):
        evaluate(text, CONTEXTS)


def test_text_is_filled_and_one_expression_keeps_its_type() -> None:
    said = {"group": "iterate-${{ inputs.cluster }}", "matrix": "${{ fromJSON(needs.plan.outputs.matrix) }}", "n": 3}
    assert filled(said, CONTEXTS) == {"group": "iterate-desk", "matrix": {"include": [{"cluster": "a"}]}, "n": 3}
    assert filled("a ${{ github.event.pull_request.number }} b", CONTEXTS) == "a 7 b"
    assert filled("${{ inputs.cluster }}-${{ github.sha }}", CONTEXTS) == "desk-abc"


@pytest.mark.parametrize(
    ("condition", "after", "runs"),
    [
        (None, "success", True),
        (None, "failure", False),
        ("success() || failure()", "failure", True),
        ("success() || failure()", "cancelled", False),
        ("inputs.cluster == 'desk'", "success", True),
        ("inputs.cluster == 'desk'", "failure", False),
        ("${{ always() }}", "cancelled", True),
        (False, "success", False),
    ],
)
def test_a_step_runs_after_what_its_condition_says(condition: str | None, after: str, runs: bool) -> None:
    assert holds(condition, CONTEXTS, lambda asked: asked in (after, "always")) == runs


# workflow files


@pytest.mark.parametrize("forge", ["github"])
def test_every_workflow_that_hallmark_writes_can_be_played(forge: str) -> None:
    found = {path: read(path, data.decode()) for path, data in forge_files(forge).items() if "/workflows/" in path}
    assert {workflow.name for workflow in found.values()} >= {"check", "iterate", "promote", "rollback", "triggers"}
    for workflow in found.values():
        for job in workflow.jobs.values():
            for step in job.steps:
                if "uses" in step.said:
                    action(step.said["uses"], step.said.get("with", {}))


GOOD: dict[str, Any] = {
    "on": {"push": {"branches": ["main"]}},
    "permissions": {},
    "jobs": {"one": {"runs-on": "ubuntu-24.04", "steps": [{"run": "true"}]}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"on": {"pull_request_target": {}}},
        {"on": {"push": {"branches-ignore": ["x"]}}},
        {"defaults": {"run": {"shell": "sh"}}},
        {"jobs": {"one": {"runs-on": "x", "container": "y", "steps": [{"run": "true"}]}}},
        {"jobs": {"one": {"runs-on": "x", "steps": [{"run": "true", "continue-on-error": True}]}}},
        {"jobs": {"one": {"runs-on": "x", "steps": [{"run": "true", "uses": "y"}]}}},
        {"jobs": {"one": {"runs-on": "x", "needs": "two", "steps": [{"run": "true"}]}}},
        {"jobs": {"one": {"runs-on": "x", "strategy": {"max-parallel": 1}, "steps": [{"run": "true"}]}}},
        {"jobs": {"one": {"runs-on": "x"}}},
    ],
)
def test_a_workflow_that_asks_for_more_is_refused(change: dict[str, Any]) -> None:
    assert read("good.yaml", yaml.safe_dump(GOOD)).jobs["one"].steps
    with pytest.raises(Unsupported):
        read("bad.yaml", yaml.safe_dump({**GOOD, **change}))


@pytest.mark.parametrize(
    ("uses", "given"),
    [
        ("actions/checkout@v4", {}),
        (PIN, {"submodules": True}),
        ("actions/cache@" + "1" * 40, {}),
        (PIN + " ", {}),
    ],
)
def test_an_action_that_is_not_played_is_refused(uses: str, given: dict[str, Any]) -> None:
    assert action(PIN, {"ref": "main"}) == "actions/checkout"
    with pytest.raises(Unsupported):
        action(uses, given)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("clusters/*/promotions/**", "clusters/desk/promotions/1/record.yaml", True),
        ("clusters/*/promotions/**", "clusters/a/b/promotions/1", False),
        ("**/*.yaml", "params.yaml", True),
        ("*.yaml", "a/params.yaml", False),
        ("a.yaml", "axyaml", False),
    ],
)
def test_filters_match_as_the_forges_do(pattern: str, name: str, fits: bool) -> None:
    assert glob(pattern, name) == fits


def test_the_last_pattern_that_matches_decides() -> None:
    patterns = ["clusters/**", "!clusters/*/promotions/**"]
    assert selected(patterns, "clusters/desk/cluster.yaml")
    assert not selected(patterns, "clusters/desk/promotions/1/record.yaml")
    assert not selected(patterns, "README.md")


def test_the_event_decides_which_workflows_run() -> None:
    said = {path: read(path, data.decode()) for path, data in forge_files("github").items() if "/workflows/" in path}

    def started(event: str, **at: Any) -> set[str]:
        return {workflow.name for workflow in said.values() if starts(workflow, event, **at)}

    record = "clusters/desk/promotions/1/record.yaml"
    assert started("push", branch="main", paths=["README.md"]) == {"iterate"}
    assert started("push", branch="main", paths=[record]) == {"iterate", "promote"}
    assert started("push", branch="triage/desk/x", paths=[record]) == set()
    assert started("pull_request", branch="main", action="opened") == {"check"}
    assert started("pull_request", branch="main", action="closed") == set()
    assert started("pull_request", branch="release", action="opened") == set()
    assert started("pull_request_review", action="submitted") == {"preview"}
    assert started("schedule") == {"triggers"}


# jobs


def worker(tmp_path: Path, *steps: dict[str, Any], **more: Any) -> Worker:
    job = Job("one", {"runs-on": "x", **more.pop("job", {})}, [Step(step) for step in steps])
    home = tmp_path / "machine"
    (home / "home").mkdir(parents=True)
    environment = clean_environment(home / "home")
    return Worker(
        home=home,
        job=job,
        contexts={"github": {"event": {"number": 3}}, "steps": {}, "env": {"LEVEL": "workflow"}, "needs": {}},
        place=Place("", "", "refs/heads/main", "", environment),
        machine=Machine(frozenset(), {"HALLMARK_CI_KEY": "/etc/hallmark/ci"}),
        environments=Prebuilt(Path("/bin/true")),
        run=JobRun("one"),
        cancelled=threading.Event(),
        **more,
    )


def test_steps_speak_through_the_forges_files(tmp_path: Path) -> None:
    played = worker(
        tmp_path,
        {"id": "first", "run": 'echo "any=true" >> "$GITHUB_OUTPUT"\necho "SEEN=yes" >> "$GITHUB_ENV"'},
        {"id": "block", "run": 'printf "many<<END\\na=1\\nb\\nEND\\n" >> "$GITHUB_OUTPUT"'},
        {"run": 'echo "$SEEN $LEVEL $OWN $HALLMARK_CI_KEY $(cat "$GITHUB_EVENT_PATH")"', "env": {"OWN": "step"}},
        {"run": 'echo "# read" >> "$GITHUB_STEP_SUMMARY"'},
        job={"outputs": {"any": "${{ steps.first.outputs.any }}", "many": "${{ steps.block.outputs.many }}"}},
    )
    played.work()
    assert played.run.result == "success"
    assert played.run.outputs == {"any": "true", "many": "a=1\nb"}
    assert "  yes workflow step /etc/hallmark/ci {" in played.run.log
    assert played.run.summary == "# read\n"


def test_a_failed_command_ends_its_step_and_what_asks_for_success(tmp_path: Path) -> None:
    played = worker(
        tmp_path,
        {"run": "mkdir deep"},
        {"run": "false\necho after"},
        {"run": "echo skipped"},
        {"run": "pwd", "if": "success() || failure()", "working-directory": "deep"},
        {"run": "echo never", "if": "cancelled()"},
    )
    played.work()
    assert played.run.result == "failure"
    assert played.run.failed_step() == "false\necho after (exit code 1)"
    said = [line for line in played.run.log if line.startswith("  ")]
    assert said == ["  exit code 1", f"  {played.workspace / 'deep'}"]


def test_a_machine_that_is_killed_takes_its_whole_group_and_its_job_is_lost(tmp_path: Path) -> None:
    blow = Blow("at work")
    mark = tmp_path / "survived"
    script = f"(sleep 1; touch {mark}) &\necho at work\nsleep 30\n"
    played = worker(tmp_path, {"run": script}, {"run": "echo next", "if": "always()"}, blow=blow)
    played.work()
    assert (played.run.result, blow.fallen.is_set()) == ("lost", True)
    assert "  next" not in played.run.log
    time.sleep(1.2)
    assert not mark.exists()


def test_annotations_are_read_with_their_place(tmp_path: Path) -> None:
    played = worker(tmp_path, {"run": 'echo "::error file=a%2Cb.yaml,line=3::twice%3A 50%25%0Amore"'})
    played.work()
    (found,) = played.run.annotations
    assert found == ("error", "a,b.yaml", "3", "twice: 50%\nmore")


def test_a_cancelled_job_ends_at_once(tmp_path: Path) -> None:
    played = worker(tmp_path, {"run": "sleep 30"})
    threading.Timer(0.3, played.cancelled.set).start()
    began = time.monotonic()
    played.work()
    assert played.run.result == "cancelled"
    assert time.monotonic() - began < 10


def test_one_works_one_waits_and_a_newer_one_throws_out_who_waits() -> None:
    groups, order = Groups(), []
    tickets = {name: threading.Event() for name in "abc"}
    gate = threading.Event()

    def hold(name: str) -> None:
        with groups.entered({"group": "g", "cancel-in-progress": False}, {}, tickets[name]):
            order.append((name, tickets[name].is_set()))
            if name == "a":
                gate.wait(10)

    threads = []
    for name in "abc":
        threads.append(threading.Thread(target=hold, args=(name,)))
        threads[-1].start()
        time.sleep(0.1)
    gate.set()
    for thread in threads:
        thread.join(10)
    assert order == [("a", False), ("b", True), ("c", False)]


def test_a_newer_one_ends_who_is_at_work_where_the_workflow_says_so() -> None:
    groups, first, second = Groups(), threading.Event(), threading.Event()
    said = {"group": "g", "cancel-in-progress": True}
    inside = threading.Event()

    def hold() -> None:
        with groups.entered(said, {}, first):
            inside.set()
            first.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    with groups.entered(said, {}, second):
        assert first.is_set()
        assert not second.is_set()
    thread.join(10)


# models


def test_the_simulated_program_asks_no_real_model(governed: GovernedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flywheel, "ports", flywheel.ports)  # put back afterwards
    simulate()
    space = flywheel.workspace(governed.desk, governed.cluster)
    for ports in (flywheel.flow(governed.desk, governed.cluster).ports, flywheel.ports(governed.desk, space)):
        assert isinstance(ports.models, SimulatedModels)
        assert not isinstance(ports.adapters, MemoryAdapters)


# environments


def test_only_the_install_is_taken_for_one() -> None:
    assert install_of("python -m pip install --constraint constraints.txt .")
    assert not install_of("hallmark check")


def test_an_environment_is_made_once_for_an_install_command(tmp_path: Path) -> None:
    checkout = tmp_path / "work"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text("one\n")
    environments = Installed(tmp_path / "cache")
    job = Job("one", {}, [Step({"run": "python -m pip install nothing"})])
    environments._make = lambda home, heavy: (home / "bin").mkdir(parents=True)
    environment = environments.choose(job)
    (environment.python.parent / "hallmark").touch()
    for changed, said in (("one\n", ""), ("one\n", "not run again"), ("two\n", "")):
        (checkout / "pyproject.toml").write_text(changed)
        with environments.installing(environment, "python -m pip install nothing", checkout) as done:
            assert done[: len(said) or None] == said


def test_a_job_that_sets_python_up_and_installs_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="records sets Python up and installs nothing"):
        Installed(tmp_path).choose(Job("records", {}, [Step({"run": "hallmark check"})]))


# git, tokens and the API


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits on main and a pull request's merge, with a gate that refuses whatever is called `bad`."""
    home = tmp_path_factory.mktemp("forge")
    origin, work = home / "origin.git", home / "work"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(origin)], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    for text in ("one", "two"):
        (work / "file").write_text(text)
        _git(work, "add", "--all")
        _git(work, "commit", "-q", "-m", text)
    _git(work, "tag", "v1")
    _git(work, "push", "-q", str(origin), "main", "v1", "main~1:refs/heads/old", "main:refs/pull/1/merge")
    hook = origin / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\nif grep -q heads/bad; then echo "the gate refuses" >&2; exit 1; fi\n')
    hook.chmod(0o755)
    guard(origin)
    return origin


@pytest.fixture
def served(bare: Path, tmp_path: Path) -> Iterator[tuple[Server, Tokens, list[tuple[Moved, Actor]]]]:
    origin = Path(shutil.copytree(bare, tmp_path / "origin.git"))
    tokens, moves = Tokens(), []
    pulls = Pulls(lambda branch: "a" * 40, lambda pull, actor: None, lambda *started: None)
    server = Server(origin, tokens, lambda found, actor: moves.extend((one, actor) for one in found), pulls.ask)
    pulls.address = server.url
    yield server, tokens, moves
    server.close()


def _git(where: Path, *words: str, code: int | None = 0) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    done = subprocess.run(["git", *who, *words], cwd=where, capture_output=True, text=True, check=False)
    assert code is None or done.returncode == code, done.stderr
    return done.stdout + done.stderr


def place(server: Server, token: str, tmp_path: Path, *, ref: str, sha: str = "") -> Place:
    (tmp_path / "home").mkdir(exist_ok=True)
    return Place(f"{server.url}/example/desk.git", token, ref, sha, clean_environment(tmp_path / "home"))


@pytest.mark.parametrize(
    ("given", "commits", "branch", "kept"),
    [
        ({}, 1, "main", True),
        ({"fetch-depth": 0, "persist-credentials": False}, 2, "main", False),
        ({"ref": "old", "path": "base", "persist-credentials": False}, 1, "old", False),
    ],
)
def test_checkout_brings_what_the_action_would(served, tmp_path, given, commits, branch, kept) -> None:
    server, tokens, _ = served
    token = tokens.give(Actor("bot", "check", {"contents": "read"}))
    sha = _git(server.origin, "rev-parse", "main").strip()
    checkout(place(server, token, tmp_path, ref="refs/heads/main", sha=sha), tmp_path / "work", given)
    work = tmp_path / "work" / str(given.get("path", ""))
    assert len(_git(work, "rev-list", "HEAD").split()) == commits
    assert _git(work, "branch", "--show-current").strip() == branch
    assert ("AUTHORIZATION" in (work / ".git" / "config").read_text()) == kept
    assert ("v1" in _git(work, "tag")) == (given.get("fetch-depth") == 0)
    fetched = _git(work, "fetch", "--quiet", "origin", code=None)
    assert ("could not read Username" in fetched or "Authentication failed" in fetched) == (not kept)


def test_checkout_of_a_pull_request_stands_at_its_merge(served, tmp_path) -> None:
    server, tokens, _ = served
    token = tokens.give(Actor("bot", "check", {"contents": "read"}))
    sha = _git(server.origin, "rev-parse", "main").strip()
    checkout(place(server, token, tmp_path, ref="refs/pull/1/merge", sha=sha), tmp_path / "work", {})
    assert _git(tmp_path / "work", "rev-parse", "HEAD").strip() == sha
    assert _git(tmp_path / "work", "branch", "--show-current").strip() == ""


@pytest.mark.parametrize(
    ("workflow", "permissions", "ref", "said"),
    [
        ("check", {"contents": "read"}, "refs/heads/runs/desk/x", "403"),
        ("check", {}, "refs/heads/runs/desk/x", "403"),
        ("iterate", {"contents": "write"}, "refs/heads/runs/desk/x", ""),
        ("iterate", {"contents": "write"}, f"refs/heads/{escalation_branch('desk', 'x')}", ""),
        ("iterate", {"contents": "write"}, "refs/heads/main", "keep job:iterate off refs/heads/main"),
        ("iterate", {"contents": "write"}, "refs/tags/promotions/desk/1", "keep job:iterate off"),
        ("promote", {"contents": "write"}, "refs/tags/promotions/desk/1", ""),
        ("promote", {"contents": "write"}, "refs/heads/main", "keep job:promote off"),
        ("", {}, "refs/heads/mine", ""),
        ("", {}, "refs/heads/bad", "the gate refuses"),
    ],
)
def test_a_token_pushes_what_its_job_may_and_no_more(served, tmp_path, workflow, permissions, ref, said) -> None:
    server, tokens, moves = served
    actor = Actor("bot" if workflow else "ash", workflow, permissions)
    url = server.url.replace("http://", f"http://x:{tokens.give(actor)}@") + "/example/desk.git"
    _git(tmp_path, "clone", "-q", str(server.origin), "work")
    (tmp_path / "work" / "file").write_text("three")
    _git(tmp_path / "work", "commit", "-q", "-a", "-m", "three")
    told = _git(tmp_path / "work", "push", url, f"HEAD:{ref}", code=None)
    if said:
        assert said in told
        assert moves == []
    else:
        ((moved, by),) = moves
        assert (moved.ref, by) == (ref, actor)


def test_the_rules_let_through_what_the_documentation_asks_for() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    (said,) = re.findall(r"and let it push (.*?) and the tags", page, re.DOTALL)
    documented = {f"refs/heads/{name.replace('**', '*')}" for name in re.findall(r"`([^`]+)`", said)}
    (allowed,) = re.findall(r"job:\*\) allowed='([^']*)'", RULES)
    assert set(allowed.split()) == documented


def test_a_token_is_worth_nothing_once_its_job_has_ended(served, tmp_path) -> None:
    server, tokens, _ = served
    token = tokens.give(Actor("bot", "check", {"contents": "read"}))
    tokens.take_back(token)
    url = server.url.replace("http://", f"http://x:{token}@") + "/example/desk.git"
    assert "Authentication failed" in _git(tmp_path, "ls-remote", url, code=None)


def test_the_api_answers_by_permission_and_remembers_what_it_does_not_play(served) -> None:
    server, _, _ = served
    pulls = server.api.__self__
    pull = pulls.open("first", title="One", by="ash")
    path = f"/repos/example/desk/issues/{pull['number']}/comments"
    reader, writer = (Actor("bot", "check", {"pull-requests": may}) for may in ("read", "write"))
    assert pulls.ask("POST", path, {"body": "x"}, reader)[0] == 403
    assert pulls.ask("POST", path, {"body": "x"}, writer)[0] == 201
    assert pulls.ask("GET", path, None, reader)[1][0]["user"]["login"] == "github-actions[bot]"
    assert (
        pulls.ask("POST", "/repos/example/desk/actions/workflows/preview.yaml/dispatches", {"ref": "main"}, writer)[0]
        == 403
    )
    assert pulls.ask("DELETE", path, None, writer)[0] == 501
    assert pulls.unplayed == [f"DELETE {path}"]


def test_pull_requests_good_and_bad_come_to_what_they_must(tmp_path: Path) -> None:
    """The first acts of `make rehearsal QUICK=1`, on the files that `hallmark init` writes; the acceptance tests play
    all of them."""
    world = simulated(tmp_path / "home")
    forge = world.begin(small_desk)
    try:
        play = Play(world, SMALL, strike="")
        play.scenario()
        play.bad_scenario()
    finally:
        forge.close()
    assert [row.result for row in play.rows if row.workflow][-1] == "failure"
    assert forge.pulls.unplayed == []


def test_an_act_that_comes_to_something_else_is_wrong_and_shows_the_logs(tmp_path: Path) -> None:
    class Unheard(Play):
        def __init__(self) -> None:
            pass

    job = JobRun("gate", result="failure", log=["said this"])
    run = Run(1, read("check.yaml", yaml.safe_dump({**GOOD, "name": "check"})), "push", "ash", "", "", jobs=[job])
    with pytest.raises(Wrong, match=r"(?s)gate ends with success.*said this"):
        Unheard().want(run, gate="success")
