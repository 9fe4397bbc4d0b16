"""`hallmark fmt`: one layout for reviewed files, in which nothing that people wrote is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.cli.main import group
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import load
from runner.edges.yaml_format import canonical_form
from runner.errors import ExitCode, RecordError
from runner.records.base import Record
from runner.wiring import format
from tests.printed import ROOT
from tests.reviewed_fixture import edit, put, write

AS_WRITTEN = """\
# The desk.

id:   'desk'      # its folder
title: "The desk"


capabilities:
# the first
- {id: refunds, title: Refunds}   # money
-   id: late
    title: Late   # time
    # and nothing of parcels
    notes:  [a, b]

#- id: gone
gate:
    thresholds: # both of the benchmark's owner
        composite: 0.80
        heldout: 0.8
        # heldout was .7
text: >
    Folded
    text.

    With a line.  # no comment
# the end
"""
CANONICAL = """\
# The desk.

id: desk  # its folder
title: The desk

capabilities:
  # the first
  # money
  - id: refunds
    title: Refunds
  - id: late
    title: Late  # time
    # and nothing of parcels
    notes:
      - a
      - b

#- id: gone
gate:
  thresholds:  # both of the benchmark's owner
    composite: 0.8
    heldout: 0.8
    # heldout was .7
text: |
  Folded text.
  With a line.  # no comment
# the end
"""


def form(text: str, path: str = "x.yaml") -> str:
    return canonical_form(text.encode(), Record, path=path).decode()


def test_a_file_as_a_person_writes_it() -> None:
    assert form(AS_WRITTEN) == CANONICAL
    assert form(CANONICAL) == CANONICAL


SCALARS = (
    st.text(st.sampled_from("ab #:-'\"\n|>{[é"), max_size=12)
    | st.integers(-99, 99)
    | st.booleans()
    | st.sampled_from([0.5, 12.25])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c", "d", "#e"]), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.sampled_from(["id", "title", "input", "gate"]), VALUES, min_size=1, max_size=4)


@st.composite
def remarked(draw: st.DrawFn) -> tuple[str, list[str], object]:
    """A YAML file in one of two layouts with comments, empty lines and spaces thrown in: text, comments, value."""
    value = draw(RECORDS)
    flow = draw(st.booleans())
    if flow:
        lines = json.dumps(value, indent=draw(st.integers(1, 4)), ensure_ascii=False).split("\n")
    else:
        lines = dump(value).decode().split("\n")[:-1]
    written, said = [], []
    for line in lines:
        if draw(st.integers(0, 3)) == 0:
            written.append("")
        if draw(st.integers(0, 2)) == 0:
            said.append(f"# c{len(said)}")
            written.append(" " * draw(st.integers(0, 6)) + said[-1])
        if draw(st.integers(0, 3)) == 0:
            said.append(f"# c{len(said)}")
            line += f"  {said[-1]}"
        written.append(line)
    return "\n".join(written) + "\n", said, value


@settings(max_examples=250, deadline=None)
@given(remarked())
def test_nothing_is_lost_and_twice_is_as_once(file: tuple[str, list[str], object]) -> None:
    text, said, value = file
    try:
        before = load(text.encode(), path="x.yaml").value
    except RecordError:
        return
    once = form(text)
    assert load(once.encode(), path="x.yaml").value == before
    assert form(once) == once
    if before == value:
        for comment in said:
            assert len(re.findall(rf"{comment}$", once, re.MULTILINE)) == 1, comment


def test_front_matter_is_laid_out_and_the_prose_is_as_it_was() -> None:
    text = "---\ngap:   'g'  # seen in March\n---\n\n* prose  \n---\n"
    assert form(text, "problem.md") == "---\ngap: g  # seen in March\n---\n\n* prose  \n---\n"


def test_a_file_of_crlf_lines_gets_line_feeds() -> None:
    assert form("id: a  # one\r\n\r\ntitle: b\r\n") == "id: a  # one\n\ntitle: b\n"


def test_what_hallmark_writes_is_in_this_form() -> None:
    """The embedded scenarios and rubrics were written by it."""
    found = format.laid_out(ROOT, [f"rubrics/{path.name}" for path in (ROOT / "rubrics").glob("*.yaml")])
    assert found.files
    assert found.changed == found.problems == ()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write(tmp_path)


def run(top: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "-C", str(top)], standalone_mode=False)


SCENARIO = "scenarios/desk/core/core-refunds-1.yaml"


def test_files_are_written_once_and_their_records_stay(top: Path) -> None:
    edit(top, SCENARIO, "severity: medium", "severity:   'medium'   # as agreed")
    edit(top, "clusters/desk/cluster.yaml", "  thresholds:\n", "  # floors\n  thresholds:\n")
    before = {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}
    done = run(top, "fmt", "--check")
    assert (done.return_value, done.output) == (ExitCode.REFUSED, f"{SCENARIO}\n1 of 11 files would be laid out anew\n")
    shown = run(top, "fmt", "--diff")
    assert shown.return_value == ExitCode.DONE
    assert "-severity:   'medium'   # as agreed\n+severity: medium  # as agreed\n" in shown.output
    assert before == {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}
    done = run(top, "fmt", "--json")
    assert json.loads(done.output) == {"files": 11, "changed": [SCENARIO], "written": True, "problems": []}
    assert "severity: medium  # as agreed\n" in (top / SCENARIO).read_text()
    assert run(top, "fmt", "--check").return_value == ExitCode.DONE
    assert run(top, "check").return_value == ExitCode.DONE, "the frozen set is as it was"


def test_a_file_that_cannot_be_read_is_named_and_left(top: Path) -> None:
    edit(top, SCENARIO, "severity: medium", "severity: medium\nseverty: low")
    edit(top, "rubrics/desk-exact.yaml", "title: The", "title:  The")
    broken = (top / SCENARIO).read_bytes()
    done = run(top, "fmt")
    assert done.return_value == ExitCode.REFUSED
    assert f"{SCENARIO}:6: severty: " in done.output
    assert (top / SCENARIO).read_bytes() == broken
    assert "title: The" in (top / "rubrics/desk-exact.yaml").read_text(), "the others are laid out"


def test_only_what_is_named_is_touched(top: Path) -> None:
    for path in (SCENARIO, "rubrics/desk-exact.yaml"):
        edit(top, path, "id: ", "id:  ")
    put(top, "policy/trust.yaml", b"version:   1\n")
    (top / "docs").mkdir()
    done = CliRunner().invoke(group, ["fmt", str(top / "docs")], standalone_mode=False)
    assert done.output == "0 of 0 files laid out anew\n"
    done = CliRunner().invoke(group, ["fmt", str(top / "scenarios")], standalone_mode=False)
    assert done.output == f"{SCENARIO}\n1 of 6 files laid out anew\n"
    assert "id:  " in (top / "rubrics/desk-exact.yaml").read_text()
    run(top, "fmt")
    assert (top / "policy/trust.yaml").read_bytes() == b"version:   1\n", "what is signed is signed to the byte"


def test_check_says_so_and_counts_it_as_no_problem(top: Path) -> None:
    assert "note" not in run(top, "check").output
    edit(top, SCENARIO, "id: ", "id:  ")
    done = run(top, "check")
    assert done.return_value == ExitCode.DONE
    assert f"note: {SCENARIO} could be laid out like the rest: hallmark fmt" in done.output
    assert json.loads(run(top, "check", "--json").output)["unformatted"] == [SCENARIO]
