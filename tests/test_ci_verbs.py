"""What CI does on a forge: a review in three places, pull requests for what waits, previews that owners approved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runner.begin import next_entry
from runner.cli import iterate as iterate_verb
from runner.cli.main import group
from runner.edges.forge.github import ATTEMPTS
from runner.edges.simulated_models import SimulatedModels
from runner.errors import ExitCode, RecordError
from runner.flywheel import Standing
from runner.ledger import History, extend
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.loop.ci_pulls import OF_ITERATION, OF_PROMOTION, Branch, branch_of
from runner.rules.repository.code_owners import unapproved
from runner.rules.review.markdown import MARKER
from runner.wiring import flywheel, forge
from tests import desk_repository, review_fixture
from tests.desk_repository import git
from tests.forge_fixture import TOKEN, Fault, ForgeServer, limited
from tests.review_fixture import change, commit, put_scenario
from tests.reviewed_fixture import put

OWNERS = b"* @hallmark/platform\n/scenarios/ @hallmark/domain-owners @ash\n/clusters/ @rowan\n"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeServer]:
    with ForgeServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("runner.edges.forge.github.PATIENCE_S", 0.0)
        yield running


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A clone `desk` of a bare `origin.git`, with owners on main."""
    top = review_fixture.make(tmp_path / "desk")
    put(top, ".github/CODEOWNERS", OWNERS)
    commit(top, "Owners")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(top, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(top, "push", "--quiet", "origin", "main")
    return top


def run(top: Path, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(group, ["ci", words[0], "-C", str(top), *words[1:]], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == code, done.output
    assert TOKEN not in done.output + done.stderr
    return done


def proposed(top: Path, server: ForgeServer, branch: str = "better", *, author: str = "robin", fork: str = "") -> int:
    """A branch that changes a scenario, pushed, and its pull request. The work tree is on main again."""
    git(top, "switch", "--quiet", "--create", branch)
    put_scenario(top, review_fixture.SetName.CORE, "core-refunds-9", text="Where is my money, please?")
    head = commit(top, "One more")
    git(top, "switch", "--quiet", "main")
    number = server.add_pull(branch, head=head, author=author, fork=fork)
    git(top, "push", "--quiet", "origin", f"{branch}:refs/pull/{number}/head", f"{branch}:{branch}")
    return number


# a review


def test_a_review_stands_at_its_lines_in_the_summary_and_in_one_comment(
    origin: Path, server: ForgeServer, tmp_path: Path
) -> None:
    number = proposed(origin, server)
    summary = tmp_path / "summary"
    change(origin, review_fixture.CLUSTER, gate={"thresholds": {"composite": 0.5, "heldout": 0.8}})
    commit(origin, "Lower")
    words = ("review", "HEAD^1", "HEAD", "--pull", str(number), "--summary", str(summary))
    first, again = run(origin, *words), run(origin, *words)
    assert "::warning file=clusters/desk/cluster.yaml,line=" in first.output
    assert first.output.endswith(f"the comment of the pull request {number}: new\n")
    assert again.output.endswith(": unchanged\n")
    (comment,) = server.comments[number]
    assert comment["body"].startswith(MARKER)
    assert summary.read_text() == 2 * comment["body"], "each run appends to its own summary"


def test_a_fork_s_pull_request_has_the_annotations_and_the_summary(
    origin: Path, server: ForgeServer, tmp_path: Path
) -> None:
    number = proposed(origin, server, fork="stranger/desk")
    server.may_write = False
    words = ("--pull", str(number), "--summary", str(tmp_path / "summary"))
    assert "no comment: " in run(origin, "review", "main", "better", *words).output
    assert (tmp_path / "summary").read_text().startswith(MARKER)
    assert server.comments == {}


def test_a_review_without_a_pull_request_asks_no_forge(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    told = json.loads(run(origin, "review", "HEAD^1", "HEAD", "--json").output)
    assert told["comment"] == ""
    assert told["review"]["base"] == git(origin, "rev-parse", "HEAD^1")


# pull requests


def queue(top: Path, iteration: str) -> None:
    def draft(history: History) -> Entry:
        kind = {"cluster": "desk", "kind": EntryKind.QUEUED, "iteration": iteration}
        return Entry.model_validate({**kind, "sequence": history.size + 1, "previous": history.head})

    extend(flywheel.ledger_store(top), "desk", draft)


def overtake(top: Path, old: str, new: str) -> None:
    """`new` is queued, and `old`, which was in flight, is superseded."""

    def draft(history: History) -> Entry:
        reason = Reason(step="supersede", problem="main moved on")
        verdict = Verdict(outcome=Outcome.REFUSE, reasons=(reason,))
        return next_entry(history, EntryKind.SUPERSEDED, old, verdict=verdict)

    extend(flywheel.ledger_store(top), "desk", draft)
    queue(top, new)


def leave(top: Path, server: ForgeServer, branch: str) -> None:
    """A branch that a run of CI pushed."""
    git(top, "switch", "--quiet", "--create", branch, "main")
    put(top, "docs/left.md", branch.encode())
    server.heads[branch] = commit(top, branch)
    git(top, "push", "--quiet", "origin", branch)
    git(top, "switch", "--quiet", "main")


def test_what_waits_for_people_is_opened_once(origin: Path, server: ForgeServer) -> None:
    queue(origin, "desk-2")
    waiting = [f"{kind}/desk/desk-2" for kind in OF_ITERATION] + [f"{kind}/desk/1" for kind in OF_PROMOTION]
    for branch in (*waiting, "triage/desk/desk-1", "triage/till/desk-2", "runs/desk/desk-2", "feature"):
        leave(origin, server, branch)
    told = json.loads(run(origin, "open", "desk", "--json").output)
    assert sorted(one["branch"] for one in told) == sorted(waiting)
    assert {one["written"] for one in told} == {"new"}
    again = json.loads(run(origin, "open", "--all", "--json").output)
    assert {one["written"] for one in again} == {"unchanged"}
    assert len(server.pulls) == len(waiting)
    promote = next(one for one in server.pulls.values() if one["head"]["ref"] == "promote/desk/1")
    assert promote["title"] == "desk: promotion 1"
    assert "hallmark approve desk/1 --key KEY" in promote["body"]


def test_what_was_merged_or_superseded_is_not_opened(origin: Path, server: ForgeServer) -> None:
    queue(origin, "desk-2")
    leave(origin, server, "triage/desk/desk-2")
    git(origin, "merge", "--quiet", "--no-ff", "--message", "Decided", "triage/desk/desk-2")
    put(origin, "clusters/desk/promotions/1/evidence/report.html", b"<p>")
    commit(origin, "Promoted")
    git(origin, "push", "--quiet", "origin", "main")
    leave(origin, server, "promote/desk/1")
    assert run(origin, "open", "desk").output == "nothing waits for people\n"
    assert server.pulls == {}


def states(server: ForgeServer) -> dict[str, str]:
    return {one["head"]["ref"]: one["state"] for one in server.pulls.values()}


def test_what_nobody_reads_any_more_is_closed_and_says_why(origin: Path, server: ForgeServer) -> None:
    """`desk-2` overtakes `desk-1`, on whose candidates people are still asked."""
    queue(origin, "desk-1")
    old = [f"{kind}/desk/desk-1" for kind in OF_ITERATION]
    for branch in (*old, "promote/desk/1"):
        leave(origin, server, branch)
    run(origin, "open", "desk")
    theirs = server.add_pull("triage/desk/desk-1", head=server.heads["triage/desk/desk-1"], author="robin")
    overtake(origin, "desk-1", "desk-2")
    said = run(origin, "open", "desk").output
    assert "triage/desk/desk-1: closed, its iteration is over, as https://" in said
    assert server.pulls.pop(theirs)["state"] == "open", "what somebody else opened is theirs"
    stays = {"drafts/desk/desk-1": "open", "promote/desk/1": "open"}
    assert states(server) == {"triage/desk/desk-1": "closed", "escalation/desk/desk-1": "closed"} | stays
    (closed,) = (one for one in server.pulls.values() if one["head"]["ref"] == "triage/desk/desk-1")
    assert "Iteration `desk-1` is over, and nothing reads what is decided here" in closed["body"]
    assert "`desk-2`" in closed["body"]
    leave(origin, server, "drafts/desk/desk-2")
    run(origin, "open", "desk")
    assert states(server)["drafts/desk/desk-1"] == "closed", "the newer iteration has drafts of its own"
    assert states(server)["drafts/desk/desk-2"] == "open"
    asked = [one for one in server.asked if one[0] == "PATCH"]
    run(origin, "open", "desk")
    assert [one for one in server.asked if one[0] == "PATCH"] == asked, "once"


def test_drafts_that_people_worked_on_stay_open(origin: Path, server: ForgeServer) -> None:
    queue(origin, "desk-1")
    leave(origin, server, "drafts/desk/desk-1")
    git(origin, "switch", "--quiet", "drafts/desk/desk-1")
    put(origin, "docs/left.md", b"mended by a person")
    server.heads["drafts/desk/desk-1"] = commit(origin, "Mended")
    git(origin, "push", "--quiet", "origin", "drafts/desk/desk-1")
    git(origin, "switch", "--quiet", "main")
    run(origin, "open", "desk")
    overtake(origin, "desk-1", "desk-2")
    leave(origin, server, "drafts/desk/desk-2")
    run(origin, "open", "desk")
    assert states(server) == {"drafts/desk/desk-1": "open", "drafts/desk/desk-2": "open"}


def test_an_iteration_that_is_taken_up_again_has_its_pull_request_back(origin: Path, server: ForgeServer) -> None:
    queue(origin, "desk-1")
    leave(origin, server, "triage/desk/desk-1")
    run(origin, "open", "desk")
    overtake(origin, "desk-1", "desk-2")
    run(origin, "open", "desk")
    overtake(origin, "desk-2", "desk-1")
    assert "triage/desk/desk-1: opened again as https://" in run(origin, "open", "desk").output
    assert states(server) == {"triage/desk/desk-1": "open"}


def orphan(top: Path, branch: str) -> None:
    """A branch of no common history with main, that somebody pushed."""
    made = git(top, "commit-tree", "HEAD^{tree}", "-m", "Out of nothing")
    git(top, "push", "--quiet", "origin", f"{made}:refs/heads/{branch}")


def test_a_branch_that_fails_keeps_no_other_from_its_pull_request(origin: Path, server: ForgeServer) -> None:
    """One was not cut from main, another one GitHub does not take."""
    queue(origin, "desk-1")
    leave(origin, server, "escalation/desk/desk-1")
    leave(origin, server, "triage/desk/desk-1")
    run(origin, "open", "desk")
    overtake(origin, "desk-1", "desk-2")
    for branch in ("drafts/desk/desk-2", "promote/desk/1"):
        leave(origin, server, branch)
    orphan(origin, "promote/desk/0")
    server.faults.append(Fault("POST", "/pulls$", 422, "Validation Failed", times=2))
    server.faults.append(Fault("PATCH", "/pulls/1$", 422, "Validation Failed"))
    done = run(origin, "open", "desk", "--json", code=ExitCode.COULD_NOT)
    told = {one["branch"]: one for one in json.loads(done.stdout)}
    assert {name: one["written"] for name, one in told.items()} == {
        "promote/desk/0": "failed",
        "drafts/desk/desk-2": "failed",
        "promote/desk/1": "new",
        "escalation/desk/desk-1": "failed",
        "triage/desk/desk-1": "changed",
    }
    assert "share no history that is here (git merge-base in " in told["promote/desk/0"]["problem"]
    for name in ("promote/desk/0", "drafts/desk/desk-2", "escalation/desk/desk-1"):
        assert f"hallmark: {name}: {told[name]['problem']}\n" in done.stderr
    assert "not reached" not in done.stderr
    again = run(origin, "open", "desk", code=ExitCode.COULD_NOT)
    assert "drafts/desk/desk-2: opened as https://" in again.stdout
    assert "escalation/desk/desk-1: closed, its iteration is over, as https://" in again.stdout
    assert again.stderr.count("hallmark: ") == again.stderr.count("hallmark: promote/desk/0: ") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/pulls$", 403, "API rate limit exceeded for installation.", limited(3000), times=99),
        Fault("GET", "/pulls$", 403, "API rate limit exceeded for installation.", limited(3000), times=99),
        Fault("GET", "/pulls$", 503, "Service Unavailable", times=99),
        Fault("GET", "/pulls$", 401, "Bad credentials", times=99),
        Fault("POST", "/pulls$", 429, "Too Many Requests", times=99),
    ],
    ids=["a limit on writing", "a limit on reading", "away", "a token that is none", "too many requests"],
)
def test_a_forge_that_answers_nothing_is_asked_for_one_branch(origin: Path, server: ForgeServer, fault: Fault) -> None:
    queue(origin, "desk-1")
    leave(origin, server, "triage/desk/desk-1")
    run(origin, "open", "desk")
    overtake(origin, "desk-1", "desk-2")
    for branch in ("drafts/desk/desk-2", "promote/desk/1"):
        leave(origin, server, branch)
    server.asked.clear()
    server.faults.append(fault)
    done = run(origin, "open", "desk", "--json", code=ExitCode.COULD_NOT)
    assert [(one["branch"], one["written"]) for one in json.loads(done.stdout)] == [
        ("drafts/desk/desk-2", "failed"),
        ("promote/desk/1", "not reached"),
        ("triage/desk/desk-1", "not reached"),
    ]
    assert done.stderr.endswith("hallmark: not reached: promote/desk/1, triage/desk/desk-1; run this again later\n")
    assert len(server.asked) <= 1 + ATTEMPTS, "what is tried again is one request, of one branch"


def test_ours_that_cannot_be_listed_leave_none_closed(origin: Path, server: ForgeServer) -> None:
    queue(origin, "desk-1")
    leave(origin, server, "triage/desk/desk-1")
    run(origin, "open", "desk")
    overtake(origin, "desk-1", "desk-2")
    server.faults.append(Fault("GET", "/pulls$", 404, "Not Found"))
    done = run(origin, "open", "desk", code=ExitCode.COULD_NOT)
    assert done.stdout == ""
    assert done.stderr.startswith("hallmark: triage/desk/desk-1: the open pull requests: GitHub answers 404")
    assert states(server) == {"triage/desk/desk-1": "open"}


def test_a_cluster_that_main_does_not_have_is_refused(origin: Path) -> None:
    with pytest.raises(RecordError, match="main has no cluster till"):
        forge.open_pulls(origin, ["till"])


def test_every_kind_of_branch_has_words() -> None:
    for kind in (*OF_ITERATION, *OF_PROMOTION):
        branch = branch_of(f"{kind}/desk/7")
        assert branch == Branch(kind, "desk", "7")
        assert branch.title.startswith("desk: ")
        assert "{" not in branch.title + branch.body
    assert branch_of("runs/desk/7") is None
    assert branch_of("promote/desk/7/more") is None


# previews


def test_a_preview_starts_on_main_once_an_owner_approved(origin: Path, server: ForgeServer) -> None:
    number = proposed(origin, server)
    said = run(origin, "preview", str(number), "--start", "preview.yaml").output
    assert "nobody has approved it as it stands" in said
    server.add_review(number, "rowan")
    said = run(origin, "preview", str(number), "--start", "preview.yaml").output
    assert "scenarios/desk/core/core-refunds-9.yaml: none of its owners approved (rowan did)" in said
    assert server.started == []
    server.add_review(number, "ash")
    run(origin, "preview", str(number), "--start", "preview.yaml")
    assert server.started == [{"workflow": "preview.yaml", "ref": "main", "inputs": {"pull": str(number)}}]


def test_nothing_runs_that_nobody_approved(origin: Path, server: ForgeServer) -> None:
    number = proposed(origin, server)
    run(origin, "preview", str(number), code=ExitCode.WAITING)
    assert server.comments == {}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda server, number: server.add_review(number, "ash", head="b" * 40), "nobody has approved"),
        (lambda server, number: server.pulls[number]["user"].update(login="ash"), "nobody has approved"),
        (lambda server, number: server.pulls[number].update(state="closed"), "it is closed"),
        (lambda server, number: server.pulls[number]["base"].update(ref="release"), "asks to merge into release"),
        (lambda server, number: server.pulls[number]["head"].update(repo=None), "another repository"),
        (lambda server, number: server.pulls[number]["head"].update(sha="b" * 40), "it has moved"),
    ],
    ids=["of an earlier commit", "one's own", "closed", "onto another branch", "a fork's", "moved"],
)
def test_an_approval_counts_of_the_change_as_it_stands(origin: Path, server: ForgeServer, spoil, said: str) -> None:
    number = proposed(origin, server)
    server.add_review(number, "ash")
    spoil(server, number)
    assert said in run(origin, "preview", str(number), code=ExitCode.WAITING).output


def test_owners_are_those_of_main(origin: Path, server: ForgeServer) -> None:
    """A change that names its own author's friend as the owner is still asked for main's owners."""
    git(origin, "switch", "--quiet", "--create", "takeover")
    put(origin, ".github/CODEOWNERS", b"* @mallory\n")
    head = commit(origin, "Mine")
    git(origin, "switch", "--quiet", "main")
    number = server.add_pull("takeover", head=head)
    git(origin, "push", "--quiet", "origin", f"takeover:refs/pull/{number}/head")
    server.add_review(number, "mallory")
    said = run(origin, "preview", str(number), code=ExitCode.WAITING).output
    assert ".github/CODEOWNERS: none of its owners approved (mallory did)" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a[b @ash\n", "none of its owners approved (ash did)"),
        (b"* @ash\xff\n", "main's CODEOWNERS cannot be read: 'utf-8' codec can't decode"),
        (b"* @ash\n/scenarios/\n", "none of its owners approved (ash did)"),
    ],
    ids=["a pattern that is none", "bytes that are no text", "a line that takes owners away"],
)
def test_owners_that_cannot_be_read_approve_nothing(origin: Path, server: ForgeServer, text: bytes, said: str) -> None:
    put(origin, ".github/CODEOWNERS", text)
    commit(origin, "Spoilt")
    number = proposed(origin, server)
    server.add_review(number, "ash")
    told = run(origin, "preview", str(number), code=ExitCode.WAITING).output
    assert said in told


def test_a_team_s_member_is_an_owner(origin: Path, server: ForgeServer) -> None:
    number = proposed(origin, server)
    server.add_review(number, "hazel")
    server.teams["hallmark/domain-owners"] = {"hazel"}
    assert forge.asked(origin, number, at=forge.forge()).why_not == ()
    assert [path for _, path in server.asked if "/memberships/" in path] == [
        "/orgs/hallmark/teams/domain-owners/memberships/hazel"
    ]


def test_a_team_that_the_token_may_not_ask_about_approves_nothing(origin: Path, server: ForgeServer) -> None:
    number = proposed(origin, server)
    server.add_review(number, "hazel")
    server.teams["hallmark/domain-owners"], server.may_read_teams = {"hazel"}, False
    said = run(origin, "preview", str(number), "--start", "preview.yaml").output
    assert "who is in hallmark/domain-owners this token may not ask" in said
    assert server.started == []
    server.add_review(number, "ash")
    run(origin, "preview", str(number), "--start", "preview.yaml")
    assert len(server.started) == 1, "a person who is named is enough"


def test_owners_by_address_and_paths_without_owners_are_never_approved() -> None:
    owners = {"a": ("ash@example.org",), "b": (), "c": ("@Ash",), "d": ("@org/team",)}
    assert unapproved(owners, ["ash"], in_team=lambda team, login: False) == ("a", "b", "d")
    assert unapproved(owners, [], in_team=lambda team, login: True) == ("a", "b", "c", "d")


def test_a_preview_shows_answers_and_asks_only_servers_of_main(
    tmp_path: Path, server: ForgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change names a server of its own, which nobody has merged: its scenario is asked, and not there."""
    top = desk_repository.make(tmp_path)
    put(top, ".github/CODEOWNERS", b"* @ash\n")
    commit(top, "Owners")
    git(top, "push", "--quiet", "origin", "main")
    name = desk_repository.CLUSTER
    git(top, "switch", "--quiet", "--create", "better")
    first = min((top / f"scenarios/{name}/core").glob("*.yaml"))
    change(top, first.relative_to(top).as_posix(), input=[{"role": "user", "content": "Where is it?"}])
    endpoint = {"id": "elsewhere", "url": "http://127.0.0.1:9/v1", "model": "m"}
    serving = {"engine": "openai", "target": "elsewhere", "endpoint": endpoint}
    change(top, f"clusters/{name}/cluster.yaml", serving=serving)
    head = commit(top, "Asked otherwise, and elsewhere")
    git(top, "switch", "--quiet", "main")
    number = server.add_pull("better", head=head)
    git(top, "push", "--quiet", "origin", f"better:refs/pull/{number}/head")
    server.add_review(number, "ash")
    real, engines = flywheel.ports, []

    def watched(path: Path, space: object, **options: object) -> object:
        engines.append(space.cluster.serving.engine)
        return real(path, space, **options)

    monkeypatch.setattr(flywheel, "ports", watched)
    monkeypatch.setattr(forge, "previewed", partial(forge.previewed, models=SimulatedModels()))
    told = json.loads(run(top, "preview", str(number), "--json").stdout)
    assert (told["approved"], told["head"]) == (True, head)
    assert told["said"] == [f"the comment of the pull request {number}: new"]
    (comment,) = server.comments[number]
    assert comment["body"].startswith(MARKER)
    assert "What the present model answers" in comment["body"]
    assert first.stem in comment["body"]
    assert set(engines) == {"transformers"}, "the engine openai would have asked the change's server"


# clusters one at a time, as CI takes them


@pytest.mark.parametrize(
    ("outcome", "alone", "unattended"),
    [
        (Outcome.PASS, ExitCode.DONE, ExitCode.DONE),
        (Outcome.WAIT, ExitCode.WAITING, ExitCode.DONE),
        (Outcome.REFUSE, ExitCode.REFUSED, ExitCode.REFUSED),
    ],
)
def test_waiting_for_people_fails_no_job(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, alone: ExitCode, unattended: ExitCode
) -> None:
    def turned(directory: Path, name: str, *, quiet: bool) -> Standing:
        verdict = Verdict(outcome=outcome)
        return Standing(cluster=name, iteration="desk-1", state=RunState.BLOCKED, phase="triage", verdict=verdict)

    monkeypatch.setattr(iterate_verb, "_turn", turned)
    codes = [
        CliRunner().invoke(group, ["iterate", "desk", *more], standalone_mode=False).return_value
        for more in ((), ("--unattended",))
    ]
    assert codes == [alone, unattended]
