"""A forge's rules for the branch main, read over its API where a token is at hand.

GitHub: `GET /repos/{owner}/{repo}/rules/branches/main` lists the active rules of every ruleset, and needs no more than
a token that may read metadata; `GET /repos/{owner}/{repo}/branches/main` tells of the older branch protection.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from runner.edges.doctor.asking import ask_git
from runner.errors import EdgeError
from runner.rules.doctor.facts import Forge
from runner.rules.doctor.findings import Unseen

TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
CHECK = ".github/workflows/check.yaml"
_ORIGIN = re.compile(
    r"(?:\w+://(?:[^@/]*@)?|(?:[^@/]*@)?)(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[^/]+/.+?)(?:\.git)?/?\Z"
)
REQUIRED = ("gate", "records")
"""Jobs of that workflow: the verdict, and the files. What only tells people something need not pass."""
MOST = 2**20
"""Bytes of an answer."""


def rules(top: Path, *, timeout_s: float) -> Forge | Unseen:
    """What the forge asks of a change to main. Raises `EdgeError` where it does not answer."""
    url = ask_git(top, "remote", "get-url", "origin") or ""
    origin = _ORIGIN.match(url) if "://" in url or "@" in url.partition(":")[0] else None
    if origin is None or url.startswith("file:"):
        return Unseen("the origin is on no forge: there are no forge settings to look at", "")
    host, repository = origin["host"], origin["path"]
    if host != _github_host():
        said = f"the settings of {host} were not looked at: its rules for main have to be read by a person (docs/ci.md)"
        return Unseen(said, "")
    token = next((os.environ[name] for name in TOKENS if os.environ.get(name)), "")
    if not token:
        said = "GitHub's settings were not looked at: there is no GITHUB_TOKEN or GH_TOKEN"
        return Unseen(said, "GH_TOKEN=$(gh auth token) hallmark doctor")
    kinds, checks, pulls = set(), set(), []
    for rule in _get(f"repos/{repository}/rules/branches/main", token, timeout_s):
        kinds.add(str(rule.get("type", "")))
        says = rule.get("parameters") or {}
        checks |= {str(one.get("context", "")) for one in says.get("required_status_checks") or []}
        pulls += [says] if rule.get("type") == "pull_request" else []
    branch = _get(f"repos/{repository}/branches/main", token, timeout_s)
    if branch.get("protected"):  # protection of the older kind refuses both unless somebody allowed them
        kinds |= {"non_fast_forward", "deletion"}
        needed = (branch.get("protection") or {}).get("required_status_checks") or {}
        checks |= set(needed.get("contexts") or ())
    asks_owners = any(one.get("require_code_owner_review") for one in pulls) if pulls else None
    methods = [one["allowed_merge_methods"] for one in pulls if one.get("allowed_merge_methods")]
    rebases = all("rebase" in one for one in methods) if methods else None  # every rule has to allow it
    return Forge("GitHub", repository, frozenset(kinds), frozenset(checks), _wanted(top), asks_owners, rebases)


def _github_host() -> str:
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return server.partition("://")[2].partition("/")[0].partition(":")[0]


def _api() -> str:
    """Where GitHub's API is: Actions says so of a server of one's own."""
    host = _github_host()
    fallback = "https://api.github.com" if host == "github.com" else f"https://{host}/api/v3"
    return os.environ.get("GITHUB_API_URL", fallback).rstrip("/")


def _get(path: str, token: str, timeout_s: float) -> Any:
    headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{_api()}/{path}", headers={**headers, "X-GitHub-Api-Version": "2022-11-28"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return json.loads(answer.read(MOST))
    except urllib.error.HTTPError as error:
        raise EdgeError(f"GitHub answers {path} with {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise EdgeError(f"GitHub does not answer {path}: {error}") from error


def _wanted(top: Path) -> tuple[str, ...]:
    """Of the checks that have to pass, those that the workflow `check` has, by their names."""
    import yaml

    try:
        jobs = yaml.safe_load((top / CHECK).read_bytes())["jobs"]
        names = {str(job.get("name", name)) for name, job in jobs.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return REQUIRED[:1]
    return tuple(name for name in REQUIRED if name in names)
