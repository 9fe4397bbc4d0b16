"""What `check` remembers: it finds the same with a memory as without, whatever changed, and believes no memory but its
own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner import survey_files
from runner.edges import check_memory
from runner.edges.check_memory import FOLDER, CheckMemory, program, seal_key
from runner.edges.halves import TOGETHER
from runner.edges.readers import DirectoryReader
from runner.edges.standing import StandingReader
from runner.edges.yaml_files import dump, line_of, read
from runner.errors import RecordError
from runner.rules.repository.governed import GOVERNED
from runner.survey import Survey
from tests.reviewed_fixture import edit, put, scenario, write
from tests.test_domain_rules import RULE
from tests.test_workspace import BROKEN, CLUSTER, CORE, HELDOUT

KEY = b"k" * 32
RUBRIC = "rubrics/desk-exact.yaml"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def remembered(top: Path, *, key: bytes | None = KEY, later: int = 0, parse=read) -> Survey:
    """The survey with the tree's memory, which is kept. `later` ns have passed since files were written."""
    tree = StandingReader(top, GOVERNED)
    memory = CheckMemory(tree, began=time.time_ns() + later, program="p", key=key)
    found = survey_files.survey(tree, parse=parse, locate=line_of, memory=memory)
    memory.keep()
    return found


def anew(top: Path) -> Survey:
    return survey_files.survey(DirectoryReader(top), parse=read, locate=line_of)


def told(found: Survey) -> tuple[int, list[tuple[str, int | None, str, str, str]]]:
    return found.files, [(one.path, one.line, one.field, one.problem, one.hint) for one in found.problems]


class Counting:
    """A parser that counts what it reads."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, data, kind, *, path):
        self.paths.append(path)
        return read(data, kind, path=path)


HOUR = 3600 * 10**9


@pytest.mark.parametrize(("number", "name"), enumerate(BROKEN))
def test_what_a_change_breaks_is_found_with_a_memory_as_without(top, number, name):
    later = HOUR * (number % 2)  # files an hour old, or just written
    assert remembered(top, later=later).problems == ()
    (path, old, new), expected = BROKEN[name]
    edit(top, path, old, new)
    found = remembered(top, later=later)
    assert expected in [(one.path, one.line, one.field) for one in found.problems]
    assert told(found) == told(anew(top)) == told(remembered(top, later=later))
    edit(top, path, new, old) if new else put(top, path, (write(top.parent / "sound") / path).read_bytes())
    assert remembered(top, later=later).problems == ()


def test_only_what_changed_is_read_again_and_everything_is_held_against_everything(top):
    remembered(top, later=HOUR)
    counting = Counting()
    assert remembered(top, later=HOUR, parse=counting).problems == ()
    assert counting.paths == []
    edit(top, CORE, "severity: medium", "severity: high")
    assert remembered(top, later=HOUR, parse=counting).problems == ()
    assert counting.paths == [CORE]
    edit(top, RUBRIC, "status: approved", "status: draft")
    counting = Counting()
    found = remembered(top, later=HOUR, parse=counting)
    assert told(found) == told(anew(top))
    assert {one.path for one in found.problems} == {HELDOUT, HELDOUT.replace("refunds", "late-delivery")}
    assert all(not path.startswith("scenarios/") for path in counting.paths)


def test_a_file_under_another_name_is_not_read_again_but_looked_at(top):
    remembered(top, later=HOUR)
    moved = CORE.replace("core-refunds-1", "core-refunds-2")
    (top / CORE).rename(top / moved)
    counting = Counting()
    found = remembered(top, later=HOUR, parse=counting)
    assert counting.paths == []
    assert [(one.path, one.field) for one in found.problems] == [(moved, "id")]
    assert told(found) == told(anew(top))


def test_a_problem_that_stays_is_told_each_time_with_its_line(top):
    edit(top, CORE, "lens:", "lense:")
    edit(top, CLUSTER, "human_floor: 0.25\n", "")
    first = told(remembered(top, later=HOUR))
    assert first == told(anew(top))
    assert told(remembered(top, later=HOUR)) == first
    assert len(first[1]) > 2


def test_domain_rules_are_held_against_core_whichever_of_the_two_changed(top):
    (top / CLUSTER).write_text(f"{(top / CLUSTER).read_text()}domain_rules:\n{RULE}")
    assert remembered(top, later=HOUR).problems == ()
    edit(top, CORE, "The text of", "OtherShop has")
    found = remembered(top, later=HOUR)
    assert told(found) == told(anew(top))
    assert [one.path for one in found.problems] == [CLUSTER]


def test_the_same_size_and_time_do_not_hide_a_change(top):
    stood = (top / CORE).stat()
    remembered(top, later=HOUR)
    edit(top, CORE, "rubric: desk-exact", "rubric: desk-exakt")
    os.utime(top / CORE, ns=(stood.st_atime_ns, stood.st_mtime_ns))
    assert (top / CORE).stat().st_size == stood.st_size
    assert told(remembered(top, later=HOUR)) == told(anew(top)) != (11, [])


def forged(top: Path) -> None:
    """A memory by which the broken file says what a sound one would."""
    sound = top.parent / "elsewhere"
    write(sound)
    remembered(sound, later=HOUR, key=b"another account's secret, as it is")
    line = json.loads((sound / FOLDER / "memory").read_bytes().partition(b" ")[2])
    tree = StandingReader(top, GOVERNED)
    for path, entry in line["files"].items():
        entry[0], entry[1] = tree.standing[path], check_memory._sha256(str(top / path), path)
    (top / FOLDER).mkdir(parents=True)
    body = json.dumps(line).encode()
    seal = CheckMemory(tree, began=0, program="p", key=b"the forger's")._seal(body)
    (top / FOLDER / "memory").write_bytes(seal + b" " + body + b"\n")


def test_a_memory_that_a_pull_request_brought_is_not_believed(top):
    edit(top, CORE, "rubric: desk-exact", "rubric: desk-exakt")
    forged(top)
    assert told(remembered(top, later=HOUR)) == told(anew(top))
    assert told(remembered(top, later=HOUR, key=None)) == told(anew(top))


@pytest.mark.parametrize("harm", [b"", b"\n", b"\xff\x00", b'{"files": {}}', b"half"], ids=repr)
def test_a_damaged_memory_is_a_miss_and_is_mended(top, harm):
    remembered(top, later=HOUR)
    file = top / FOLDER / "memory"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if harm == b"half" else harm)
    edit(top, CORE, "rubric: desk-exact", "rubric: desk-exakt")
    assert told(remembered(top, later=HOUR)) == told(anew(top))
    counting = Counting()
    remembered(top, later=HOUR, parse=counting)
    assert counting.paths == []


def test_another_program_remembers_nothing_of_this_one(top):
    remembered(top, later=HOUR)
    tree, counting = StandingReader(top, GOVERNED), Counting()
    memory = CheckMemory(tree, began=time.time_ns(), program="q", key=KEY)
    survey_files.survey(tree, parse=counting, locate=line_of, memory=memory)
    assert CORE in counting.paths
    assert program() == program()


@pytest.mark.parametrize(
    "module", ["edges/reviewed_text.py", "edges/yaml_files.py", "rules/repository/outline.py", "survey.py"]
)
def test_every_module_that_reads_is_a_part_of_the_program(module, monkeypatch):
    before, stat = program(), Path.stat

    def later(path: Path, **how):
        found = stat(path, **how)
        changed = path.as_posix().endswith(f"runner/{module}")
        return SimpleNamespace(st_size=found.st_size, st_mtime_ns=1) if changed else found

    monkeypatch.setattr(Path, "stat", later)
    assert program() != before


def test_a_tree_without_room_for_a_memory_is_checked_all_the_same(top):
    (top / ".hallmark").write_text("a file")
    assert remembered(top).problems == ()
    (top / ".hallmark").unlink()
    outside = top.parent / "outside"
    outside.mkdir()
    (top / ".hallmark").symlink_to(outside)
    assert remembered(top).problems == ()
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["memory.PROCESS", ".gitignore", "memory"])
def test_no_link_leads_what_is_remembered_out_of_the_tree(top, name):
    outside = top.parent / "outside"
    outside.write_bytes(b"theirs")
    (top / FOLDER).mkdir(parents=True)
    (top / FOLDER / name.replace("PROCESS", str(os.getpid()))).symlink_to(outside)
    assert remembered(top).problems == ()
    assert outside.read_bytes() == b"theirs"
    outside.unlink()
    assert remembered(top, later=HOUR).problems == ()
    assert not outside.exists()


def test_a_symbolic_link_is_refused_with_a_memory_too(top):
    remembered(top, later=HOUR)
    (top / CORE).rename(top.parent / "elsewhere.yaml")
    (top / CORE).symlink_to(top.parent / "elsewhere.yaml")
    with pytest.raises(RecordError, match="is a symbolic link"):
        remembered(top, later=HOUR)


def test_two_processes_share_the_reading_of_many_files(top):
    for number in range(TOGETHER + 1):
        name = f"core-more-{number}"
        put(top, f"scenarios/desk/core/{name}.yaml", dump(scenario(name)))
    edit(top, "scenarios/desk/core/core-more-7.yaml", "lens:", "lense:")
    edit(top, "scenarios/desk/core/core-more-8.yaml", "rubric: desk-exact", "rubric: none")
    counting = Counting()
    found = remembered(top, later=HOUR, parse=counting)
    assert told(found) == told(anew(top)) == told(remembered(top, later=HOUR))
    assert len([path for path in counting.paths if path.startswith("scenarios/")]) < TOGETHER


def test_several_checks_at_once_and_one_after(top, tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "runner.cli", "check", "-C", str(top), "--json"]
    running = []
    for number in range(4):
        edit(top, CORE, "lens: " + ("customer" if not number else f"c{number - 1}"), f"lens: c{number}")
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    for process in running:
        process.stdout.close()
    edit(top, CLUSTER, "id: refunds", "id: refund")
    after = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert after.returncode == 1
    problems = json.loads(after.stdout)["problems"]
    assert [(one["path"], one["line"], one["field"]) for one in problems] == [
        (one.path, one.line, one.field) for one in anew(top).problems
    ]
    assert len(list((tmp_path / "cache" / "hallmark").iterdir())) == 1
    assert sorted(file.name for file in (top / FOLDER).iterdir()) == [".gitignore", "memory"]


def test_the_tree_is_listed_before_anything_loads_that_takes_long():
    program = "import sys, runner.wiring.check; print({'pydantic', 'yaml', 'numpy'} & set(sys.modules) or 'nothing')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "nothing"


def test_the_key_is_this_accounts_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = seal_key(tmp_path / "ws")
    assert made is not None
    assert made == seal_key(tmp_path / "ws")
    assert (tmp_path / "hallmark" / "check.key").stat().st_mode & 0o077 == 0
    (tmp_path / "hallmark" / "check.key").write_bytes(b"short")
    assert seal_key(tmp_path / "ws") is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "hallmark" / "check.key"))
    assert seal_key(tmp_path / "ws") is None


def test_a_key_that_a_pull_request_could_bring_is_none(top, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(top / ".cache"))
    put(top, ".cache/hallmark/check.key", KEY)
    assert seal_key(top) is None
    monkeypatch.chdir(top)
    monkeypatch.setenv("XDG_CACHE_HOME", ".cache")
    assert seal_key(top) is None
