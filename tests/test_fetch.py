"""An adapter for serving: chosen, verified, and written whole, from a clone of a real repository."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.fetch import fetch as command
from runner.edges import adapter_store
from runner.edges.write_points import WritePoint, watchers
from runner.errors import DataError, ExitCode, GitError, RecordError
from runner.promotion import decide
from runner.promotion.adapters import bring
from runner.promotion.fetch import Fetched, Target, fetch
from runner.promotion.later import deprecate
from runner.promotion.propose import Staging, adapter_record
from runner.promotion.rollback import rollback_to
from runner.records.promotion import BaseId, ServingStage
from runner.records.verdict import Outcome
from runner.rules.canonical import sha256, tree_digest
from runner.wiring import promotion
from tests.adapter_fixture import adapter_files, base_files, pack, tensors
from tests.promotion_fixture import LATER, World, store_with_dvc
from tests.staged_fixture import StagedWorld

BASE = base_files()
REPOSITORY = "desk"


def promoted(world: World, staging: Staging, *people: str) -> None:
    world.propose(world.staged(staging), sequence=staging.sequence, check=True)
    world.approve(*people, sequence=staging.sequence)
    new = world.merge(sequence=staging.sequence)
    assert world.judge(new).reasons == ()
    world.land(new)
    world.reconcile()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two promotions straight into production; the second serves."""
    world = World(tmp_path_factory.mktemp("fetch") / "world")
    world.create()
    for iteration in ("it-1", "it-2"):
        promoted(world, world.staging(iteration), "alice", "bob")
    return world


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return template.copy(tmp_path / "world")


def clone(world: World) -> promotion.Room:
    path = world.path / REPOSITORY
    if not path.exists():
        subprocess.run(["git", "clone", "--quiet", str(world.origin), str(path)], check=True)
    return promotion.room(path, store=world.path / "storage")


def fetched(world: World, target: str = "desk", *, root: str = "", now: str = LATER) -> Fetched:
    room = clone(world)
    room.refresh()
    assert room.store is not None
    tip = room.tip(decide.MAIN)
    return fetch(room.offline(), room.store, Target.parse(target), tip=tip or "", root=root, now=now)


def problems(found: Fetched) -> str:
    assert found.verdict.outcome is Outcome.REFUSE
    assert found.files == {}
    return "\n".join(f"{reason.step}: {reason.problem}" for reason in found.verdict.reasons)


@pytest.mark.parametrize(("target", "sequence"), [("desk", 2), ("desk@1", 1), ("desk@2", 2), ("desk@production", 2)])
@pytest.mark.parametrize("rooted", [True, False])
def test_what_was_promoted_comes_verified(world: World, target: str, sequence: int, rooted: bool) -> None:
    found = fetched(world, target, root=world.root_sha256 if rooted else "")
    assert found.verdict.reasons == ()
    assert found.record.sequence == sequence
    assert found.record.adapter is not None
    assert tree_digest(found.files) == found.record.adapter.sha256
    assert set(found.files) == {"adapter_model.safetensors", "adapter_config.json"}


@pytest.mark.parametrize(
    "text", ["", "desk@", "Desk", "desk@deprecated", "desk@live", "../x", "desk@-1", "-rf", "a@b@c"]
)
def test_what_is_no_target_is_a_clear_error(text: str) -> None:
    with pytest.raises(RecordError, match="names no promotion"):
        Target.parse(text)


def test_what_is_not_on_main_is_refused(world: World) -> None:
    with pytest.raises(RecordError, match="desk/3 is not on main: it was not proposed, not merged, or rejected"):
        fetched(world, "desk@3")
    with pytest.raises(RecordError, match="no adapter of desk is in canary"):
        fetched(world, "desk@canary")
    world.propose(world.staged(world.staging("it-3")), sequence=3, check=True)
    with pytest.raises(RecordError, match=r"desk/3 is not on main.*on main: 1, 2"):
        fetched(world, "desk@3")


def test_a_stage_names_who_holds_it(tmp_path: Path) -> None:
    world = StagedWorld(tmp_path / "world")
    world.create()
    promoted(world, world.staging("it-1"), "alice", "bob")
    assert fetched(world, "desk@shadow").record.stage is ServingStage.SHADOW
    with pytest.raises(RecordError, match="no adapter of desk is in production"):
        fetched(world)


def test_another_root_of_trust_is_refused(world: World) -> None:
    assert "0 root" in problems(fetched(world, root="0" * 64))


def test_a_merge_without_a_receipt_is_refused(world: World) -> None:
    """Its newer promotion is not passed over in silence: the older one is asked for by name."""
    world.propose(world.staged(world.staging("it-3")), sequence=3, check=True)
    world.approve("alice", "bob", sequence=3)
    world.land(world.merge(sequence=3))
    assert "desk/3 has no receipt in the ledger" in problems(fetched(world))
    assert fetched(world, "desk@2").verdict.passed


def test_a_missing_tag_is_refused(world: World) -> None:
    world.git.run("update-ref", "-d", "refs/tags/promotions/desk/2")
    assert "there is no tag promotions/desk/2" in problems(fetched(world))


def test_a_record_that_an_admin_merged_is_refused(world: World) -> None:
    """A record by hand, with no proposal, no approval and no receipt."""
    record = world.git.read(world.main, "clusters/desk/promotions/2/record.yaml")
    forged = record.replace(b"sequence: 2", b"sequence: 3")
    world.land(
        world.git.commit_files([world.main], {"clusters/desk/promotions/3/record.yaml": forged}, "By an admin\n")
    )
    assert "has no receipt" in problems(fetched(world, "desk@3"))
    assert "desk/3" in problems(fetched(world, "desk@2", root=world.root_sha256))


def revoke(world: World, what: str) -> None:
    policy = world.policy(revoked=f"# sha256:{what}\n".encode(), version=2)
    world.land(world.git.commit_files([world.main], policy, "Revoke\n"))


@pytest.mark.parametrize("what", ["adapter", "record", "evidence"])
def test_what_is_revoked_since_is_refused(world: World, what: str) -> None:
    path = "clusters/desk/promotions/2/record.yaml"
    record = fetched(world).record
    assert record.adapter is not None
    named = {
        "adapter": record.adapter.sha256,
        "record": sha256(world.git.read(world.main, path)),
        "evidence": record.evidence["scorecard.json"],
    }
    revoke(world, named[what])
    assert f"its {what}" in problems(fetched(world))
    assert fetched(world, "desk@1").verdict.passed


def test_a_deprecated_adapter_is_refused_by_every_name(world: World) -> None:
    promoted(world, deprecate(world.sources(), world.main, "desk", 1, why="retired"), "alice", "bob")
    assert "the adapter of desk/1 is deprecated" in problems(fetched(world, "desk@1"))
    assert "the adapter of desk/3 is deprecated" in problems(fetched(world, "desk@3"))
    assert fetched(world).record.sequence == 2


def test_after_a_rollback_the_earlier_adapter_comes(world: World) -> None:
    before = fetched(world, "desk@1").files
    promoted(world, rollback_to(world.sources(), world.main, "desk", 1, why="refunds misrouted"), "carol")
    found = fetched(world)
    assert (found.record.sequence, found.files) == (3, before)


def test_an_expired_policy_serves_nothing(world: World) -> None:
    assert "0 policy: the policy of this main expired" in problems(fetched(world, now="2028-01-01T00:00:00Z"))


def test_a_tag_that_moved_is_not_taken(world: World) -> None:
    fetched(world)
    world.git.run("update-ref", "refs/tags/promotions/desk/2", world.main)
    with pytest.raises(GitError, match="clobber existing tag"):
        fetched(world)


def stored(world: World, data: bytes) -> Path:
    (path,) = [path for path in (world.path / "storage").rglob("*") if path.is_file() and path.read_bytes() == data]
    return path


@pytest.mark.parametrize(
    "wrong", [lambda data: data[:-1] + b"\x01", lambda data: data[:-4]], ids=["same-length", "truncated"]
)
def test_wrong_bytes_are_refused(world: World, wrong: Callable[[bytes], bytes]) -> None:
    weights = fetched(world).files["adapter_model.safetensors"]
    stored(world, weights).write_bytes(wrong(weights))
    with pytest.raises(DataError, match=r"desk/2/adapter_model.safetensors.* has md5"):
        fetched(world)


def forged(world: World, staging: Staging, files: dict[str, bytes]) -> str:
    """The reasons of the gate's step 9, where an iteration left these files as its adapter."""
    world.adapters.put(files)
    adapter = adapter_record(files, dvc=store_with_dvc(world.path / "storage", files))
    world.propose(world.staged(replace(staging, adapter=adapter)), sequence=staging.sequence)
    verdict = world.judge(world.merge(sequence=staging.sequence))
    return "\n".join(reason.problem for reason in verdict.reasons if reason.step == "9 bytes")


def test_the_gate_refuses_what_fetch_would(world: World) -> None:
    """One check: an adapter that may not be served cannot be promoted either."""
    staging = world.staging("it-3")
    bad = {**adapter_files(), "tokenizer_config.json": b'{"auto_map": {}}', "chat_template.jinja": b"{{ x }}"}
    bad["adapter_model.safetensors"] = pack(tensors(), behind=b"\x80\x04pickle")
    said = forged(world, staging, bad)
    for problem in ("chat_template.jinja has no place", "tokenizer_config.json has no place", "the tensors end at"):
        assert problem in said


def test_the_base_under_it_is_brought_and_held_against(world: World) -> None:
    room, storage = clone(world), world.path / "storage"
    assert room.store is not None
    files = adapter_files(base=tree_digest(BASE))
    base = BaseId(kind="tiny", sha256=tree_digest(BASE), dvc=store_with_dvc(storage, BASE))
    kept = {"base": base, "adapter": adapter_record(files, dvc=store_with_dvc(storage, files))}
    record = fetched(world).record.model_copy(update=kept)
    assert bring(room.store, record) == (files, [])
    wider = {
        **tensors(),
        **{name: ("F32", (9, 2), bytes(72)) for name in tensors() if name.endswith("up_proj.lora_B.weight")},
    }
    files["adapter_model.safetensors"] = pack(wider)
    adapter = adapter_record(files, dvc=store_with_dvc(storage, files))
    found = bring(room.store, record.model_copy(update={"adapter": adapter}))[1]
    assert found[0].endswith("an update of [9, 4], and the base has [8, 4]")
    stored(world, BASE["model.safetensors"]).write_bytes(b"other")
    with pytest.raises(DataError, match=r"desk/2: the base/model.safetensors: .* has md5"):
        bring(room.store, record)


def deliver(target: Path, files: dict[str, bytes], point: WritePoint) -> None:
    def kill(reached: WritePoint, writing: str) -> None:
        if reached is point:
            os.kill(os.getpid(), signal.SIGKILL)

    watchers.append(kill)
    adapter_store.deliver(target, files)


@pytest.mark.parametrize("point", [WritePoint.TREE_WRITTEN, WritePoint.TREE_REMOVED, WritePoint.TREE_REPLACED])
def test_killed_anywhere_the_directory_is_whole_or_absent(tmp_path: Path, point: WritePoint) -> None:
    target, files = tmp_path / "srv" / "adapter", adapter_files()
    child = multiprocessing.get_context("fork").Process(target=deliver, args=(target, files, point))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert target.exists() == (point is WritePoint.TREE_REPLACED)
    adapter_store.deliver(target, files)
    assert [path.name for path in target.parent.iterdir()] == ["adapter"]
    assert {path.name: path.read_bytes() for path in target.iterdir()} == files


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    files, target = adapter_files(), tmp_path / "adapter"
    assert adapter_store.deliver(target, files)
    assert not adapter_store.deliver(target, files)
    (target / "tokenizer.json").write_bytes(b"{}")
    with pytest.raises(RecordError, match="holds something else already"):
        adapter_store.deliver(target, files)
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(RecordError, match="is no directory"):
        adapter_store.deliver(tmp_path / "link", files)


def test_the_command_writes_and_says_what(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "now", lambda: LATER)
    room, target = clone(world), tmp_path / "srv"
    asked = ["desk", "--to", str(target), "--root", world.root_sha256, "-C", str(room.path), "--json"]
    result = CliRunner().invoke(command, asked, standalone_mode=False)
    assert result.return_value is ExitCode.DONE
    said = json.loads(result.output)
    assert (said["sequence"], said["stage"], said["written"], said["outcome"]) == (2, "production", True, "pass")
    assert tree_digest({path.name: path.read_bytes() for path in target.iterdir()}) == said["adapter"]
    revoke(world, said["adapter"])
    other = [*asked[:2], str(tmp_path / "other"), *asked[3:]]
    refused = CliRunner().invoke(command, other, standalone_mode=False)
    assert refused.return_value is ExitCode.REFUSED
    assert not (tmp_path / "other").exists()
    offline = CliRunner().invoke(command, [*other, "--offline"], standalone_mode=False)
    assert offline.return_value is ExitCode.REFUSED, "what was fetched once is known"
