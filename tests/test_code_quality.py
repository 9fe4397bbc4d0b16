"""A review as GitLab's Code Quality report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.main import group
from runner.records.change_review import ChangeReview, Place, Refusal
from runner.rules.review.code_quality import report
from tests.review_fixture import commit, everything, make


@pytest.fixture(scope="module")
def issues(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    top = make(tmp_path_factory.mktemp("quality") / "desk")
    everything(top)
    commit(top, "A change")
    words = ["review", "HEAD^1", "HEAD", "--format", "gitlab", "-C", str(top)]
    done = CliRunner().invoke(group, words, standalone_mode=False)
    assert done.exception is None, done.output
    return json.loads(done.output)


def test_every_remark_has_its_place_and_weight(issues: list[dict]) -> None:
    assert {one["severity"] for one in issues} <= {"blocker", "major", "info"}
    assert any(one["severity"] == "blocker" for one in issues)
    for one in issues:
        assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert not Path(one["location"]["path"]).is_absolute()
        assert one["location"]["lines"]["begin"] >= 1
        assert one["check_name"].startswith("hallmark-review/")


def test_a_fingerprint_stands_for_one_remark(issues: list[dict]) -> None:
    found = [one["fingerprint"] for one in issues]
    assert len(set(found)) == len(found)
    assert all(len(one) == 64 for one in found)


def review(refusals: tuple[Refusal, ...]) -> ChangeReview:
    """One that refuses for these, and finds nothing else."""
    empty = {name: () for name, field in ChangeReview.model_fields.items() if field.is_required()}
    return ChangeReview.model_validate(
        {**empty, "base": "a", "head": "b", "files": 1, "no_policy": True, "refusals": refusals}
    )


def test_remarks_at_one_place_differ_by_what_they_say_and_one_that_moved_is_the_same() -> None:
    said = [("one", 3), ("another", 3), ("one", 9)]
    refusals = tuple(Refusal(at=Place(path="params.yaml", line=line), problem=problem) for problem, line in said)
    first, other, moved = json.loads(report(review(refusals)))
    assert first["fingerprint"] == moved["fingerprint"] != other["fingerprint"]
