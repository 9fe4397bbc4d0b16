"""GitHub's REST API on a free port of this machine, as far as Hallmark asks it: pull requests, comments, reviews, teams
and workflow starts, in the shapes of GitHub's own reference, with its errors, pages and limits.

`with ForgeServer() as server:` serves the repository `server.repository`; give a process `server.environment()`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_not-to-be-printed"
Answer = tuple[int, Any]
Reply = tuple[int, Any, dict[str, str]]
"""Status, JSON, and headers."""


@dataclass
class Fault:
    """An answer in the place of the real one, to the next `times` requests that match."""

    method: str
    path: str
    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    done: bool = False
    """Whether what was asked for is done all the same, and only the answer is lost."""


def user(login: str) -> dict[str, Any]:
    kind = "Bot" if login.endswith("[bot]") else "User"
    return {"login": login, "id": sum(login.encode()), "node_id": "MDQ6VXNlcjE=", "type": kind, "site_admin": False}


class ForgeServer:
    """The server, and what it knows. Everything may be changed while it runs."""

    def __init__(self, repository: str = "hallmark/desk", *, me: str = "github-actions[bot]") -> None:
        self.repository, self.me = repository, me
        self.pulls: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        self.teams: dict[str, set[str]] = {}
        """By `organisation/name`."""
        self.heads: dict[str, str] = {}
        """Where branches stand; what a pull request that is opened takes for its head."""
        self.started: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.page = 100
        """Items a page at most, whatever is asked for."""
        self.may_write = True
        """Whether the token may; a fork's may not."""
        self.may_read_teams = True
        self._lock = threading.Lock()
        self._ids = iter(range(1, 1_000_000))

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self) -> dict[str, str]:
        """What a job of the forge finds in its environment."""
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": self.repository, "GITHUB_TOKEN": TOKEN}

    def add_pull(
        self,
        branch: str,
        *,
        head: str,
        base: str = "main",
        author: str = "robin",
        fork: str = "",
        title: str = "A change",
        body: str = "",
        state: str = "open",
        merged: bool = False,
    ) -> int:
        """A pull request; `fork` is the repository that its branch is in. Its number."""
        number = next(self._ids)
        theirs = fork or self.repository
        self.pulls[number] = {
            "id": 1000 + number,
            "url": f"{self.url}/repos/{self.repository}/pulls/{number}",
            "html_url": f"https://forge.example/{self.repository}/pull/{number}",
            "number": number,
            "state": state,
            "locked": False,
            "title": title,
            "body": body,
            "user": user(author),
            "draft": False,
            "merged": merged,
            "merged_at": "2026-11-21T10:00:00Z" if merged else None,
            "head": self._end(branch, head, theirs),
            "base": self._end(base, "0" * 40, self.repository),
            "author_association": "CONTRIBUTOR",
        }
        return number

    def _end(self, ref: str, sha: str, repository: str) -> dict[str, Any]:
        owner, _, name = repository.partition("/")
        repo = {"id": 7, "name": name, "full_name": repository, "private": True, "owner": user(owner), "fork": False}
        return {"label": f"{owner}:{ref}", "ref": ref, "sha": sha, "user": user(owner), "repo": repo}

    def add_comment(self, number: int, body: str, *, login: str) -> dict[str, Any]:
        made = {
            "id": next(self._ids),
            "url": "",
            "html_url": f"https://forge.example/{self.repository}/pull/{number}#issuecomment",
            "body": body,
            "user": user(login),
            "created_at": "2026-11-21T10:00:00Z",
            "updated_at": "2026-11-21T10:00:00Z",
            "author_association": "CONTRIBUTOR",
        }
        made["url"] = f"{self.url}/repos/{self.repository}/issues/comments/{made['id']}"
        self.comments.setdefault(number, []).append(made)
        return made

    def add_review(self, number: int, login: str, state: str = "APPROVED", *, head: str = "") -> None:
        review = {
            "id": next(self._ids),
            "user": user(login) if login else None,
            "body": "",
            "state": state,
            "html_url": f"https://forge.example/{self.repository}/pull/{number}#pullrequestreview",
            "submitted_at": "2026-11-21T10:00:00Z",
            "commit_id": head or self.pulls[number]["head"]["sha"],
            "author_association": "MEMBER",
        }
        self.reviews.setdefault(number, []).append(review)

    def answer(
        self, method: str, target: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers for one request."""
        split = urlsplit(target)
        with self._lock:
            self.asked.append((method, split.path))
            if headers.get("Authorization") != f"token {TOKEN}" and headers.get("Authorization") != f"Bearer {TOKEN}":
                return 401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}, {}
            fault = next((one for one in self.faults if one.method == method and re.search(one.path, split.path)), None)
            if fault is not None:
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
                if fault.done:
                    self._real(method, split.path, body, {})
                return fault.status, {"message": fault.message}, dict(fault.headers)
            query = {name: values[0] for name, values in parse_qs(split.query).items()}
            status, found = self._real(method, split.path, body, query)
            if isinstance(found, list):
                return self._paged(split.path, found, query)
            return status, found, {}

    def _paged(self, path: str, found: list[Any], query: Mapping[str, str]) -> Reply:
        size = min(self.page, int(query.get("per_page", 30)))
        at = int(query.get("page", 1))
        rest = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        more = at * size < len(found)
        link = {"Link": f'<{self.url}{path}?{rest}&page={at + 1}>; rel="next"'} if more else {}
        return 200, found[(at - 1) * size : at * size], link

    def _real(self, method: str, path: str, body: Any, query: Mapping[str, str]) -> Answer:
        for wanted, pattern, act in ROUTES:
            match = re.fullmatch(pattern.replace("REPO", re.escape(f"/repos/{self.repository}")), path)
            if match and wanted == method:
                if method != "GET" and not self.may_write:
                    return 403, {"message": "Resource not accessible by integration"}
                return act(self, match, body, query)
        return 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}


def _pull(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    found = server.pulls.get(int(match[1]))
    return (200, found) if found else (404, {"message": "Not Found"})


def _pulls(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    found = [
        pull
        for pull in reversed(server.pulls.values())
        if state in ("all", pull["state"])
        and (head is None or pull["head"]["label"] == head)
        and (base is None or pull["base"]["ref"] == base)
    ]
    return 200, found


def _open(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    owner = server.repository.partition("/")[0]
    standing = _pulls(server, match, None, {"head": f"{owner}:{body['head']}", "base": body["base"]})[1]
    if standing or not body["title"]:
        said = f"A pull request already exists for {owner}:{body['head']}." if standing else "title is missing"
        errors = [{"resource": "PullRequest", "code": "custom", "message": said}]
        return 422, {"message": "Validation Failed", "errors": errors}
    head = server.heads.get(body["head"], "f" * 40)
    number = server.add_pull(
        body["head"], head=head, base=body["base"], author=server.me, title=body["title"], body=body["body"]
    )
    return 201, server.pulls[number]


def _edit_pull(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    found = server.pulls.get(int(match[1]))
    if found is None:
        return 404, {"message": "Not Found"}
    if body.get("state") == "open" and found["merged"]:
        return 422, {"message": "Validation Failed", "errors": [{"message": "state cannot be changed"}]}
    found.update({name: body[name] for name in ("state", "title", "body") if name in body})
    return 200, found


def _comments(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    return 200, list(server.comments.get(int(match[1]), ()))


def _comment(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    return 201, server.add_comment(int(match[1]), body["body"], login=server.me)


def _edit(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    for found in (one for many in server.comments.values() for one in many):
        if found["id"] == int(match[1]):
            found["body"] = body["body"]
            return 200, found
    return 404, {"message": "Not Found"}


def _reviews(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    return 200, list(server.reviews.get(int(match[1]), ()))


def _membership(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    if not server.may_read_teams:
        return 403, {"message": "Resource not accessible by integration"}
    if match[3] not in server.teams.get(f"{match[1]}/{match[2]}", set()):
        return 404, {"message": "Not Found"}
    return 200, {"url": "", "role": "member", "state": "active"}


def _user(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    if server.me.endswith("[bot]"):
        return 403, {"message": "Resource not accessible by integration"}
    return 200, user(server.me)


def _dispatch(server: ForgeServer, match: re.Match[str], body: Any, query: Mapping[str, str]) -> Answer:
    server.started.append({"workflow": match[1], **body})
    return 204, None


Act = Callable[[ForgeServer, "re.Match[str]", Any, Mapping[str, str]], Answer]
ROUTES: tuple[tuple[str, str, Act], ...] = (
    ("GET", r"REPO/pulls/(\d+)", _pull),
    ("GET", r"REPO/pulls", _pulls),
    ("POST", r"REPO/pulls", _open),
    ("PATCH", r"REPO/pulls/(\d+)", _edit_pull),
    ("GET", r"REPO/issues/(\d+)/comments", _comments),
    ("POST", r"REPO/issues/(\d+)/comments", _comment),
    ("PATCH", r"REPO/issues/comments/(\d+)", _edit),
    ("GET", r"REPO/pulls/(\d+)/reviews", _reviews),
    ("GET", r"/orgs/([^/]+)/teams/([^/]+)/memberships/([^/]+)", _membership),
    ("GET", r"/user", _user),
    ("POST", r"REPO/actions/workflows/([^/]+)/dispatches", _dispatch),
)


def limited(seconds: float) -> dict[str, str]:
    """The headers of a primary rate limit that ends after so many seconds."""
    return {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(time.time() + seconds)),
    }


def _handler(server: ForgeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            status, found, headers = server.answer(self.command, self.path, body, dict(self.headers))
            data = b"" if found is None else json.dumps(found).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    for method in ("GET", "POST", "PATCH"):
        setattr(Handler, f"do_{method}", Handler._serve)
    return Handler
