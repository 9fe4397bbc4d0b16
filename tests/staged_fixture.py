"""The promotion tests' desk with every stage asked for, and traffic for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.edges.yaml_dump import dump
from runner.promotion.later import deprecate, move_on
from runner.promotion.propose import Staging
from runner.records.evidence import EvidenceFile
from runner.records.params import ClusterParams, Params
from runner.records.promotion import ServingStage
from runner.rules.canonical import canonical
from runner.rules.times import moment, written
from tests.promotion_fixture import CAPABILITIES, CLUSTER, World

STAGES: dict[str, Any] = {
    "enter": "shadow",
    "canary": {"min_requests": 40, "min_hours": 1.0, "max_drop": 0.1},
    "production": {"source": "live", "min_requests": 40, "min_hours": 1.0, "max_drop": 0.1},
}
PROBLEM: dict[str, Any] = {
    "gap": "Refunds are misrouted.",
    "why_not_real_data": "There are few.",
    "metric": "accuracy",
    "threshold": 0.7,
    "real_only_baseline": {"value": 0.6, "how": "a linear classifier"},
}
RUBRIC: dict[str, Any] = {
    "id": "label",
    "title": "The label",
    "status": "approved",
    "criteria": [{"id": "exact", "description": "equals the reference", "grader": {"kind": "exact"}}],
}
RESULTS = "results.jsonl"
Line = dict[str, Any]


class StagedWorld(World):
    """A cluster whose adapters enter in shadow."""

    def tree(self) -> dict[str, bytes]:
        return {
            **super().tree(),
            "clusters/desk/cluster.yaml": dump({**CLUSTER, "stages": STAGES}),
            "clusters/desk/problem.md": b"---\n" + dump(PROBLEM) + b"---\n",
            "rubrics/label.yaml": dump(RUBRIC),
            "params.yaml": dump(Params(clusters={"desk": ClusterParams()}).model_dump(mode="json")),
        }

    def copy(self, path: Path) -> StagedWorld:
        made = super().copy(path)
        return StagedWorld(made.path, now=self.now)

    def take(self, staging: Staging, *people: str, at: str) -> None:
        """Propose, approve, merge, reconcile: the step takes effect `at`."""
        sequence = staging.sequence
        self.propose(self.staged(staging), sequence=sequence, check=True)
        self.approve(*people, sequence=sequence)
        new = self.merge(sequence=sequence)
        assert self.judge(new, now=at).reasons == ()
        self.land(new)
        self.reconcile(now=at)
        self.now = at

    def moved(self, stage: ServingStage, results: bytes) -> Staging:
        return self.drilled(move_on(self.sources(), self.main, "desk", stage, results=results, path=RESULTS))

    def deprecated(self, sequence: int) -> Staging:
        return deprecate(self.sources(), self.main, "desk", sequence, why="a better one serves")

    def adapter(self, sequence: int) -> str:
        adapter = self.before().records[sequence].adapter
        assert adapter is not None
        return adapter.sha256


def later(at: str, **delta: float) -> str:
    return written(moment(at) + timedelta(**delta))


def lines(adapter: str, incumbent: str | None, *, start: str, count: int = 60, minutes: float = 3.0) -> list[Line]:
    """The adapter answers all requests right, the incumbent every second."""
    return [
        {
            "id": f"request-{number}",
            "at": later(start, minutes=minutes * number),
            "capability": CAPABILITIES[number % 2],
            "reference": f"Answer {number}",
            "results": [
                {"adapter": adapter, "answer": f" answer  {number}", "latency_ms": 10.0 + number % 5},
                {"adapter": incumbent, "answer": f"Answer {number - number % 2}", "latency_ms": 8.0},
            ],
        }
        for number in range(count)
    ]


def jsonl(rows: Sequence[Line]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def with_evidence(staging: Staging, name: EvidenceFile, change: Callable[[Any], Any]) -> Staging:
    """The staging with one JSON file of its evidence changed; CI signs whatever is staged."""
    made = canonical(change(json.loads(staging.evidence[name]))) + b"\n"
    return replace(staging, evidence={**staging.evidence, name.value: made})


def without(staging: Staging, name: EvidenceFile) -> Staging:
    return replace(staging, evidence={n: data for n, data in staging.evidence.items() if n != name})
