"""`.dvc/config`, which stands in git: what in it opens a remote, and so belongs into the environment, an ssh agent or
`.dvc/config.local`, which does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from runner.rules.text.secrets import KEY

PATH = ".dvc/config"
SECRETS = frozenset(
    {"password", "passphrase", "token", "custom_auth_header"}
    | {"access_key_id", "secret_access_key", "session_token", "sse_customer_key"}
    | {"connection_string", "sas_token", "account_key", "client_secret"}
    | {"oss_key_id", "oss_key_secret", "gdrive_client_secret"}
)
"""Options that hold a credential, of every kind of remote (dvc.config_schema, DVC 3.67)."""
RUN = frozenset({"bearer_token_command"})
"""Options that DVC runs in a shell: a reviewed file is inert."""
ELSEWHERE = (
    "take it out and change it where it opens something; then use the environment, an ssh agent or "
    "`dvc remote modify --local`"
)
_SECTION = re.compile(r"\s*\[\s*'?\s*(?:remote \"(?P<remote>[^\"]*)\"|(?P<other>[^'\]]*?))\s*'?\s*\]")
_OPTION = re.compile(r"\s*(?P<name>[\w-]+)\s*[=:]\s*(?P<value>.*?)\s*\Z")
_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)


class Exposed(NamedTuple):
    """A credential, or a command, in a file that stands in git."""

    line: int
    field: str
    problem: str


def exposed(data: bytes) -> Iterator[Exposed]:
    """What should not stand in `.dvc/config`, by its line. What DVC cannot read opens nothing."""
    section = ""
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        if line.lstrip().startswith(("#", ";")):
            continue
        if found := _SECTION.match(line):
            section = f"remote.{found['remote']}" if found["remote"] is not None else found["other"].strip()
        elif (option := _OPTION.match(line)) and option["value"] and (said := _wrong(option["name"], option["value"])):
            yield Exposed(number, f"{section}.{option['name']}", said)


def _wrong(name: str, value: str) -> str:
    """Why an option may not stand there; empty where it may."""
    if name.lower() in RUN:
        return "DVC would run this as a command, and a reviewed file runs nothing"
    if name.lower() in SECRETS:
        return "is a credential, and git shows it to everybody who ever clones"
    if _PASSWORD.match(value):
        return "has a password in its URL, and git shows it to everybody who ever clones"
    if KEY.search(value):
        return "looks like a key or token, and git shows it to everybody who ever clones"
    return ""


def without_password(url: str) -> str:
    """A URL as it may be shown: what stands between a user's name and the host is left out."""
    scheme, mark, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}{at}{host}" if mark and at else url
