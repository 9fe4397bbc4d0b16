"""Where the governed files stand (DESIGN.md, section 2), and what each of them is."""

from __future__ import annotations

import re
from typing import NamedTuple

from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.evaluation import EvaluationRun
from runner.records.judging import Calibration, JudgeFile, JudgeLabels
from runner.records.params import Params
from runner.records.pointer import DataPointer
from runner.records.policy import Trust
from runner.records.promotion import PromotionRecord
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.records.triage import Review, TriageFile
from runner.rules import scenario_place

PARAMS = "params.yaml"
_SLUG = scenario_place.SLUG


class Place(NamedTuple):
    """A kind of governed file: its pattern, its record, and how its path is written down."""

    pattern: re.Pattern[str]
    kind: type[Record]
    shape: str


PLACES = (
    Place(scenario_place.PATTERN, Scenario, scenario_place.SHAPE),
    Place(re.compile(r"rubrics/(?P<stem>[^/]+)\.yaml\Z"), Rubric, "rubrics/<id>.yaml"),
    Place(re.compile(rf"rubrics/judges/(?P<stem>{_SLUG})\.yaml\Z"), JudgeFile, "rubrics/judges/<id>.yaml"),
    Place(
        re.compile(rf"rubrics/judges/(?P<stem>{_SLUG})/(?P<cluster>{_SLUG})\.labels\.yaml\Z"),
        JudgeLabels,
        "rubrics/judges/<judge>/<cluster>.labels.yaml",
    ),
    Place(
        re.compile(rf"rubrics/judges/(?P<stem>{_SLUG})/(?P<cluster>{_SLUG})\.calibration\.yaml\Z"),
        Calibration,
        "rubrics/judges/<judge>/<cluster>.calibration.yaml",
    ),
    Place(re.compile(rf"clusters/(?P<cluster>{_SLUG})/cluster\.yaml\Z"), Cluster, "clusters/<cluster>/cluster.yaml"),
    Place(re.compile(rf"clusters/(?P<cluster>{_SLUG})/problem\.md\Z"), Problem, "clusters/<cluster>/problem.md"),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/benchmark\.lock\Z"),
        BenchmarkLock,
        "clusters/<cluster>/benchmark.lock",
    ),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/triage/(?P<stem>[^/]+)\.yaml\Z"),
        TriageFile,
        "clusters/<cluster>/triage/<iteration>.yaml",
    ),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/triage/(?P<iteration>{_SLUG})/(?P<stem>{_SLUG})\.yaml\Z"),
        Review,
        "clusters/<cluster>/triage/<iteration>/<reviewer>.yaml",
    ),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/data/(?P<stem>[^/]+)\.jsonl\.dvc\Z"),
        DataPointer,
        "clusters/<cluster>/data/<name>.jsonl.dvc",
    ),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/evaluations/(?P<stem>[^/]+)\.json\Z"),
        EvaluationRun,
        "clusters/<cluster>/evaluations/<run>.json",
    ),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/evaluations/(?P<stem>[^/]+)\.jsonl\.zst\.dvc\Z"),
        DataPointer,
        "clusters/<cluster>/evaluations/<run>.jsonl.zst.dvc",
    ),
    Place(
        re.compile(rf"clusters/(?P<cluster>{_SLUG})/promotions/(?P<stem>[0-9]+)/record\.yaml\Z"),
        PromotionRecord,
        "clusters/<cluster>/promotions/<seq>/record.yaml",
    ),
    Place(re.compile(r"policy/(?P<stem>trust)\.yaml\Z"), Trust, "policy/trust.yaml"),
    Place(re.compile(r"params\.yaml\Z"), Params, PARAMS),
)

FORMATTED: tuple[type[Record], ...] = (Scenario, Rubric, JudgeFile, Cluster, Problem, BenchmarkLock, Params)
"""What `hallmark fmt` lays out: files whose records are what counts. Others are signed, pinned by their bytes, or
written by programs."""


class Found(NamedTuple):
    """What a path names: parts that the path does not have are empty."""

    kind: type[Record]
    cluster: str = ""
    set: str = ""
    stem: str = ""
    iteration: str = ""


def place(path: str) -> Found | None:
    """What the governed file at `path` is; None where it is none that Hallmark reads as a record."""
    for candidate in PLACES:
        match = candidate.pattern.match(path)
        if match:
            return Found(candidate.kind, **match.groupdict())
    return None


def misplaced(path: str) -> str:
    """For a file in `scenarios/` or `rubrics/` that is no record: where it should stand. Empty if it may be there."""
    if place(path) or not path.startswith(("scenarios/", "rubrics/")):
        return ""
    name = path.rpartition("/")[2]
    if name in {".gitkeep", ".gitignore", "README.md"}:
        return ""
    return next(p.shape for p in PLACES if p.shape.startswith(path.partition("/")[0] + "/"))
