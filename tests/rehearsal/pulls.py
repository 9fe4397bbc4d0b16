"""The pull requests of the rehearsal's forge: `tests/forge_fixture.py`'s GitHub, for whoever's token asks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from tests.forge_fixture import ROUTES, TOKEN, ForgeServer
from tests.rehearsal.server import Actor

REPOSITORY = "example/desk"
BOT = "github-actions[bot]"
Pull = dict[str, Any]
"""A pull request as the API and the events show it."""


class Pulls(ForgeServer):
    """`tip` is the commit of a branch, or None; `made` is told of each new pull request, `asked_for` of each dispatch
    of a workflow (its file's name, ref and inputs)."""

    def __init__(
        self,
        tip: Callable[[str], str | None],
        made: Callable[[Pull, Actor], None],
        asked_for: Callable[[str, str, dict[str, Any], Actor], None],
    ) -> None:
        super().__init__(REPOSITORY, me=BOT)
        self._tip, self._made, self._asked_for = tip, made, asked_for
        self.address = ""
        self.unplayed: list[str] = []
        self.written: list[str] = []
        """Every request that wrote, with who asked."""
        self._one = threading.Lock()

    @property
    def url(self) -> str:
        return self.address

    def of_branch(self, branch: str) -> Pull | None:
        """The open pull request of a branch."""
        found = (pull for pull in self.pulls.values() if pull["head"]["ref"] == branch and pull["state"] == "open")
        return next(found, None)

    def open(self, branch: str, *, title: str, by: str) -> Pull:
        status, found = self.ask("POST", f"/repos/{REPOSITORY}/pulls", _opening(branch, title), Actor(by))
        assert status == 201, found
        return dict(found)

    def ask(self, method: str, path: str, body: Any, actor: Actor) -> tuple[int, Any]:
        """What the API answers to a person's or a job's token, by what that one may do."""
        place = path.partition("?")[0]
        scope = "actions" if "/actions/" in place else "pull-requests"
        writes = method != "GET"
        if not any(wanted == method and _matches(pattern, place) for wanted, pattern, _ in ROUTES):
            self.unplayed.append(f"{method} {path}")
            return 501, {"message": "the rehearsal does not play this"}
        if place != "/user" and not actor.may(scope, "write" if writes else "read"):
            return 403, {"message": "Resource not accessible by integration"}
        with self._one:
            self.me = BOT if actor.workflow else actor.name
            if method == "POST" and place.endswith("/pulls"):
                self.heads[body["head"]] = self._tip(body["head"]) or "f" * 40
            status, found, _ = self.answer(method, path, body, {"Authorization": f"token {TOKEN}"})
        if writes and status < 300:
            self.written.append(f"{method} {place} by {actor.user}")
            if place.endswith("/pulls"):
                self._made(found, actor)
            elif place.endswith("/dispatches"):
                self._asked_for(place.split("/")[-2], body["ref"], body.get("inputs", {}), actor)
        return status, found


def _opening(branch: str, title: str) -> dict[str, str]:
    return {"head": branch, "base": "main", "title": title, "body": ""}


def _matches(pattern: str, path: str) -> bool:
    return re.fullmatch(pattern.replace("REPO", re.escape(f"/repos/{REPOSITORY}")), path) is not None
