"""Where scenarios stand, without the records of everything else that a tree may hold."""

from __future__ import annotations

import re
from typing import NamedTuple

from runner.records.base import SLUG, SLUG_LENGTH
from runner.records.terms import SetName

PART = rf"(?![a-z0-9-]{{{SLUG_LENGTH + 1}}}){SLUG}"
"""A part of a path that is a `records.base.Slug`, as long as one may be."""
_SETS = "|".join(SetName)
SHAPE = f"scenarios/<cluster>/<{_SETS}>/<id>.yaml"
PATTERN = re.compile(rf"scenarios/(?P<cluster>{PART})/(?P<set>{_SETS})/(?P<stem>[^/]+)\.yaml\Z")


class ScenarioPlace(NamedTuple):
    cluster: str
    set: str
    stem: str


def scenario_place(path: str) -> ScenarioPlace | None:
    """What the path of a scenario file names; None for any other path."""
    match = PATTERN.match(path)
    return ScenarioPlace(*match.groups()) if match else None
