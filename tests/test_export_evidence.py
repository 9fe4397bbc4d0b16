"""Evidence that leaves a boundary: made of a real signed promotion in which 200 secrets are planted."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from runner.cli.export import export
from runner.cli.fetch import fetch
from runner.edges import machine
from runner.edges.dvc_objects import DvcObjects
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import load
from runner.errors import DataError, ExitCode, RecordError
from runner.records.exported import ExportedPromotion, ExportedScorecard, ExportedSummary
from runner.records.fleet import Export
from runner.records.schemas import schema
from runner.rules.canonical import sha256
from runner.rules.export.redacted import KINDS, SUMS, exported
from runner.rules.export.views import squeezed
from runner.wiring import export as wiring_export
from runner.wiring.export import Boundary
from tests.planted import SPLITS, WAYS
from tests.planted_world import FLEET, SECRETS, TEXTS, PlantedWorld
from tests.printed import ROOT, commands
from tests.test_fetch import promoted


@pytest.fixture(scope="module", autouse=True)
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This machine is in the plant."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "BOUNDARY", tmp_path_factory.mktemp("etc") / "boundary")
        patch.setenv("HALLMARK_BOUNDARY", "plant-7")
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> PlantedWorld:
    world = PlantedWorld(tmp_path_factory.mktemp("planted") / "world")
    world.create()
    promoted(world, world.staging("it-1"), "alice", "bob")
    world.answer("it-1")
    return world


@pytest.fixture(scope="module")
def desk(world: PlantedWorld) -> Path:
    path: Path = world.path / "desk"
    subprocess.run(["git", "clone", "-q", str(world.origin), str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def out(desk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("out") / "evidence"
    result = ask("evidence", "desk", "--output", str(target), "-C", str(desk))
    assert result.return_value is ExitCode.DONE, result.output
    return target


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(export, list(arguments), standalone_mode=False, catch_exceptions=False)


def read(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_the_plants_are_in_the_repository(world: PlantedWorld, desk: Path) -> None:
    held = [
        path.read_bytes() for folder in (world.path / "storage", desk) for path in folder.rglob("*.*") if path.is_file()
    ]
    held += [path.read_bytes() for path in (world.path / "storage").rglob("*") if path.is_file()]
    plain = squeezed(b"".join(held).decode(errors="replace").replace("\\n", ""))
    assert [secret for _, secret in SECRETS if squeezed(secret) not in plain] == []


def test_none_of_200_planted_secrets_leaves_and_no_text(out: Path, world: PlantedWorld) -> None:
    said = b"".join(read(out).values()).decode()
    plain = squeezed(said)
    assert [secret for _, secret in SECRETS if secret in said or squeezed(secret) in plain] == []
    for text in TEXTS:
        grams = {squeezed(text)[at : at + 12] for at in range(len(squeezed(text)) - 12)}
        assert not any(gram in plain for gram in grams)
    for word in ("alice", "bob", "order-status", "heldout-0", "cpu", "it-1"):
        assert word not in said


def test_what_leaves_is_the_figures(out: Path, world: PlantedWorld, desk: Path) -> None:
    files = read(out)
    assert set(files) == {*KINDS, SUMS}
    for kind in KINDS:
        Draft202012Validator(schema(f"exported-{kind.removesuffix('.json')}")).validate(json.loads(files[kind]))
    card = ExportedScorecard.model_validate_json(files["scorecard.json"])
    assert set(card.capabilities) == {"capability-001", "capability-002"}
    home = desk / "clusters/desk/promotions/1"
    original = json.loads((home / "evidence/scorecard.json").read_bytes())
    core = original["models"]["candidate"]["sets"]["core"]
    shown = card.models["candidate"].sets
    assert {name.value: (one.passed, one.scenarios) for name, one in shown.items()} == {
        name: (one["passed"], one["scenarios"]) for name, one in original["models"]["candidate"]["sets"].items()
    }
    assert sorted(card.models["candidate"].sets[next(iter(shown))].capabilities.values()) == sorted(
        core["capabilities"].values()
    )
    summary = ExportedSummary.model_validate_json(files["summary.json"])
    assert (summary.risks, summary.human_share) == (5, 0.75)
    assert summary.operations is not None


def test_it_leads_back_to_the_signed_promotion(out: Path, desk: Path) -> None:
    files = read(out)
    one = ExportedPromotion.model_validate_json(files["promotion.json"])
    home = desk / "clusters/desk/promotions/1"
    assert one.record == sha256((home / "record.yaml").read_bytes())
    assert one.approvals == 2
    assert {name.value: digest for name, digest in one.evidence.items()} == {
        path.name: sha256(path.read_bytes()) for path in (home / "evidence").iterdir()
    }
    main = subprocess.run(["git", "rev-parse", "main"], cwd=desk, capture_output=True, text=True, check=True)
    assert one.commit == main.stdout.strip()
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=out, capture_output=True, check=False)
    assert done.returncode == 0
    assert ask("scan", "desk/1", str(out), "-C", str(desk)).return_value is ExitCode.DONE


def test_the_same_promotion_gives_the_same_bytes_also_in_an_archive(out: Path, desk: Path, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        assert (
            ask("evidence", "desk/1", "--output", str(tmp_path / name), "-C", str(desk)).return_value is ExitCode.DONE
        )
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as file:
        assert {name: file.read(name) for name in file.namelist()} == read(out)
        assert {one.external_attr >> 16 for one in file.infolist()} == {0o100644}, "whoever unpacks it may read it"
    assert ask("scan", "desk/1", str(tmp_path / "one.zip"), "-C", str(desk)).return_value is ExitCode.DONE
    with pytest.raises(RecordError, match="is there already"):
        ask("evidence", "desk", "--output", str(tmp_path / "one.zip"), "-C", str(desk))


@pytest.mark.parametrize("way", ["as it is", "base64", "letter by letter", "as a key", "look-alikes"])
def test_a_plant_put_into_an_export_is_found_by_the_command(out: Path, desk: Path, tmp_path: Path, way: str) -> None:
    hide = {**WAYS, **SPLITS}[way]
    bad = tmp_path / "bad"
    shutil.copytree(out, bad)
    value = json.loads((bad / "summary.json").read_bytes())
    value["note"] = hide(SECRETS[7][1])
    data = json.dumps(value).encode()
    (bad / "summary.json").write_bytes(data)
    sums = (bad / SUMS).read_text().splitlines()
    line = f"{hashlib.sha256(data).hexdigest()}  summary.json"
    (bad / SUMS).write_text("\n".join([*(one for one in sums if "summary" not in one), line]) + "\n")
    result = ask("scan", "desk", str(bad), "-C", str(desk))
    assert result.return_value is ExitCode.REFUSED
    assert "summary.json" in result.output
    assert SECRETS[7][1] not in result.output


def test_every_file_is_looked_through_under_whatever_name(desk: Path, out: Path, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad/card.md", tmp_path / "good/card.md"
    for path, text in ((bad, f"It fails on: {TEXTS[0]}\n"), (good, "The adapter reaches 0.98.\n")):
        path.parent.mkdir()
        path.write_text(text)
    with zipfile.ZipFile(tmp_path / "cards.zip", "w") as file:
        file.write(bad, "card.md")
    for asked in ((bad, good), (good, bad), (out, bad), (bad.parent, good.parent), (tmp_path / "cards.zip",)):
        result = ask("scan", "desk", *map(str, asked), "-C", str(desk))
        assert result.return_value is ExitCode.REFUSED, asked
        assert "card.md: line 1: has a whole text" in result.output
    assert ask("scan", "desk", str(good), str(out), "-C", str(desk)).return_value is ExitCode.DONE
    assert ask("scan", "desk", *map(str, out.iterdir()), "-C", str(desk)).return_value is ExitCode.DONE
    (good.parent / "link").symlink_to(bad.parent)
    with pytest.raises(RecordError, match="is a symbolic link"):
        ask("scan", "desk", str(good.parent), "-C", str(desk))


def changed(world: PlantedWorld, desk: Path, tmp_path: Path, **fleet: Any) -> Path:
    """A clone whose main declares something else."""
    origin = tmp_path / "origin.git"
    shutil.copytree(world.origin, origin)
    path = tmp_path / "desk"
    subprocess.run(["git", "clone", "-q", str(origin), str(path)], check=True)
    text = (path / "clusters/desk/cluster.yaml").read_text()
    assert "exports:" in text
    value = load(text.encode(), path="cluster.yaml").value
    value["fleet"] = fleet
    (path / "clusters/desk/cluster.yaml").write_bytes(dump(value))
    return path


def test_the_declaration_is_mains_and_not_the_work_trees(world: PlantedWorld, desk: Path, tmp_path: Path) -> None:
    path = changed(world, desk, tmp_path, boundary="plant-7", exports=["summaries", "scorecards", "capabilities"])
    result = ask("evidence", "desk", "--output", str(tmp_path / "out"), "-C", str(path))
    assert result.return_value is ExitCode.DONE
    assert b"order-status" not in (tmp_path / "out/scorecard.json").read_bytes()


@pytest.mark.parametrize(
    ("exports", "files"),
    [
        ((Export.SUMMARIES,), {"promotion.json", "summary.json", SUMS}),
        ((Export.SCORECARDS, Export.CAPABILITIES), {"promotion.json", "scorecard.json", SUMS}),
        ((), set()),
    ],
)
def test_only_what_is_declared_leaves(desk: Path, exports: tuple[Export, ...], files: set[str]) -> None:
    boundary = Boundary(desk, "desk")
    place = boundary.chosen.cluster.place.model_copy(update={"exports": exports})
    boundary.chosen = boundary.chosen._replace(cluster=boundary.chosen.cluster.model_copy(update={"fleet": place}))
    found = boundary.export()
    if not exports:
        assert set(found.files) == {"promotion.json", SUMS}, "main's own declaration is judged before, by `chosen`"
        return
    assert found.verdict.passed, found.verdict
    assert set(found.files) == files
    if Export.CAPABILITIES in exports:
        assert b'"order-status"' in found.files["scorecard.json"]


def test_nothing_is_left_where_it_is_refused(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaking(*arguments: Any) -> dict[str, bytes]:
        files = exported(*arguments)
        return {**files, "summary.json": json.dumps({"note": SECRETS[100][1]}).encode()}

    monkeypatch.setattr(wiring_export, "exported", leaking)
    for name in ("out", "out.zip"):
        result = ask("evidence", "desk", "--output", str(tmp_path / name), "-C", str(desk))
        assert result.return_value is ExitCode.REFUSED
        assert "summary.json: [key 1]: has" in result.output
        assert SECRETS[100][1] not in result.output
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_at_hand_cannot_be_held_against(world: PlantedWorld, desk: Path, tmp_path: Path) -> None:
    path = tmp_path / "desk"
    subprocess.run(["git", "clone", "-q", str(world.origin), str(path)], check=True)
    (path / ".dvc/config").write_text("")
    with pytest.raises(DataError, match=r"gold\.jsonl.*answers of it-1"):
        ask("evidence", "desk", "--output", str(tmp_path / "out"), "-C", str(path))
    assert not (tmp_path / "out").exists()
    result = ask("evidence", "desk", "--output", str(tmp_path / "out"), "--partial", "--json", "-C", str(path))
    assert result.return_value is ExitCode.DONE
    assert "answers of it-1" in json.loads(result.output)["missing"]
    told = ask("scan", "desk", str(tmp_path / "out"), "--partial", "-C", str(path))
    assert "nothing found, not held against" in told.output


@pytest.mark.parametrize("declared", ["", "shop"])
def test_on_a_machine_outside_no_text_is_brought_to_be_held_against(
    desk: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str
) -> None:
    monkeypatch.setenv("HALLMARK_BOUNDARY", declared)
    monkeypatch.setattr(DvcObjects, "of_work_tree", None)
    for asked in (("evidence", "desk", "--output", str(tmp_path / "out")), ("scan", "desk", str(out))):
        with pytest.raises(RecordError, match="only one inside plant-7 may work on this cluster"):
            ask(*asked, "-C", str(desk))
    assert not (tmp_path / "out").exists()


def test_what_is_no_promotion_is_refused(desk: Path, tmp_path: Path) -> None:
    for name in ("desk/9", "no-such-desk", "../desk"):
        with pytest.raises(RecordError):
            ask("evidence", name, "--output", str(tmp_path / "out"), "-C", str(desk))


@pytest.mark.parametrize(
    ("declared", "code"), [("", ExitCode.REFUSED), ("office", ExitCode.REFUSED), ("shop", ExitCode.DONE)]
)
def test_an_adapter_of_another_boundary_is_not_fetched(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, code: ExitCode
) -> None:
    monkeypatch.setattr(machine, "BOUNDARY", tmp_path / "none")
    monkeypatch.setenv("HALLMARK_BOUNDARY", declared)
    target = tmp_path / "adapter"
    result = CliRunner().invoke(fetch, ["desk", "--to", str(target), "-C", str(desk)], standalone_mode=False)
    assert result.return_value is code, result.output
    assert target.exists() is (code is ExitCode.DONE)
    if code is ExitCode.REFUSED:
        assert "only one inside plant-7 or shop may serve this cluster's adapters" in result.output
    assert FLEET["serves_in"] == ["shop"]


def test_the_commands_of_the_page_on_fleets(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/fleet.md prints them, where main lets something leave."""
    home = tmp_path / "desk"
    subprocess.run(["git", "clone", "-q", str(desk.parent / "origin.git"), str(home)], check=True)
    (home / "card.md").write_text("# A card\n\nThe adapter reaches 0.98 on held-out.\n")
    monkeypatch.chdir(home)
    printed = [one.command for one in commands(ROOT / "docs/fleet.md", running_text=False) if "export" in one.command]
    assert len(printed) == 2
    for command in printed:
        result = ask(*shlex.split(command.removeprefix("hallmark export ")))
        assert result.return_value is ExitCode.DONE, result.output
    assert (home / "evidence" / SUMS).is_file()
    (home / "card.md").write_text(f"# A card\n\nIt fails on messages such as: {TEXTS[0]}\n")
    assert ask("scan", "desk", "card.md").return_value is ExitCode.REFUSED
