"""The verbs of reviewed files, as people type them: init, import, check, benchmark lock, ingest, export schemas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner.cli import main
from runner.records.schemas import SCHEMAS, schema
from tests.reviewed_fixture import edit, write

REPOSITORY = Path(__file__).parents[1]


def hallmark(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "hallmark"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("name", SCHEMAS)
def test_published_schemas_are_those_of_the_records(name):
    published = json.loads((REPOSITORY / f"docs/schemas/{name}.schema.json").read_text())
    assert published == schema(name), "run: hallmark export schemas docs/schemas"


def test_schemas_are_written_where_they_are_asked_for(tmp_path):
    done = hallmark("export", "schemas", tmp_path / "schemas", "--json")
    assert json.loads(done.stdout) == [str(tmp_path / "schemas" / f"{name}.schema.json") for name in SCHEMAS]
    for path in map(Path, json.loads(done.stdout)):
        assert path.read_bytes() == (REPOSITORY / "docs/schemas" / path.name).read_bytes()


def leaves(command, *names):
    """Every command that is shown and does something, by its words."""
    if not isinstance(command, click.Group):
        return {} if command.hidden else {names: command}
    with click.Context(command) as ctx:
        found = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
    return {key: leaf for name, one in found for key, leaf in leaves(one, *names, name).items()}


def test_every_verb_speaks_json():
    """The README says so."""
    found = leaves(main.group)
    assert {("check",), ("policy", "lint"), ("export", "preferences")} <= set(found)
    assert [name for name, one in found.items() if "--json" not in {opt for p in one.params for opt in p.opts}] == []


def test_no_schema_is_published_that_no_record_has():
    assert {path.name for path in (REPOSITORY / "docs/schemas").iterdir()} == {
        f"{name}.schema.json" for name in SCHEMAS
    }


def test_check_prints_a_line_a_problem_and_exits_1(tmp_path):
    top = write(tmp_path / "ws")
    good = hallmark("check", cwd=top)
    assert (good.returncode, good.stdout.splitlines()[-1][:22]) == (0, "11 files, 0 problems, ")
    path = "scenarios/desk/core/core-refunds-1.yaml"
    edit(top, path, "lens:", "lense:")
    bad = hallmark("check", path, cwd=top)
    assert bad.returncode == 1
    lines = bad.stdout.splitlines()
    assert lines[0] == f"{path}:1: lens: is missing (add `lens:`)"
    assert lines[1].startswith(f"{path}:4: lense: unknown key (did you mean `lens`? known keys: ")
    assert lines[2].startswith("1 file, 2 problems, ")
    document = json.loads(hallmark("check", top, "--json").stdout)
    assert document["files"] == 11
    assert document["problems"][0] == {
        "path": path,
        "line": 1,
        "field": "lens",
        "problem": "is missing",
        "hint": "add `lens:`",
    }
    outside = hallmark("check", tmp_path)
    assert outside.returncode == 1
    assert "is no workspace" in outside.stderr


def test_from_an_empty_directory_to_a_checked_cluster(tmp_path):
    for part in ("base", "gold", "traffic", "core", "dev", "heldout"):
        rows = [f"{part} {label} {number},{label}" for label in ("lost", "late") for number in range(3)]
        (tmp_path / f"{part}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    assert hallmark("init", "ws", cwd=tmp_path).returncode == 0
    top = tmp_path / "ws"
    assert hallmark("init", "ws", cwd=tmp_path).returncode == 0
    files = [
        word
        for part in ("base", "gold", "traffic", "core", "dev", "heldout")
        for word in (f"--{part}", f"../{part}.csv")
    ]
    made = hallmark("import", "labelled", "--cluster", "desk", *files, "--json", cwd=top)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["scenarios"] == {"core": 6, "dev": 6, "heldout": 6, "representative": 0}
    assert hallmark("check", cwd=top).returncode == 0
    again = hallmark("init", "ws", cwd=tmp_path)
    assert (again.returncode, "nothing was missing" in again.stdout) == (0, True), again.stderr
    assert any((tmp_path / "ws-store").rglob("*"))

    (tmp_path / "log.jsonl").write_text(
        '{"request": {"messages": [{"role": "user", "content": "I am a@b.com"}]}, "response": "late"}\n{"half\n'
    )
    taken = hallmark("ingest", "desk", "../log.jsonl", "--json", cwd=top)
    document = json.loads(taken.stdout)
    assert (document["read"], document["kept"], len(document["quarantined"])) == (2, 1, 1)

    edit(top, "scenarios/desk/heldout/heldout-late-001.yaml", "heldout late 0", "heldout late zero")
    refused = hallmark("benchmark", "lock", "desk", cwd=top)
    assert refused.returncode == 1
    assert "raise benchmark_version" in refused.stderr
    edit(top, "clusters/desk/cluster.yaml", "benchmark_version: 1", "benchmark_version: 2")
    assert hallmark("check", cwd=top).returncode == 1
    assert hallmark("benchmark", "lock", "desk", cwd=top).returncode == 0
    assert hallmark("check", cwd=top).returncode == 0
    assert hallmark("import", "labelled", "--cluster", "desk", *files, cwd=top).returncode == 1


@pytest.mark.parametrize(
    "verb", [("check",), ("status",), ("iterate", "desk"), ("triage", "desk"), ("evaluate", "desk")]
)
def test_outside_of_a_workspace_every_verb_says_so(tmp_path, verb):
    done = hallmark(*verb, cwd=tmp_path)
    assert "is no workspace, and lies in none (go into a workspace, or make one: hallmark init DIR)" in done.stderr
    assert done.returncode == 1


def test_before_the_first_commit_iterate_says_what_is_missing(tmp_path):
    assert hallmark("init", tmp_path, "--yes").returncode == 0
    done = hallmark("iterate", "desk", cwd=tmp_path)
    assert "nothing is committed yet (git add --all && git commit)" in done.stderr
    assert done.returncode == 5
