"""What people name in a hand-off is there: `check` says what is gone, by file, line and hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.records.evidence import EvidenceFile
from runner.rules.handoff.references import Named, Reference, references
from tests import evidence_fixture
from tests.reviewed_fixture import put, write
from tests.test_check_memory import anew, remembered, told

PATH = "clusters/desk/handoff.md"
HEAD = "---\nlicense: Apache-2.0\nlanguage:\n  - en\n---\n\n"
SOUND = """# Hand-off

The desk owns `capability:refunds`, `scenario:core-refunds-1` and `rubric:desk-exact`.
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def problems(top: Path, text: str) -> list[tuple[int | None, str, str]]:
    """Of the hand-off with this text below its front matter, found twice: with a memory, and from it."""
    put(top, PATH, (HEAD + text).encode())
    found = anew(top)
    assert told(remembered(top)) == told(remembered(top)) == told(found)
    assert {one.path for one in found.problems} <= {PATH}
    return [(one.line, one.problem, one.hint) for one in found.problems]


def test_what_is_there_may_be_named(top: Path) -> None:
    assert problems(top, SOUND) == []


@pytest.mark.parametrize(
    ("named", "where"),
    [
        ("capability:refund", "cluster.yaml's capabilities"),
        ("scenario:core-refunds-9", "the cluster's scenarios"),
        ("rubric:desk-exactly", "rubrics/"),
        ("promotion:3", "the cluster's promotions"),
        ("batch:refunds-llm", "a promotion's evidence or a triage list"),
    ],
)
def test_what_is_gone_is_told_by_its_line(top: Path, named: str, where: str) -> None:
    [(line, problem, hint)] = problems(top, f"{SOUND}\nAnd look at `{named}`.\n")
    assert (line, problem) == (11, f"`{named}` is not among {where}")
    near = {"capability": "refunds", "scenario": "core-refunds-1", "rubric": "desk-exact"}.get(named.partition(":")[0])
    assert (f"perhaps {near}" in hint) if near else hint == "take the sentence out, or put it back"


def test_a_scenario_that_is_deleted_leaves_its_hand_off_behind(top: Path) -> None:
    assert problems(top, SOUND) == []
    (top / "scenarios/desk/core/core-refunds-1.yaml").unlink()
    found = remembered(top)
    assert told(found) == told(anew(top))
    assert [(one.path, one.line) for one in found.problems] == [(PATH, 9)]


def test_batches_are_those_of_the_evidence(top: Path) -> None:
    home = "clusters/desk/promotions/1/evidence/"
    put(top, home + EvidenceFile.PROVENANCE, evidence_fixture.evidence()[EvidenceFile.PROVENANCE])
    found = problems(top, "Of `batch:warranty-llm`, not of `batch:warranty-lm`, since `promotion:1`.\n")
    assert [one[1] for one in found] == ["`batch:warranty-lm` is not among a promotion's evidence or a triage list"]


def test_examples_and_other_words_are_no_references() -> None:
    text = "`capability:a` and `https://b` and `batches:c`\n```\n`capability:d`\n```\ncapability:e `rubric: f`\n"
    assert list(references(text)) == [Reference(1, Named.CAPABILITY, "a"), Reference(5, Named.RUBRIC, "f")]
    assert list(references("````\n```\n`rubric:g`\n````\n")) == []


@pytest.mark.parametrize(
    ("head", "line", "field"),
    [
        ("---\nlicence: MIT\n---\n", 2, "licence"),
        ("---\nlicense: free for all\n---\n", 2, "license"),
        ("---\nlicense: MIT\nlanguage: english\n---\n", 3, "language"),
        ("# Hand-off\n", 1, ""),
    ],
)
def test_front_matter_is_as_strict_as_any_reviewed_file(top: Path, head: str, line: int, field: str) -> None:
    put(top, PATH, head.encode())
    [problem] = anew(top).problems
    assert (problem.path, problem.line, problem.field) == (PATH, line, field)
