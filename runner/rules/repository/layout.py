"""Where the governed files stand (DESIGN.md, section 2), and what each of them is."""

from __future__ import annotations

import re
from typing import NamedTuple

from runner.records.adoption import ImportRecord
from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.evaluation import EvaluationRun
from runner.records.handoff import Handoff
from runner.records.judging import Calibration, JudgeFile, JudgeLabels
from runner.records.params import Params
from runner.records.pointer import DataPointer
from runner.records.policy import Trust
from runner.records.promotion import PromotionRecord
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.records.triage import Review, TriageFile
from runner.rules.repository import scenario_place

PARAMS = "params.yaml"
CLUSTER_SHAPE = "clusters/<cluster>/cluster.yaml"
_ANY = "[^/]+"


class Place(NamedTuple):
    """A kind of governed file: its pattern, its record, and how its path is written down."""

    pattern: re.Pattern[str]
    kind: type[Record]
    shape: str


def _place(kind: type[Record], shape: str, *, stem: str = "", pattern: str = scenario_place.PART) -> Place:
    """Where `shape` says: `<stem>` is the stem and looks like `pattern`, any other part in angles is a slug."""
    parts = re.split(r"<(\w+)>", shape)  # text and names in turns
    named = {name: f"(?P<{name}>{scenario_place.PART})" for name in parts[1::2]} | {stem: f"(?P<stem>{pattern})"}
    texts = [named[part] if at % 2 else re.escape(part) for at, part in enumerate(parts)]
    return Place(re.compile("".join(texts) + r"\Z"), kind, shape)


PLACES = (
    Place(scenario_place.PATTERN, Scenario, scenario_place.SHAPE),
    _place(Rubric, "rubrics/<id>.yaml", stem="id", pattern=_ANY),
    _place(JudgeFile, "rubrics/judges/<id>.yaml", stem="id"),
    _place(JudgeLabels, "rubrics/judges/<judge>/<cluster>.labels.yaml", stem="judge"),
    _place(Calibration, "rubrics/judges/<judge>/<cluster>.calibration.yaml", stem="judge"),
    _place(Cluster, CLUSTER_SHAPE),
    _place(Problem, "clusters/<cluster>/problem.md"),
    _place(BenchmarkLock, "clusters/<cluster>/benchmark.lock"),
    _place(Handoff, "clusters/<cluster>/handoff.md"),
    _place(ImportRecord, "clusters/<cluster>/imports/<format>.yaml", stem="format"),
    _place(TriageFile, "clusters/<cluster>/triage/<iteration>.yaml", stem="iteration", pattern=_ANY),
    _place(Review, "clusters/<cluster>/triage/<iteration>/<reviewer>.yaml", stem="reviewer"),
    _place(DataPointer, "clusters/<cluster>/data/<name>.jsonl.dvc", stem="name", pattern=_ANY),
    _place(EvaluationRun, "clusters/<cluster>/evaluations/<run>.json", stem="run", pattern=_ANY),
    _place(DataPointer, "clusters/<cluster>/evaluations/<run>.jsonl.zst.dvc", stem="run", pattern=_ANY),
    _place(PromotionRecord, "clusters/<cluster>/promotions/<seq>/record.yaml", stem="seq", pattern="[0-9]+"),
    Place(re.compile(r"policy/(?P<stem>trust)\.yaml\Z"), Trust, "policy/trust.yaml"),
    _place(Params, PARAMS),
)

FORMATTED: tuple[type[Record], ...] = (Scenario, Rubric, JudgeFile, Cluster, Problem, BenchmarkLock, Handoff, Params)
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
    """For a file in `scenarios/` or `rubrics/` that is no record, or the settings of a cluster that has no name of one:
    where it should stand. Empty if it may be there."""
    if place(path):
        return ""
    if re.fullmatch("clusters/[^/]+/cluster.yaml", path):
        return CLUSTER_SHAPE
    if not path.startswith(("scenarios/", "rubrics/")):
        return ""
    name = path.rpartition("/")[2]
    if name in {".gitkeep", ".gitignore", "README.md"}:
        return ""
    return next(p.shape for p in PLACES if p.shape.startswith(path.partition("/")[0] + "/"))
