"""DVC over a real ssh server: what was pushed comes back through our checks, and a tampered remote is refused."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.edges import dvc_data, dvc_remote, dvc_run
from runner.edges.dvc_lock import locked
from runner.edges.dvc_objects import DvcObjects
from runner.errors import DataError
from runner.rules.canonical import sha256, tree_digest
from runner.rules.doctor.findings import Level
from runner.wiring import doctor
from tests import dvc_fixture
from tests.acceptance import ssh_server
from tests.acceptance.conftest import hallmark
from tests.dvc_fixture import (
    ADAPTER,
    FILES,
    GOLD,
    HOME,
    RECORDED,
    ROWS,
    STORED,
    TWINS,
    VALID,
    brought,
    forge,
    md5,
    put,
    stored,
)
from tests.promotion_fixture import World

pytestmark = pytest.mark.acceptance
WEIGHTS = FILES["adapter_model.safetensors"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssh_server.Server]:
    missing = ssh_server.install()
    if missing:
        print(f"SKIPPED, no ssh remote was tried: {missing}", flush=True)
        pytest.skip(missing)
    with ssh_server.serving(tmp_path_factory.mktemp("sshd") / "server") as made:
        yield made


def point_at(repository: Path, server: ssh_server.Server, store: Path) -> None:
    """Let the repository's remote be the server's, with a key that only this machine's configuration names."""
    local = (
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {server.url(store)}\n    keyfile = {server.key}\n"
    )
    (repository / ".dvc" / "config.local").write_text(local)


@pytest.fixture
def home(server: ssh_server.Server, tmp_path: Path) -> Path:
    """Pushed over ssh by real DVC; then another machine's state: no cache, no outputs, no data."""
    home = tmp_path / "home"
    (home / "store").mkdir(parents=True)
    desk = dvc_fixture.make(home, remote=server.url(home / "store"))
    point_at(desk, server, home / "store")
    dvc_fixture.publish(desk)
    assert stored(home / "store", md5(WEIGHTS)).read_bytes() == WEIGHTS
    dvc_fixture.empty(desk)
    return home


def test_what_was_pushed_comes_back_checked(home: Path) -> None:
    desk = home / "desk"
    assert brought(desk) == STORED


def test_a_tampered_remote_is_refused(home: Path) -> None:
    """Wrong bytes, truncated bytes, a collision, a missing object and a listing that climbs, one after another."""
    desk, store = home / "desk", home / "store"
    pointer = locked((desk / "dvc.lock").read_bytes())[ADAPTER]
    put(stored(store, md5(WEIGHTS)), WEIGHTS[:-3] + b"\x00\x01\x02")
    with pytest.raises(DataError, match=r"adapter_model.safetensors: ssh://.* has md5"):
        DvcObjects.of_work_tree(desk).tree(pointer, RECORDED[ADAPTER], where=ADAPTER)
    put(stored(store, md5(ROWS)), ROWS[:-20])
    with pytest.raises(DataError, match=r"valid.jsonl: ssh://.* has md5"):
        dvc_run.bring(desk, {VALID: RECORDED[VALID]})
    put(stored(store, md5(TWINS[0])), TWINS[1])
    with pytest.raises(DataError, match=f"has sha256 {sha256(TWINS[1])}, and {sha256(TWINS[0])} is recorded"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    stored(store, md5(ROWS)).unlink()
    with pytest.raises(DataError, match="neither in the cache nor at the remote"):
        dvc_run.bring(desk, {VALID: RECORDED[VALID]})
    forge(desk, store, [{"md5": md5(TWINS[1]), "relpath": "../../../../outside.txt"}])
    with pytest.raises(DataError, match="the stored directory is refused"):
        dvc_run.bring(desk, RECORDED)
    assert not (home / "outside.txt").exists()
    assert {path.name for path in (desk / HOME).rglob("*") if path.is_file()} == {".gitignore", "gold.jsonl.dvc"}


def test_a_server_that_is_gone_or_silent_is_a_clear_error(
    home: Path, server: ssh_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = home / "desk"
    local = desk / ".dvc" / "config.local"
    text = local.read_text()
    local.write_text(text.replace(f":{server.port}/", ":1/"))
    with pytest.raises(DataError, match=r"the remote ssh://.* cannot be reached: .*Connect call failed"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    monkeypatch.setitem(dvc_remote.SSH_LIMITS, "connect_timeout", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        local.write_text(text.replace(f":{server.port}/", f":{silent.getsockname()[1]}/"))
        with pytest.raises(DataError, match="no answer in time"):
            dvc_data.fetch_all(desk, [desk / GOLD])


def test_a_key_that_the_server_does_not_know_is_told_so(home: Path, tmp_path: Path) -> None:
    """Reading through our own objects and writing through DVC."""
    desk, stranger = home / "desk", tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    local = desk / ".dvc" / "config.local"
    local.write_text(re.sub(r"keyfile = .*", f"keyfile = {stranger}", local.read_text()))
    with pytest.raises(DataError, match=r"the remote ssh://.* cannot be reached: access is denied"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    put(desk / GOLD, b'{"another": 1}\n')
    dvc_data.track(desk, [desk / GOLD])
    with pytest.raises(DataError, match=r"the remote ssh://.* cannot be reached: access is denied"):
        dvc_data.publish(desk, [desk / GOLD])


def test_what_the_doctor_says(home: Path, server: ssh_server.Server) -> None:
    desk = home / "desk"
    before = sorted((home / "store").rglob("*"))
    (found,) = (one for one in doctor.examine(desk, desk) if one.check == "remote")
    assert (found.level, "was written to, read and cleared" in found.what) == (Level.OK, True), found
    assert [path for path in sorted((home / "store").rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]
    local = desk / ".dvc" / "config.local"
    local.write_text(local.read_text().replace(f":{server.port}/", ":1/"))
    (found,) = (one for one in doctor.examine(desk, desk) if one.check == "remote")
    assert found.level is Level.PROBLEM
    assert found.fix == "ssh-add -l"


def test_an_adapter_for_serving_comes_over_ssh(server: ssh_server.Server, tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.promote()
    clone, target = tmp_path / "clone", tmp_path / "srv"
    subprocess.run(["git", "clone", "--quiet", str(world.origin), str(clone)], check=True)
    point_at(clone, server, world.path / "storage")
    asked = ("fetch", "desk", "--root", world.root_sha256)
    hallmark(*asked, "--to", str(target), cwd=clone)
    adapter = world.before().records[1].adapter
    assert adapter is not None
    assert tree_digest({path.name: path.read_bytes() for path in target.iterdir()}) == adapter.sha256
    shutil.rmtree(clone / ".dvc" / "cache")
    weights = (target / "adapter_model.safetensors").read_bytes()
    put(stored(world.path / "storage", md5(weights)), weights[:-1] + b"\x00")
    refused = hallmark(*asked, "--to", str(tmp_path / "other"), cwd=clone, check=False)
    assert refused.returncode == 5
    assert "has md5" in refused.stderr
    assert not (tmp_path / "other").exists()
