"""The forge over HTTP on loopback: `git http-backend` and the API behind tokens, so that a job can push and write what
its own permissions and the rules of the branches allow, and nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

RULES = """#!/bin/sh
# The forge's own rules for branches (docs/ci.md, "What the token may push"), and then the gate.
updates=$(cat)
case "$REMOTE_USER" in
job:promote) allowed='refs/heads/ledger refs/tags/promotions/*' ;;
job:*) allowed='refs/heads/runs/* refs/heads/drafts/* refs/heads/triage/* refs/heads/promote/* refs/heads/rollback/*
    refs/heads/escalation/* refs/heads/ledger' ;;
*) allowed='refs/heads/*' ;;
esac
set -f
printf '%s\\n' "$updates" | while read -r old new ref; do
    for pattern in $allowed; do
        case "$ref" in $pattern) continue 2 ;; esac
    done
    echo "the rules of this repository keep $REMOTE_USER off $ref" >&2
    exit 1
done || exit 1
# Receipts and tags are the gate's own, and this job holds its key.
case "$REMOTE_USER" in job:promote) exit 0 ;; esac
printf '%s\\n' "$updates" | "$(dirname "$0")/gate"
"""
TOLD = """#!/bin/sh
cat > told/$$.writing && mv told/$$.writing told/$$.moved
"""


class Moved(NamedTuple):
    """A ref that a push moved."""

    old: str
    new: str
    ref: str


@dataclass(frozen=True)
class Actor:
    """Whose token it is. A person may do what people do; a job what its permissions say."""

    name: str
    workflow: str = ""
    permissions: Mapping[str, str] = field(default_factory=dict)

    @property
    def user(self) -> str:
        return f"job:{self.workflow}" if self.workflow else f"person:{self.name}"

    def may(self, scope: str, wanted: str) -> bool:
        held = self.permissions.get(scope, "") if self.workflow else "write"
        return held == "write" or held == wanted


class Tokens:
    """Who holds which token. A job's is taken back when the job ends."""

    def __init__(self) -> None:
        self._actors: dict[str, Actor] = {}

    def give(self, actor: Actor) -> str:
        token = f"t{secrets.token_hex(16)}"
        self._actors[token] = actor
        return token

    def take_back(self, token: str) -> None:
        self._actors.pop(token, None)

    def actor(self, authorization: str) -> Actor | None:
        """Of an `Authorization` header: `Basic`, as git and actions/checkout send it, or `token` and `Bearer`."""
        kind, _, said = authorization.partition(" ")
        if kind.lower() == "basic":
            said = base64.b64decode(said).decode().partition(":")[2]
        return self._actors.get(said.strip())


def guard(origin: Path) -> None:
    """Put the forge's rules before the gate, which `hallmark hook install` has written, and have pushes told."""
    hooks = origin / "hooks"
    (hooks / "pre-receive").rename(hooks / "gate")
    (origin / "told").mkdir()
    for name, text in (("pre-receive", RULES), ("post-receive", TOLD)):
        (hooks / name).write_text(text)
        (hooks / name).chmod(0o755)
    settings = {"http.receivepack": "true", "uploadpack.allowAnySHA1InWant": "true", "http.uploadpack": "true"}
    for name, value in settings.items():
        subprocess.run(["git", "config", name, value], cwd=origin, check=True)


API = ("/repos/", "/user", "/orgs/")
Api = Callable[[str, str, Any, Actor], tuple[int, Any]]
"""What a method on a path with a JSON body is answered: the status and a JSON document."""


Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""


class Server:
    """Serves the bare repository at `origin`, and the API, until `close`. `moved` is told of every ref that a push
    moved, before the push ends."""

    def __init__(self, origin: Path, tokens: Tokens, moved: Callable[[list[Moved], Actor], None], api: Api) -> None:
        self.origin, self.tokens, self.moved, self.api = origin, tokens, moved, api
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def tell(self, actor: Actor) -> None:
        """Hand on what pushes have moved since."""
        with self._lock:
            files = sorted((self.origin / "told").glob("*.moved"))
            lines = [line for file in files for line in file.read_text().splitlines()]
            for file in files:
                file.unlink()
        if lines:
            self.moved([Moved(*line.split(" ", 2)) for line in lines], actor)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *arguments: object) -> None:
                pass

            def _serve(self) -> None:
                body = _body(self)
                actor = server.tokens.actor(self.headers.get("Authorization", ""))
                if actor is None:
                    status, headers, said = 401, [("WWW-Authenticate", 'Basic realm="forge"')], b""
                elif self.path.startswith(API):
                    status, headers, said = server.answer_api(self, body, actor)
                else:
                    status, headers, said = server.answer_git(self, body, actor)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        for method in ("GET", "POST", "PATCH"):
            setattr(Handler, f"do_{method}", Handler._serve)
        return Handler

    def answer_api(self, request: BaseHTTPRequestHandler, body: bytes, actor: Actor) -> Answer:
        status, document = self.api(request.command, request.path, json.loads(body) if body else None, actor)
        said = b"" if document is None else json.dumps(document).encode()
        return status, [("Content-Type", "application/json; charset=utf-8")], said

    def answer_git(self, request: BaseHTTPRequestHandler, body: bytes, actor: Actor) -> Answer:
        """What `git http-backend` says, and what the forge makes of a push."""
        pushes = "git-receive-pack" in request.path
        if not actor.may("contents", "write" if pushes else "read"):
            return 403, [], b"the token may not"
        asked = urlsplit(request.path)
        place = asked.path.split(".git", 1)[-1]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.origin),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(self.origin),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": place,
            "QUERY_STRING": asked.query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": actor.user,
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, said = done.stdout.partition(b"\r\n\r\n")
        headers = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in head.decode().split("\r\n"))
        ]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        if pushes:
            self.tell(actor)
        return status, [one for one in headers if one[0] and one[0] != "Status"], said


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    found = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        found += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return found
