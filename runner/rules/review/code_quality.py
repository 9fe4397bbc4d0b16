"""A review as a Code Quality report, which GitLab shows in the merge request, at its lines where the plan has that.

The report is a subset of the Code Climate specification: a JSON array whose fingerprints tell a remark of before from a
new one (docs.gitlab.com, "Code Quality", "Code Quality report format").
"""

from __future__ import annotations

import json

from runner.records.change_review import ChangeReview
from runner.rules.canonical import digest
from runner.rules.review.annotations import Annotation, Level, remarks
from runner.rules.text.shown import shown

SEVERITY = {Level.ERROR: "blocker", Level.WARNING: "major", Level.NOTICE: "info"}


def report(review: ChangeReview) -> str:
    """The report, ended by a line break. No fingerprint depends on the line: a remark that moved is no new one."""
    return json.dumps([_issue(one) for one in remarks(review)], indent=1, ensure_ascii=False) + "\n"


def _issue(one: Annotation) -> dict[str, object]:
    return {
        "description": f"{one.title}: {shown(one.text)}",
        "check_name": f"hallmark-review/{one.level}",
        "fingerprint": digest([one.level, one.at.path, one.title, one.text]),
        "severity": SEVERITY[one.level],
        "location": {"path": one.at.path, "lines": {"begin": one.at.line}},
    }
