"""No credential stands in `.dvc/config`: what opens a remote is found by its line, and `check` refuses it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.rules.repository.dvc_config import SECRETS, exposed, without_password
from runner.wiring import flywheel
from tests.governed_desk import BIN

FINE = b"""[core]
    analytics = false
    remote = store
['remote "store"']
    url = s3://desk/store
    endpointurl = https://s3.example.com
    region = eu-central-1
    profile = desk
    ssl_verify = true
    # password = as in a comment
['remote "other"']
    url = ssh://ash@example.com:22/srv/store
    keyfile = ~/.ssh/id_ed25519
    ask_password = true
"""


def test_what_may_stand_there() -> None:
    assert list(exposed(FINE)) == []


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_every_credential_is_found_by_its_line(name: str) -> None:
    (found,) = exposed(FINE + f"    {name} = x\n".encode())
    assert (found.line, found.field) == (FINE.count(b"\n") + 1, f"remote.other.{name}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("url = ssh://ash:swordfish@example.com/srv", "has a password in its URL"),
        ("url = https://ash:sword%2Ffish@example.com/srv", "has a password in its URL"),
        ("profile = AKIA" + "Z7QK3M5XJ2BVTN4D", "looks like a key or token"),
        ("bearer_token_command = curl https://example.com", "DVC would run this"),
        ("Secret_Access_Key = x", "is a credential"),
    ],
)
def test_what_opens_a_remote_otherwise(line: str, words: str) -> None:
    (found,) = exposed(FINE + f"    {line}\n".encode())
    assert words in found.problem


def test_dvc_reads_the_options_that_are_looked_for() -> None:
    """Of DVC's own schema nothing that sounds like a credential is left out."""
    from dvc.config_schema import REMOTE_SCHEMAS

    names = {str(name) for kind in REMOTE_SCHEMAS.values() for name in kind if name is not str}
    hushed = ("password", "passphrase", "secret", "token", "_key", "key_id", "connection_string", "auth_header")
    sounding = {name for name in names if any(word in name for word in hushed)}
    not_one = {"ask_password", "ask_passphrase", "bearer_token_command", "sse_kms_key_id", "key_path"}
    assert {name for name in sounding if not name.startswith(("exclude_", "allow_"))} - not_one <= SECRETS


def test_check_refuses_it(tmp_path: Path) -> None:
    top = tmp_path / "desk"
    flywheel.initialise(top, remote="ssh://example.com/store")
    config = top / ".dvc" / "config"
    asked = [BIN / "hallmark", "check", "--json", "-C", top]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
    config.write_text(config.read_text() + "    password = swordfish\n")
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["path"], problem["line"]) == (".dvc/config", config.read_text().count("\n"))
    assert problem["field"] == "remote.store.password"
    assert "swordfish" not in done.stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ssh://ash:swordfish@example.com/srv", "ssh://ash@example.com/srv"),
        ("ssh://ash@example.com/srv", "ssh://ash@example.com/srv"),
        ("s3://desk/store", "s3://desk/store"),
        ("../store@home:1", "../store@home:1"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
