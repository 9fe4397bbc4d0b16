"""What DVC brings is checked at every read, with real DVC and a directory as its remote (PROTOCOL.md, fact 7)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.edges import dvc_data, dvc_run
from runner.edges.artifacts import DirectoryArtifacts
from runner.edges.dvc_objects import DvcObjects
from runner.edges.dvc_repository import opened
from runner.errors import DataError
from runner.records.pointer import PointerOut
from runner.rules.canonical import sha256
from tests import dvc_fixture
from tests.attack.disk import small_disk
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

WEIGHTS = FILES["adapter_model.safetensors"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("dvc") / "home"
    dvc_fixture.publish(dvc_fixture.make(home))
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """Another machine: pointers and the store, and neither a cache nor outputs."""
    home = tmp_path / "home"
    shutil.copytree(template, home)
    dvc_fixture.empty(home / "desk")
    return home


def state(home: Path) -> set[str]:
    """Every file that is not the repository's or DVC's own."""
    return {
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and not {".git", ".dvc", "store"} & set(path.relative_to(home).parts)
    }


def test_what_was_stored_comes_back(home: Path) -> None:
    desk = home / "desk"
    assert brought(desk) == STORED
    assert dvc_fixture.run("git", "status", "--short", "--", f"{HOME}/data", cwd=desk).count("gold.jsonl\n") == 0


def test_dvc_itself_finds_nothing_changed_after_it(home: Path) -> None:
    desk = home / "desk"
    dvc_run.bring(desk, RECORDED)
    dvc_data.fetch_all(desk, [desk / GOLD])
    with dvc_run.opened(desk) as repo:
        assert {name: found for name, found in repo.status().items() if "changed outs" in str(found)} == {}


@pytest.mark.parametrize("place", ["cache", "store"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda data: data[:-3] + b"\x00\x01" + data[-1:], "has md5 .* was stored"),
        (lambda data: data[: len(data) // 2], "has md5 .* was stored"),
        (lambda data: b"", "has md5 .* was stored"),
    ],
    ids=["same-length", "truncated", "empty"],
)
def test_wrong_bytes_are_refused(home: Path, place: str, wrong: Callable[[bytes], bytes], said: str) -> None:
    desk = home / "desk"
    store = home / "store" if place == "store" else desk / ".dvc" / "cache"
    for data in (WEIGHTS, ROWS, TWINS[0]):
        put(stored(store, md5(data)), wrong(data))
    before = state(home)
    for path, digest in RECORDED.items():
        with pytest.raises(DataError, match=f"{path}.*{said}"):
            dvc_run.bring(desk, {path: digest})
    with pytest.raises(DataError, match=f"gold.jsonl.*{said}"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    assert state(home) == before


def test_the_published_collision_is_one() -> None:
    assert md5(TWINS[0]) == md5(TWINS[1]) == "79054025255fb1a26e4bc422aef54eb4"
    assert len(TWINS[0]) == len(TWINS[1]) == 128
    assert sha256(TWINS[0]) != sha256(TWINS[1])


def test_an_md5_collision_is_refused_by_sha256(home: Path) -> None:
    desk = home / "desk"
    put(stored(home / "store", md5(TWINS[0])), TWINS[1])
    with pytest.raises(DataError, match=f"gold.jsonl has sha256 {sha256(TWINS[1])}, and {sha256(TWINS[0])} is rec"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    assert not (desk / GOLD).exists()


def test_a_collided_member_of_a_directory_is_refused_by_sha256(home: Path) -> None:
    desk = home / "desk"
    put(stored(home / "store", md5(TWINS[0])), TWINS[1])
    forge(desk, home / "store", [{"md5": md5(TWINS[0]), "relpath": "adapter_model.safetensors"}])
    with pytest.raises(DataError, match=f"{ADAPTER} has sha256 .*, and {RECORDED[ADAPTER]} is recorded"):
        dvc_run.bring(desk, RECORDED)
    assert not (desk / ADAPTER).exists()


def test_a_missing_object_is_named(home: Path) -> None:
    desk = home / "desk"
    stored(home / "store", md5(WEIGHTS)).unlink()
    with pytest.raises(DataError, match=rf"{ADAPTER}/adapter_model.safetensors: object {md5(WEIGHTS)} is neither"):
        dvc_run.bring(desk, RECORDED)
    shutil.rmtree(home / "store")
    with pytest.raises(DataError, match=r"gold.jsonl.* is neither in the cache nor at the remote: push it"):
        dvc_data.fetch_all(desk, [desk / GOLD])


ENTRY = {"md5": md5(ROWS)}
HOSTILE = {
    "parent": ["../outside.txt"],
    "deep parent": ["a/../../../outside.txt"],
    "absolute": ["/tmp/outside.txt"],
    "drive": ["C:/outside.txt"],
    "backslash": ["..\\outside.txt"],
    "control": ["out\nside.txt"],
    "null": ["out\x00side.txt"],
    "git": [".git/hooks/pre-commit"],
    "git in capitals": ["sub/.GIT/config"],
    "git with a dot": ["sub/.git./config"],
    "hidden": [".bashrc"],
    "leading dash": ["-rf"],
    "empty": [""],
    "dot": ["."],
    "double slash": ["a//b"],
    "trailing slash": ["a/"],
    "homoglyph": ["\u0430dapter_config.json"],
    "right-to-left": ["a\u202etxt.exe"],
    "twice": ["a.txt", "a.txt"],
    "case": ["a.txt", "A.txt"],
    "case of directories": ["a/x", "A/y"],
    "file and directory": ["a", "a/b"],
    "long": ["a" * 300],
    "deep": ["/".join("a" * 20)],
}


@pytest.mark.parametrize("names", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_listing_writes_nothing(home: Path, names: list[str]) -> None:
    desk = home / "desk"
    forge(desk, home / "store", [{**ENTRY, "relpath": name} for name in names])
    before = state(home)
    with pytest.raises(DataError, match="the stored directory is refused"):
        dvc_run.bring(desk, RECORDED)
    assert state(home) == before
    assert not Path("/tmp/outside.txt").exists()


@pytest.mark.parametrize(
    "entries", [{"md5": "x"}, [1], [{"relpath": "a"}], [{"md5": "../../etc/passwd", "relpath": "a"}], "x"]
)
def test_a_damaged_listing_is_refused(home: Path, entries: object) -> None:
    forge(home / "desk", home / "store", entries)
    with pytest.raises(DataError, match="the stored directory"):
        dvc_run.bring(home / "desk", RECORDED)


@pytest.mark.parametrize("linked", ["object", "folder"])
@pytest.mark.parametrize("place", ["cache", "store"])
def test_a_symbolic_link_among_the_objects_is_refused(home: Path, place: str, linked: str) -> None:
    desk = home / "desk"
    store = home / "store" if place == "store" else desk / ".dvc" / "cache"
    secret = home / "secret"
    secret.mkdir()
    path = stored(store, md5(TWINS[0]))
    (secret / path.name).write_bytes(TWINS[0])
    if linked == "object":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(secret / path.name)
    else:
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.symlink_to(secret)
    with pytest.raises(DataError, match="is a symbolic link"):
        dvc_data.fetch_all(desk, [desk / GOLD])


def test_a_pipe_in_an_objects_place_does_not_hang(home: Path) -> None:
    path = stored(home / "store", md5(TWINS[0]))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="no regular file"):
        dvc_data.fetch_all(home / "desk", [home / "desk" / GOLD])


def test_a_pointer_that_points_elsewhere_is_refused(home: Path) -> None:
    pointer = home / "desk" / f"{GOLD}.dvc"
    pointer.write_text(pointer.read_text().replace("path: gold.jsonl", "path: ../../../outside"))
    with pytest.raises(DataError, match=r"points at '../../../outside', and stands beside gold.jsonl"):
        dvc_data.fetch_all(home / "desk", [home / "desk" / GOLD])


def test_another_file_in_the_place_is_set_aside_only_once_the_right_one_is_here(home: Path) -> None:
    desk = home / "desk"
    (desk / GOLD).write_bytes(b"my own\n")
    right = stored(home / "store", md5(TWINS[0]))
    right.rename(right.with_suffix(".away"))
    with pytest.raises(DataError, match="neither in the cache"):
        dvc_data.fetch_all(desk, [desk / GOLD])
    assert (desk / GOLD).read_bytes() == b"my own\n"
    right.with_suffix(".away").rename(right)
    dvc_data.fetch_all(desk, [desk / GOLD])
    assert (desk / GOLD).read_bytes() == TWINS[0]
    (aside,) = (desk / ".hallmark" / "set-aside").iterdir()
    assert aside.read_bytes() == b"my own\n"


def test_an_output_that_the_lock_does_not_name_is_refused(home: Path) -> None:
    with pytest.raises(DataError, match=r"dvc.lock does not say where it is"):
        dvc_run.bring(home / "desk", {f"{HOME}/run/other": "0" * 64})
    (home / "desk" / "dvc.lock").write_text("stages: [1")
    with pytest.raises(DataError, match=r"dvc.lock cannot be read"):
        dvc_run.bring(home / "desk", RECORDED)


def test_an_object_name_is_no_path(home: Path) -> None:
    objects = DvcObjects.of_work_tree(home / "desk")
    for name in ("../../../../etc/passwd", "d41d8cd98f00b204e9800998ecf8427e/../x", "D41D8CD98F00B204E9800998ECF8427E"):
        with pytest.raises(DataError, match="is no object name"):
            objects.read(name, where="x")
    with pytest.raises(DataError, match="is no stored directory"):
        objects.tree(PointerOut(md5="0" * 32, size=0, path="x"), "0" * 64, where="x")


def test_a_pinned_artifact_is_checked_at_the_read(home: Path) -> None:
    desk = home / "desk"
    dvc_run.bring(desk, RECORDED)
    pins = {"adapter": RECORDED[ADAPTER], "valid": RECORDED[VALID]}
    artifacts = DirectoryArtifacts(desk / HOME, pins)
    assert artifacts.tree("adapter").digest == pins["adapter"]
    (desk / ADAPTER / "adapter_config.json").write_bytes(b"{}")
    (desk / VALID).write_bytes(ROWS[:-2] + b"]\n")
    with pytest.raises(DataError, match=f"run/adapter has sha256 .*, and {pins['adapter']} is recorded"):
        artifacts.tree("adapter")
    with pytest.raises(DataError, match=f"valid.jsonl has sha256 .*, and {pins['valid']} is recorded: `hallmark iter"):
        artifacts.rows("valid", PointerOut)


def test_a_work_tree_shares_a_cache_below_a_folder_of_any_name(home: Path, tmp_path: Path) -> None:
    main = tmp_path / "zoë" / "desk"
    shutil.copytree(home / "desk", main)
    shutil.copytree(main, tmp_path / "tree")
    dvc_run.share_cache(tmp_path / "tree", main)
    with opened(tmp_path / "tree") as repo:
        assert repo.cache.local.path == str(main / ".dvc/cache/files/md5")
        assert repo.config["remote"]["store"]["url"] == str(main.parent / "store")
    assert (tmp_path / "tree/.dvc/config.local").stat().st_mode & 0o777 == 0o600, "others may not read credentials"


def test_a_push_to_a_full_disk_names_the_file_and_leaves_no_half_of_it(home: Path, tmp_path: Path) -> None:
    """DVC leaves what it had written so far, and every further try would leave another."""
    desk = home / "desk"
    try:
        with small_disk(tmp_path / "disk", mebibytes=1) as disk:
            config = (desk / ".dvc/config").read_text()
            (desk / ".dvc/config").write_text(re.sub(r"url = .*", f"url = {disk}/store", config))
            put(desk / GOLD, bytes(2**21))
            dvc_data.track(desk, [desk / GOLD])
            with pytest.raises(DataError, match=rf"No space left on device: .*{disk}"):
                dvc_data.publish(desk, [desk / GOLD])
            assert [path for path in disk.rglob("*") if path.is_file()] == []
    except PermissionError:
        pytest.skip("this process may not mount a tmpfs")


@pytest.mark.parametrize("half", [b"", b'{"write": {"/desk/data": {"pid": 12, "cm', b"\xff"])
def test_dvc_s_list_of_who_is_at_work_may_have_been_cut_short(home: Path, half: bytes) -> None:
    """By a full disk or a kill: DVC alone would refuse every command from then on."""
    listed = home / "desk/.dvc/tmp/rwlock"
    put(listed, half)
    put(home / "desk" / GOLD, TWINS[0])
    dvc_data.track(home / "desk", [home / "desk" / GOLD])
    assert not any(json.loads(listed.read_bytes()).values()), "nobody is at work any more"
