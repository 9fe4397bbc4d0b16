"""DVC on an S3-compatible server: what was pushed comes back through our checks, what was tampered with is refused, and
who may not is told so. Real DVC and its file system for S3 over HTTP; nothing of a credential is in a file."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.edges import dvc_data, dvc_remote, dvc_run
from runner.edges.dvc_lock import locked
from runner.edges.dvc_objects import DvcObjects
from runner.errors import DataError
from runner.flywheel import iterate
from runner.rules.canonical import sha256, tree_digest
from runner.rules.doctor.findings import Level
from runner.wiring import doctor, flywheel
from tests import dvc_fixture, s3_fixture
from tests.desk_repository import CLUSTER, clone, flow, git, seed
from tests.dvc_fixture import ADAPTER, FILES, GOLD, RECORDED, ROWS, STORED, TWINS, VALID, brought, md5
from tests.governed_desk import BIN
from tests.printed import block_with
from tests.promotion_fixture import World
from tests.s3_fixture import ROOT, Server, be
from tests.test_iterate_git import killed

PAGE = Path(__file__).parents[1] / "docs" / "remotes.md"
WEIGHTS = FILES["adapter_model.safetensors"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with s3_fixture.serving() as made:
        yield made


@pytest.fixture(scope="module")
def pushed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pushed over S3 by real DVC; then another machine's state: no cache, no outputs, no data."""
    home = tmp_path_factory.mktemp("s3")
    desk = dvc_fixture.make(home, remote=ROOT)
    point_at(desk, server.url)
    with pytest.MonkeyPatch.context() as patch:
        be(patch, server, "owner")
        dvc_fixture.publish(desk)
    assert server.read(md5(WEIGHTS)) == WEIGHTS
    dvc_fixture.empty(desk)
    return desk


def point_at(desk: Path, url: str, root: str = ROOT) -> None:
    """What stands in git: where the remote is, and nothing that opens it."""
    config = f"[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = {root}\n"
    (desk / ".dvc" / "config").write_text(f"{config}    endpointurl = {url}\n")


@pytest.fixture
def desk(pushed: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the emptied work tree, its owner's credentials in the environment."""
    be(monkeypatch, server, "owner")
    return Path(shutil.copytree(pushed, tmp_path / "desk", symlinks=True))


def test_what_was_pushed_comes_back_checked(desk: Path, server: Server) -> None:
    assert brought(desk) == STORED
    secrets = [part for pair in server.people.values() for part in pair]
    found = subprocess.run(["grep", "-r", *(f"-e{one}" for one in secrets), desk], capture_output=True, check=False)
    assert found.returncode == 1, "no credential is in any file"


def test_a_tampered_object_is_refused(desk: Path, server: Server) -> None:
    """Wrong bytes of the right length, a real md5 collision, and an object that is gone, one after another."""
    pointer = locked((desk / "dvc.lock").read_bytes())[ADAPTER]
    try:
        server.put(md5(WEIGHTS), WEIGHTS[:-3] + b"\x00\x01\x02")
        with pytest.raises(DataError, match=r"adapter_model.safetensors: s3://desk/store/.* has md5"):
            DvcObjects.of_work_tree(desk).tree(pointer, RECORDED[ADAPTER], where=ADAPTER)
        server.put(md5(TWINS[0]), TWINS[1])
        with pytest.raises(DataError, match=f"has sha256 {sha256(TWINS[1])}, and {sha256(TWINS[0])} is recorded"):
            dvc_data.fetch_all(desk, [desk / GOLD])
        name = md5(ROWS)
        server.client().delete_object(Bucket=s3_fixture.BUCKET, Key=f"store/files/md5/{name[:2]}/{name[2:]}")
        with pytest.raises(DataError, match="neither in the cache nor at the remote"):
            dvc_run.bring(desk, {VALID: RECORDED[VALID]})
        assert not (desk / GOLD).exists()
        assert not (desk / VALID).exists()
    finally:
        for data in (WEIGHTS, TWINS[0], ROWS):
            server.put(md5(data), data)


def test_the_page_s_remote_is_made_as_printed(desk: Path, server: Server) -> None:
    """The commands of docs/remotes.md, with this server's address and bucket; then something goes there."""
    printed = block_with(PAGE, "dvc remote add")
    for command in printed[:2]:
        words = command.replace("s3://desk-data/", f"s3://{s3_fixture.BUCKET}/").replace(
            "https://s3.example.com", server.url
        )
        done = subprocess.run([BIN / "dvc", *words.split()[1:]], cwd=desk, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert printed[2:] == ["hallmark doctor"]
    assert DvcObjects.of_work_tree(desk).remote == ("cloud", ROOT)
    assert dvc_data.fetch_all(desk, [desk / GOLD])[0].read_bytes() == TWINS[0]


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("person", "words"),
    [("stranger", "access is denied"), ("nobody", "there are no credentials"), ("reader", "access is denied")],
)
def test_who_may_not_is_told_so(
    desk: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], person: str,
    words: str,
) -> None:  # fmt: skip
    """Reading through our own objects, and writing through DVC."""
    be(monkeypatch, server, person)
    if person == "reader":
        dvc_data.fetch_all(desk, [desk / GOLD])
    else:
        with pytest.raises(DataError, match=f"gold.jsonl: the remote {ROOT} cannot be reached: {words}"):
            dvc_data.fetch_all(desk, [desk / GOLD])
    (desk / GOLD).write_bytes(b'{"another": 1}\n')
    dvc_data.track(desk, [desk / GOLD])
    with pytest.raises(DataError, match=f"the remote {ROOT} cannot be reached: {words}"):
        dvc_data.publish(desk, [desk / GOLD])
    assert "ERROR" not in capfd.readouterr().err, "it is said once"


def test_a_bucket_that_is_not_there(desk: Path, server: Server) -> None:
    point_at(desk, server.url, "s3://elsewhere/store")
    with pytest.raises(DataError, match="s3://elsewhere/store cannot be reached: The specified bucket does not exist"):
        dvc_data.fetch_all(desk, [desk / GOLD])


@pytest.mark.acceptance
def test_a_server_that_is_down_and_one_that_never_answers(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(desk, "http://127.0.0.1:1")
    with pytest.raises(DataError, match=f"the remote {ROOT} cannot be reached: Could not connect"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    monkeypatch.setattr(dvc_remote, "S3_LIMITS", {"connect_timeout": 1, "read_timeout": 0.2})
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        point_at(desk, f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(DataError, match="no answer in time"):
            dvc_data.fetch_all(desk, [desk / GOLD])
        assert time.monotonic() - started < 15, "what DVC alone would wait for is five times five answers"


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("person", "level", "words"),
    [
        ("owner", Level.OK, "was written to, read and cleared"),
        ("reader", Level.WARNING, "can be read and not written"),
        ("stranger", Level.PROBLEM, "access is denied"),
    ],
)
def test_what_the_doctor_says(
    desk: Path, server: Server, monkeypatch: pytest.MonkeyPatch, person: str, level: Level, words: str
) -> None:
    before = server.names()
    be(monkeypatch, server, person)
    (found,) = (one for one in doctor.examine(desk, desk) if one.check == "remote")
    assert (found.level, words in found.what) == (level, True), found
    assert server.names() == before, "the probe is gone again"


@pytest.mark.acceptance
def test_an_adapter_for_serving_comes_over_s3(server: Server, tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.promote()
    for file in (world.path / "storage" / "files" / "md5").glob("*/*"):
        server.put(file.parent.name + file.name, file.read_bytes())
    clone, target = tmp_path / "clone", tmp_path / "srv"
    subprocess.run(["git", "clone", "--quiet", str(world.origin), str(clone)], check=True)
    (clone / ".dvc").mkdir(exist_ok=True)
    point_at(clone, server.url)
    asked = [BIN / "hallmark", "fetch", "desk", "--root", world.root_sha256, "--to"]

    def fetch(to: Path, person: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GIT_"))}
        env = {**clean, **server.environment(person)}
        return subprocess.run([*asked, to], cwd=clone, env=env, capture_output=True, text=True, check=False)

    denied = fetch(target, "stranger")
    assert denied.returncode == 5
    assert "access is denied" in denied.stderr
    done = fetch(target, "reader")
    assert done.returncode == 0, done.stderr
    adapter = world.before().records[1].adapter
    assert adapter is not None
    assert tree_digest({path.name: path.read_bytes() for path in target.iterdir()}) == adapter.sha256
    weights = (target / "adapter_model.safetensors").read_bytes()
    shutil.rmtree(clone / ".dvc" / "cache", ignore_errors=True)
    server.put(md5(weights), weights[:-1] + b"\x00")
    refused = fetch(tmp_path / "other", "reader")
    assert refused.returncode == 5
    assert "has md5" in refused.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.acceptance
def test_an_iteration_that_was_killed_goes_on_elsewhere_with_what_s3_has(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real git, DVC and S3, models in memory: one machine dies in phase 8, another has but a clone and the bucket."""
    be(monkeypatch, server, "owner")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    desk = tmp_path / "desk"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "origin.git"], check=True)
    seed(desk, remote=ROOT)
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "The first tree"]):
        git(desk, *words)
    git(desk, "remote", "add", "origin", "../origin.git")
    git(desk, "push", "--quiet", "origin", "main")
    assert killed(desk, ("before git commit", 8))
    passed = [entry.phase for entry in flywheel.ledger_store(desk).read(CLUSTER) if entry.phase]
    shutil.rmtree(desk)
    second = clone(tmp_path, "second")
    assert iterate(flow(second)).phase == "bundle"
    again = [entry.phase for entry in flywheel.ledger_store(second).read(CLUSTER) if entry.phase]
    assert again[: len(passed)] == passed
    assert 0 < len(passed) < len(again)
