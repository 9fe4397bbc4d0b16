"""The whole rehearsal with simulated models: GitHub's workflows, and GitLab's file through gitlab-ci-local."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.rehearsal import gitlab
from tests.rehearsal.__main__ import SMALL, printed, rehearse

pytestmark = pytest.mark.acceptance


def test_every_event_comes_to_what_it_must(tmp_path: Path) -> None:
    play = rehearse(tmp_path / "home", "quick")
    assert {row.workflow.split(" ")[0] for row in play.rows if row.workflow} == {
        "check",
        "iterate",
        "preview",
        "promote",
        "rollback",
        "triggers",
    }
    assert {"success", "failure", "lost"} <= {row.result for row in play.rows}


def test_gitlabs_file_does_the_same(tmp_path: Path) -> None:
    if lacking := gitlab.missing():
        pytest.skip(f"{lacking} is missing")
    rows = gitlab.rehearse(tmp_path / "home", SMALL, printed(time.monotonic()))
    assert [row.result for row in rows] == ["failure", *["success"] * 6]
