"""`ports_forge.Forge` on GitHub's REST API, through PyGithub (the extra `forge`).

Reading and writing over are tried again where GitHub is out of breath (5xx, rate limits). Making is not: the answer to
it may have been lost when the thing was made, so it is looked for before it is made once more.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import ForgeError, ForgeForbidden, ForgeUnavailable
from runner.ports_forge import Approver, Opened, PullRequest, PullState, Written
from runner.rules.text.shown import shown

if TYPE_CHECKING:
    from github import GithubException
    from github.Issue import Issue
    from github.IssueComment import IssueComment
    from github.PullRequest import PullRequest as TheirPull

T = TypeVar("T")
TOKEN, API, REPOSITORY, LOGIN = "GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_REPOSITORY", "HALLMARK_FORGE_LOGIN"
WORKFLOW_LOGIN = "github-actions[bot]"
"""Who the token of a workflow writes as; it may not ask who it is."""
ATTEMPTS = 4
PATIENCE_S = 1.0
"""Between requests that write, and before one is made again for the first time."""
LONGEST_WAIT_S = 300.0
"""For a rate limit; what would take longer fails."""
CLOSED = "<!-- hallmark-closed -->"
"""The first line of a pull request that we closed. Words and state change in one request, so neither is without the
other, and what people open again is known by it."""
EVERYWHERE = frozenset({401, 429})
"""Answers that every other request would have too: a token that is none, too many requests."""
DECIDING = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
"""Reviews that say something of whether one approves; comments do not."""


class GitHub:
    """One repository. The token is sent to `url` alone, and stands in no message."""

    def __init__(self, url: str, repository: str, token: str, *, login: str = "") -> None:
        """`repository` is `owner/name`; `login` is who the token writes as, asked for where it is empty."""
        from github import Auth, Github, GithubRetry

        logging.getLogger("github").setLevel(logging.WARNING)  # it prints each request that is refused, with a handler
        retry = GithubRetry(
            total=ATTEMPTS,
            backoff_factor=PATIENCE_S,
            secondary_rate_wait=60 * PATIENCE_S,
            max_rate_limit_wait=LONGEST_WAIT_S,
            allowed_methods={"GET", "PATCH"},
        )
        self._client = Github(
            base_url=url,
            auth=Auth.Token(token),
            retry=retry,
            timeout=30,
            per_page=100,
            user_agent="hallmark",
            seconds_between_requests=PATIENCE_S / 4,
            seconds_between_writes=PATIENCE_S,
            lazy=True,
        )
        self._name, self._login = repository, login
        self._repository = self._client.get_repo(repository)

    def pull(self, number: int) -> PullRequest:
        with _told(f"the pull request {number}"):
            return _pull(self._repository.get_pull(number))

    def comment(self, number: int, text: str) -> Written:
        with _told(f"the comment of the pull request {number}"):
            issue, me, first = self._repository.get_issue(number), self._me(), text.partition("\n")[0]
            found, made = _made(lambda: _ours(issue, first, me), lambda: issue.create_comment(text))
            if made or _same(found.body, text):
                return Written.NEW if made else Written.UNCHANGED
            found.edit(text)
            return Written.CHANGED

    def open(self, branch: str, *, head: str, title: str, body: str, base: str = "main") -> Opened:
        with _told(f"the pull request of {branch}"):
            found, made = _made(
                lambda: self._pull_of(branch, head, base),
                lambda: self._repository.create_pull(base, branch, title=title, body=body),
            )
            if not made and found.state != "open" and not found.merged_at and _closed_by_us(found):
                found.edit(state="open", title=title, body=body)
                return Opened(_pull(found), Written.CHANGED)
            return Opened(_pull(found), Written.NEW if made else Written.UNCHANGED)

    def ours(self, *, base: str = "main") -> tuple[PullRequest, ...]:
        with _told("the open pull requests"):
            me = self._me()
            found = self._repository.get_pulls(state="open", base=base)
            mine = (_pull(pull) for pull in found if pull.user is not None and pull.user.login == me)
            return tuple(sorted(mine, key=lambda pull: pull.number))

    def close(self, number: int, *, why: str) -> Opened:
        with _told(f"the pull request {number}"):
            found = self._repository.get_pull(number)
            if found.state != "open" or _closed_by_us(found):
                return Opened(_pull(found), Written.UNCHANGED)
            found.edit(state="closed", body=f"{CLOSED}\n{why}\n\n{found.body or ''}")
            return Opened(_pull(found), Written.CHANGED)

    def approvers(self, number: int, *, head: str) -> tuple[Approver, ...]:
        with _told(f"the reviews of the pull request {number}"):
            pull = self._repository.get_pull(number)
            last = {}
            for review in pull.get_reviews():  # oldest first
                if review.user is not None and review.state in DECIDING:
                    last[review.user.login] = review
            author = pull.user.login if pull.user is not None else ""
            standing = (login for login, one in last.items() if one.state == "APPROVED" and one.commit_id == head)
            return tuple(Approver(login, author=login == author) for login in sorted(standing))

    def in_team(self, team: str, login: str) -> bool:
        organisation, _, name = team.partition("/")
        path = f"/orgs/{organisation}/teams/{name}/memberships/{login}"
        with _told(f"who is in the team {team}"):
            try:
                _, found = self._client.requester.requestJsonAndCheck("GET", path)
            except _github_exception() as error:
                if error.status != 404:
                    raise
                return False
            return bool(found.get("state") == "active")

    def start(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        with _told(f"the start of {workflow}"):
            self._repository.get_workflow(workflow).create_dispatch(ref, dict(inputs), throw=True)

    def _me(self) -> str:
        if not self._login:
            try:
                self._login = self._client.get_user().login
            except _github_exception() as error:
                if error.status != 403:
                    raise
                self._login = WORKFLOW_LOGIN
        return self._login

    def _pull_of(self, branch: str, head: str, base: str) -> TheirPull | None:
        """The branch's pull request: the open one, or the one that people closed or merged at this very commit."""
        owner = self._name.partition("/")[0]
        found = list(self._repository.get_pulls(state="all", head=f"{owner}:{branch}", base=base))
        answered = [pull for pull in found if pull.state == "open" or pull.head.sha == head]
        return next(iter(sorted(answered, key=lambda pull: (pull.state != "open", -pull.number))), None)


def of_environment(environment: Mapping[str, str] = os.environ) -> GitHub:
    """The repository that a job runs for, as the forge says in the job's environment. Raises `ForgeError` that names
    what is missing there."""
    missing = [name for name in (REPOSITORY, TOKEN) if not environment.get(name)]
    if missing:
        raise ForgeError(f"the forge cannot be asked: the environment has no {' and no '.join(missing)}")
    url = environment.get(API) or "https://api.github.com"
    if not re.match(r"https?://[^/\s]", url):
        raise ForgeError(f"{API} is no address: {shown(url)} (write it whole, as https://forge.example/api/v3)")
    return GitHub(url, environment[REPOSITORY], environment[TOKEN], login=environment.get(LOGIN, ""))


def _made(look: Callable[[], T | None], make: Callable[[], T]) -> tuple[T, bool]:
    """What `look` finds, or else what `make` makes, and whether it was made now.

    Where GitHub says neither yes nor no (5xx), or that it is there already (422), it is looked for before it is made
    again.
    """
    asked: list[GithubException] = []
    while True:
        found = look()
        if found is not None:
            return found, bool(asked)
        try:
            return make(), True
        except _github_exception() as error:
            asked.append(error)
            unsure = error.status >= 500 or (error.status == 422 and len(asked) == 1)
            if not unsure or len(asked) == ATTEMPTS:
                raise


def _ours(issue: Issue, first: str, login: str) -> IssueComment | None:
    """Our comment that begins with the line `first`. One of somebody else is not ours to trust: they can edit it."""
    mine = (one for one in issue.get_comments() if one.user is not None and one.user.login == login)
    return next((one for one in mine if one.body and one.body.splitlines()[0] == first), None)


def _closed_by_us(pull: TheirPull) -> bool:
    return (pull.body or "").startswith(CLOSED)


def _same(body: str | None, text: str) -> bool:
    return (body or "").replace("\r\n", "\n").strip() == text.strip()


def _pull(pull: TheirPull) -> PullRequest:
    state = PullState.OPEN if pull.state == "open" else PullState.MERGED if pull.merged_at else PullState.CLOSED
    theirs: Any = pull.head.repo  # none, where the fork is gone
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        branch=pull.head.ref,
        base=pull.base.ref,
        head=pull.head.sha,
        state=state,
        fork=theirs is None or theirs.full_name != pull.base.repo.full_name,
    )


def _github_exception() -> type[GithubException]:
    from github import GithubException

    return GithubException


@contextmanager
def _told(what: str) -> Iterator[None]:
    """PyGithub's errors as ours, in words; what GitHub says is shown, and nothing that was sent."""
    from github import GithubException, RateLimitExceededException
    from requests import RequestException

    try:
        yield
    except RateLimitExceededException as error:
        said = "GitHub takes no more requests for now (rate limit); run this again later"
        raise ForgeUnavailable(f"{what}: {said}") from error
    except GithubException as error:
        said = shown(_message(error.data) or "no reason was given")
        if error.status == 403:
            raise ForgeForbidden(f"{what}: GitHub lets this token not do it (403): {said}") from error
        missing = ", or this token may not see it" if error.status == 404 else ""
        kind = ForgeUnavailable if error.status in EVERYWHERE or error.status >= 500 else ForgeError
        raise kind(f"{what}: GitHub answers {error.status}{missing}: {said}") from error
    except RequestException as error:
        raise ForgeUnavailable(f"{what}: GitHub does not answer: {type(error).__name__}") from error


def _message(data: object) -> str:
    if not isinstance(data, dict):
        return str(data)[:200] if data else ""
    details = data.get("errors")
    more = [one.get("message") for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return ": ".join(str(part) for part in (data.get("message"), *more) if part)
