"""GitHub as the forge: what is asked of its API, and what becomes of its errors, pages and limits."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from runner.edges.forge import github
from runner.edges.forge.github import GitHub, of_environment
from runner.errors import ExitCode, ForgeError, ForgeForbidden, ForgeUnavailable, exit_code
from runner.ports_forge import Approver, Forge, PullState, Written
from tests.forge_fixture import TOKEN, Fault, ForgeServer, limited

HEAD = "a" * 40
REVIEW = "<!-- hallmark-review -->\n\n## What this change means\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "PATIENCE_S", 0.0)


@pytest.fixture
def server() -> Iterator[ForgeServer]:
    with ForgeServer() as running:
        yield running


@pytest.fixture
def forge(server: ForgeServer) -> Forge:
    return GitHub(server.url, server.repository, TOKEN)


def test_a_pull_request_as_it_stands(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    found = forge.pull(number)
    assert (found.number, found.branch, found.base, found.head) == (number, "better", "main", HEAD)
    assert (found.state, found.fork) == (PullState.OPEN, False)
    assert found.url == f"https://forge.example/hallmark/desk/pull/{number}"


def test_a_fork_is_told_apart_also_when_it_is_gone(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD, fork="stranger/desk")
    assert forge.pull(number).fork
    server.pulls[number]["head"]["repo"] = None
    assert forge.pull(number).fork


def test_a_comment_is_written_once_and_then_over(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    assert forge.comment(number, REVIEW + "one") is Written.NEW
    assert forge.comment(number, REVIEW + "one") is Written.UNCHANGED
    assert forge.comment(number, REVIEW + "two") is Written.CHANGED
    assert [one["body"] for one in server.comments[number]] == [REVIEW + "two"]


def test_what_a_form_made_of_the_lines_is_no_change(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.add_comment(number, (REVIEW + "one\n").replace("\n", "\r\n"), login=server.me)
    assert forge.comment(number, REVIEW + "one") is Written.UNCHANGED


def test_somebody_else_s_comment_that_begins_so_is_left_alone(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.add_comment(number, REVIEW + "nothing is loosened, merge it", login="mallory")
    assert forge.comment(number, REVIEW + "one") is Written.NEW
    assert [one["user"]["login"] for one in server.comments[number]] == ["mallory", server.me]


def test_ours_is_found_on_a_later_page(server: ForgeServer, forge: Forge) -> None:
    server.page = 2
    number = server.add_pull("better", head=HEAD)
    for at in range(5):
        server.add_comment(number, f"Remark {at}", login="robin")
    server.add_comment(number, REVIEW + "old", login=server.me)
    assert forge.comment(number, REVIEW + "new") is Written.CHANGED
    assert len(server.comments[number]) == 6


def test_a_person_s_token_writes_as_that_person(server: ForgeServer, forge: Forge) -> None:
    server.me = "robin"
    number = server.add_pull("better", head=HEAD)
    server.add_comment(number, REVIEW + "old", login="robin")
    assert forge.comment(number, REVIEW + "new") is Written.CHANGED


def test_a_branch_has_one_pull_request(server: ForgeServer, forge: Forge) -> None:
    server.heads["triage/desk/desk-1"] = HEAD
    first = forge.open("triage/desk/desk-1", head=HEAD, title="Candidates", body="Decide.")
    again = forge.open("triage/desk/desk-1", head=HEAD, title="Candidates", body="Decide.")
    assert (first.written, again.written) == (Written.NEW, Written.UNCHANGED)
    assert first.pull == again.pull
    assert [one["title"] for one in server.pulls.values()] == ["Candidates"]


def test_what_people_closed_is_not_opened_again_until_the_branch_moves(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("promote/desk/1", head=HEAD, state="closed")
    assert forge.open("promote/desk/1", head=HEAD, title="t", body="").pull.number == number
    assert forge.pull(number).state is PullState.CLOSED
    server.heads["promote/desk/1"] = "b" * 40
    moved = forge.open("promote/desk/1", head="b" * 40, title="t", body="")
    assert (moved.written, moved.pull.state) == (Written.NEW, PullState.OPEN)


def test_what_was_merged_is_not_opened_again(server: ForgeServer, forge: Forge) -> None:
    server.add_pull("promote/desk/1", head=HEAD, state="closed", merged=True)
    found = forge.open("promote/desk/1", head=HEAD, title="t", body="")
    assert (found.written, found.pull.state) == (Written.UNCHANGED, PullState.MERGED)


def test_what_is_closed_says_why_and_is_opened_again_where_its_branch_waits(server: ForgeServer, forge: Forge) -> None:
    server.heads["triage/desk/desk-1"] = HEAD
    made = forge.open("triage/desk/desk-1", head=HEAD, title="Candidates", body="Decide.").pull
    closed = forge.close(made.number, why="It is over.")
    assert (closed.written, closed.pull.state) == (Written.CHANGED, PullState.CLOSED)
    assert server.pulls[made.number]["body"] == f"{github.CLOSED}\nIt is over.\n\nDecide."
    assert forge.close(made.number, why="It is over.").written is Written.UNCHANGED
    again = forge.open("triage/desk/desk-1", head=HEAD, title="Candidates", body="Decide.")
    assert (again.written, again.pull.state) == (Written.CHANGED, PullState.OPEN)
    assert (len(server.pulls), server.pulls[made.number]["body"]) == (1, "Decide.")


def test_what_people_open_again_stays_open(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("triage/desk/desk-1", head=HEAD, author=server.me)
    forge.close(number, why="It is over.")
    server.pulls[number]["state"] = "open"
    again = forge.close(number, why="It is over.")
    assert (again.written, again.pull.state) == (Written.UNCHANGED, PullState.OPEN)


def test_ours_are_those_that_we_opened_and_that_are_open(server: ForgeServer, forge: Forge) -> None:
    server.page = 2
    ours = [server.add_pull(f"triage/desk/desk-{at}", head=HEAD, author=server.me) for at in range(3)]
    server.add_pull("triage/desk/desk-7", head=HEAD, author="robin")
    server.add_pull("triage/desk/desk-8", head=HEAD, author=server.me, state="closed")
    server.add_pull("triage/desk/desk-9", head=HEAD, author=server.me, base="release")
    assert [one.number for one in forge.ours()] == ours


def test_the_client_prints_no_request_of_its_own(server: ForgeServer) -> None:
    """A workflow's token may not ask who it is: that is no failure, and nothing a log should frighten people with."""
    number, printed = server.add_pull("better", head=HEAD), io.StringIO()
    logger, handler = logging.getLogger("github"), logging.StreamHandler(printed)
    logger.setLevel(logging.INFO)  # as the client sets it when it is imported, with a handler of its own
    logger.addHandler(handler)
    forge = GitHub(server.url, server.repository, TOKEN)
    server.faults.append(Fault("GET", "/pulls/", 403, "API rate limit exceeded for installation.", limited(-1)))
    forge.pull(number)
    forge.comment(number, REVIEW)
    logger.removeHandler(handler)
    assert printed.getvalue() == ""


def test_an_address_that_is_none_is_named(server: ForgeServer) -> None:
    with pytest.raises(ForgeError, match=r"GITHUB_API_URL is no address: forge\.example/api/v3"):
        of_environment({**server.environment(), "GITHUB_API_URL": "forge.example/api/v3"})


def test_another_was_first_to_open_it(server: ForgeServer, forge: Forge) -> None:
    """Between our look and our request somebody opens it: GitHub answers 422, and it is looked for again."""
    server.heads["triage/desk/desk-1"] = HEAD
    server.faults.append(Fault("POST", "/pulls$", 422, "Validation Failed", done=True))
    assert forge.open("triage/desk/desk-1", head=HEAD, title="t", body="").pull.head == HEAD
    assert len(server.pulls) == 1


def test_a_pull_request_that_github_does_not_want_is_told_of(server: ForgeServer, forge: Forge) -> None:
    with pytest.raises(ForgeError, match="Validation Failed: title is missing") as told:
        forge.open("triage/desk/desk-1", head=HEAD, title="", body="")
    assert type(told.value) is ForgeError, "it would take another one"


@pytest.mark.parametrize("done", [True, False], ids=["made, and the answer lost", "not made"])
def test_a_comment_whose_answer_is_lost_is_not_written_twice(server: ForgeServer, forge: Forge, done: bool) -> None:
    number = server.add_pull("better", head=HEAD)
    server.faults.append(Fault("POST", "/comments$", 502, "Server Error", done=done))
    assert forge.comment(number, REVIEW) is Written.NEW
    assert len(server.comments[number]) == 1


def test_reading_is_tried_again(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.faults.append(Fault("GET", "/pulls/", 503, "Service Unavailable", times=2))
    assert forge.pull(number).head == HEAD


def test_where_github_stays_silent_it_could_not_be_done(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.faults.append(Fault("GET", "/pulls/", 503, "Service Unavailable", times=99))
    with pytest.raises(ForgeError) as told:
        forge.pull(number)
    assert exit_code(told.value) is ExitCode.COULD_NOT
    assert not isinstance(told.value, ForgeForbidden)


def test_making_is_given_up(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.faults.append(Fault("POST", "/comments$", 500, "Server Error", times=99))
    with pytest.raises(ForgeUnavailable, match="500"):
        forge.comment(number, REVIEW)
    assert server.asked.count(("POST", f"/repos/hallmark/desk/issues/{number}/comments")) == github.ATTEMPTS


def test_a_fork_s_token_may_not_write(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD, fork="stranger/desk")
    server.may_write = False
    with pytest.raises(ForgeForbidden, match=r"\(403\): Resource not accessible by integration"):
        forge.comment(number, REVIEW)


def test_what_is_not_there_is_told_of(forge: Forge) -> None:
    with pytest.raises(ForgeError, match=r"the pull request 7: GitHub answers 404, or this token may not see it"):
        forge.pull(7)


def test_a_token_that_is_not_one_is_told_of_and_not_shown(server: ForgeServer) -> None:
    with pytest.raises(ForgeError, match="GitHub answers 401: Bad credentials") as told:
        GitHub(server.url, server.repository, "ghs_wrong").pull(1)
    assert isinstance(told.value, ForgeUnavailable), "a fork's token is one that may not; this is none"
    assert "ghs_" not in str(told.value)


def test_a_limit_that_ends_soon_is_waited_for(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.faults.append(Fault("GET", "/pulls/", 403, "API rate limit exceeded for installation.", limited(-1)))
    assert forge.pull(number).head == HEAD


def test_a_limit_that_ends_late_is_told_of(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    server.faults.append(Fault("GET", "/pulls/", 403, "API rate limit exceeded for installation.", limited(3000)))
    with pytest.raises(ForgeUnavailable, match="rate limit"):
        forge.pull(number)


def test_a_secondary_limit_is_waited_for_as_long_as_github_says(server: ForgeServer, forge: Forge) -> None:
    number = server.add_pull("better", head=HEAD)
    said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    server.faults.append(Fault("GET", "/pulls/", 403, said, {"Retry-After": "0"}))
    assert forge.pull(number).head == HEAD


def test_nobody_there(server: ForgeServer) -> None:
    with ForgeServer() as gone:
        url = gone.url
    with pytest.raises(ForgeUnavailable, match="GitHub does not answer"):
        GitHub(url, server.repository, TOKEN).pull(1)


def test_who_approved_is_who_said_so_last_and_of_this_commit(server: ForgeServer, forge: Forge) -> None:
    server.page = 2
    number = server.add_pull("better", head=HEAD, author="robin")
    server.add_review(number, "ash")
    server.add_review(number, "ash", "COMMENTED")
    server.add_review(number, "hazel", head="b" * 40)
    server.add_review(number, "rowan")
    server.add_review(number, "rowan", "CHANGES_REQUESTED")
    server.add_review(number, "elm")
    server.add_review(number, "elm", "DISMISSED")
    server.add_review(number, "")
    server.add_review(number, "robin")
    assert forge.approvers(number, head=HEAD) == (Approver("ash"), Approver("robin", author=True))
    assert forge.approvers(number, head="b" * 40) == (Approver("hazel"),)


def test_who_is_in_a_team(server: ForgeServer, forge: Forge) -> None:
    server.teams["hallmark/domain-owners"] = {"ash"}
    assert forge.in_team("hallmark/domain-owners", "ash")
    assert not forge.in_team("hallmark/domain-owners", "mallory")
    server.may_read_teams = False
    with pytest.raises(ForgeForbidden, match="who is in the team hallmark/domain-owners"):
        forge.in_team("hallmark/domain-owners", "ash")


def test_a_workflow_is_started_as_it_stands_on_a_branch(server: ForgeServer, forge: Forge) -> None:
    forge.start("preview.yaml", ref="main", inputs={"pull": "3"})
    assert server.started == [{"workflow": "preview.yaml", "ref": "main", "inputs": {"pull": "3"}}]


def test_the_environment_says_where_and_as_whom(server: ForgeServer) -> None:
    number = server.add_pull("better", head=HEAD)
    assert of_environment(server.environment()).pull(number).head == HEAD
    with pytest.raises(ForgeError, match="no GITHUB_REPOSITORY and no GITHUB_TOKEN"):
        of_environment({})
