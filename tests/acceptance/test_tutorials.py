"""The tutorials from their first command to their last, with real models: some minutes each.

Figures of models are compared only where HALLMARK_SAME_MACHINE says that the pages were printed on one like this.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT
from tests.played import Stage

pytestmark = pytest.mark.acceptance
TUTORIALS = ("domain-owner", "platform-engineer", "approver")


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_goes_as_printed(tmp_path: Path, name: str) -> None:
    stage = Stage(ROOT, tmp_path, figures=bool(os.environ.get("HALLMARK_SAME_MACHINE")))
    assert stage.play(ROOT / "docs" / "tutorials" / f"{name}.md") > 15
