"""Results on traffic, graded and figured; and who stands where. No repository."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from runner.errors import RecordError
from runner.records.cluster import Cluster
from runner.records.intake import Incumbent
from runner.records.promotion import (
    AdapterRecord,
    BaseId,
    BenchmarkId,
    FileDigest,
    PromotionKind,
    PromotionRecord,
    RunSource,
    ServingStage,
)
from runner.records.stages import Stages
from runner.records.traffic import Traffic
from runner.rules.evaluation.statistics import mcnemar
from runner.rules.trust.stages import deprecated, holder, incumbent, standings, way_back
from runner.rules.trust.traffic import paired_interval, traffic
from runner.rules.trust.traffic_results import agreement_below, grade_traffic, read_results
from tests.promotion_fixture import CLUSTER
from tests.staged_fixture import Line, jsonl, lines

A, B, C = "a" * 64, "b" * 64, "c" * 64
START = "2026-11-21T12:00:00Z"
CLUSTER_RECORD = Cluster.model_validate(CLUSTER)


def figures(rows: list[Line]) -> Traffic:
    return figures_of(jsonl(rows))


def figures_of(data: bytes) -> Traffic:
    results = read_results(data, path="results.jsonl")
    graded = grade_traffic(results, adapter=A, incumbent=None, path="results.jsonl")
    return traffic(graded, CLUSTER_RECORD, stage=ServingStage.SHADOW, adapter=A, incumbent=None)


def test_the_figures_of_traffic() -> None:
    rows = lines(A, None, start=START, count=40)
    rows[0]["results"][0]["error"] = "timeout"
    rows[2]["results"][0]["passed"] = False
    found = figures(rows)
    assert (found.requests, found.replayed, found.first, found.last) == (40, 0, START, "2026-11-21T13:57:00Z")
    mine, theirs = found.models["candidate"], found.models["incumbent"]
    assert (mine.passed, mine.agreement, mine.errors) == (38, 0.95, 1)
    assert (theirs.passed, theirs.errors) == (20, 0)
    assert (mine.latency_p50_ms, mine.latency_p95_ms) == (12.0, 14.0)
    one = found.comparison
    assert (one.gained, one.lost, one.difference) == (20, 2, 0.45)
    assert one.p_value == mcnemar(20, 2)
    assert one.interval.low < 0.45 < one.interval.high
    assert {name: each.scenarios for name, each in found.capabilities.items()} == {"order-status": 20, "refund": 20}


def test_the_interval_is_agresti_and_mins() -> None:
    """Their formula, written out: b* = b + .5, c* = c + .5, n* = n + 2."""
    low, high = paired_interval(16, 4, 100)
    middle = (16.5 - 4.5) / 102
    half = 1.959963984540054 * math.sqrt(16.5 + 4.5 - (16.5 - 4.5) ** 2 / 102) / 102
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-8)
    assert paired_interval(0, 0, 50)[0] < 0 < paired_interval(0, 0, 50)[1]
    assert -1.0 <= paired_interval(0, 1, 1)[0] <= paired_interval(0, 1, 1)[1] <= 1.0


def test_the_interval_covers_the_difference_of_identical_models() -> None:
    for size in (1, 10, 1000):
        low, high = paired_interval(size // 10, size // 10, size)
        assert low <= 0 <= high


BAD: dict[str, tuple[str, Any]] = {
    "no json": ("line 2|results.jsonl:2", lambda rows: rows.insert(1, "{")),
    "an unknown key": ("Extra inputs", lambda rows: rows[0].update(prompt="hello")),
    "no time": ("Field required", lambda rows: rows[0].pop("at")),
    "another time": ("pattern", lambda rows: rows[0].update(at="21.11.2026")),
    "a negative latency": ("greater than or equal", lambda rows: rows[0]["results"][0].update(latency_ms=-1)),
    "an infinite latency": ("finite", lambda rows: rows[0]["results"][0].update(latency_ms=math.inf)),
    "an id twice": ("stands twice", lambda rows: rows.append(rows[0])),
    "without the adapter": ("has 0 results of adapter", lambda rows: rows[0]["results"].pop(0)),
    "without the incumbent": ("has 0 results of the base", lambda rows: rows[0]["results"].pop(1)),
    "an answer twice": ("has 2 results", lambda rows: rows[0]["results"].append(rows[0]["results"][0])),
    "nothing to judge by": ("neither a reference nor", lambda rows: rows[0].update(reference="")),
    "a strange capability": ("has no capability 'x'", lambda rows: rows[0].update(capability="x")),
    "nothing": ("holds no results", lambda rows: rows.clear()),
}


@pytest.mark.parametrize("name", BAD)
def test_a_line_that_cannot_be_used_is_named(name: str) -> None:
    expected, change = BAD[name]
    rows: list[Any] = lines(A, None, start=START, count=4)
    change(rows)
    data = b"".join((row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows)
    with pytest.raises(RecordError, match=expected):
        figures_of(data)


def test_feedback_goes_before_the_reference_and_an_error_before_both() -> None:
    rows = lines(A, None, start=START, count=2)
    rows[0]["results"][0].update(answer="something else", passed=True)
    rows[1]["results"][0].update(passed=True, error="timeout")
    found = figures(rows)
    assert (found.models["candidate"].passed, found.models["candidate"].errors) == (1, 1)


def test_the_serving_adapter_alone() -> None:
    rows = lines(A, B, start=START, count=250)
    gate, limits = CLUSTER_RECORD.gate, Stages().production
    results = read_results(jsonl(rows), path="r")
    assert agreement_below(results, gate, limits, adapter=A, path="r") == ()
    assert agreement_below(results, gate, limits, adapter=B, path="r") == ("agreement 0.5000 is below 0.7000",)
    with pytest.raises(RecordError, match="0 requests were answered"):
        agreement_below(results, gate, limits, adapter=C, path="r")


def record(sequence: int, adapter: str | None, stage: str, **fields: Any) -> PromotionRecord:
    files = {"adapter_model.safetensors": FileDigest(sha256=C, size=1)}
    return PromotionRecord(
        cluster="desk",
        sequence=sequence,
        stage=ServingStage(stage),
        benchmark=BenchmarkId(id="desk", version=1, sha256=C),
        base=BaseId(kind="tiny", sha256=C),
        adapter=AdapterRecord(sha256=adapter, files=files) if adapter else None,
        evidence={},
        run=RunSource(branch="runs/desk/it", iteration="it"),
        human_share=1.0,
        **{"incumbent": Incumbent(sequence=0), **fields},
    )


def rolled_back(sequence: int, adapter: str | None, restores: int) -> PromotionRecord:
    return record(sequence, adapter, "production", kind=PromotionKind.ROLLBACK, restores=restores)


def histories(*made: PromotionRecord) -> dict[int, PromotionRecord]:
    return {one.sequence: one for one in made}


FIRST = record(1, A, "production")
SECOND = record(2, B, "production", incumbent=Incumbent(sequence=1, adapter=A))


def test_nothing_promoted_is_the_base() -> None:
    assert incumbent({}) == Incumbent(sequence=0)
    assert way_back({}) == 0


def test_an_adapter_holds_its_stage_until_another_enters() -> None:
    found = histories(record(1, A, "shadow"), record(2, A, "canary", follows=1), record(3, B, "shadow"))
    assert [(one.adapter, one.stage, one.holds) for one in standings(found)] == [
        (A, "canary", True),
        (B, "shadow", True),
    ]
    found[4] = record(4, C, "shadow")
    assert [(one.adapter, one.ended, one.ended_by) for one in standings(found)] == [
        (A, "", None),
        (B, "replaced", 4),
        (C, "", None),
    ]
    assert incumbent(found) == Incumbent(sequence=0)


def test_a_rollback_puts_the_earlier_one_back() -> None:
    found = histories(FIRST, SECOND, rolled_back(3, A, 1))
    assert incumbent(found) == Incumbent(sequence=3, adapter=A)
    assert [(one.adapter, one.ended) for one in standings(found)] == [(B, "rolled back"), (A, "")]


def test_the_way_back_is_what_was_replaced_and_never_what_was_rolled_back() -> None:
    assert way_back(histories(FIRST)) == 0
    assert way_back(histories(FIRST, SECOND)) == 1
    assert way_back(histories(FIRST, SECOND, rolled_back(3, A, 1))) == 0
    third = record(3, C, "production", incumbent=Incumbent(sequence=2, adapter=B))
    gone = record(4, B, "deprecated", follows=2)
    assert way_back(histories(FIRST, SECOND, third)) == 2
    assert way_back(histories(FIRST, SECOND, third, gone)) == 1


def test_the_way_back_after_a_rollback_to_the_base() -> None:
    found = histories(FIRST, rolled_back(2, None, 0))
    assert incumbent(found) == Incumbent(sequence=2, adapter=None)
    assert way_back(found) == 0


def test_what_is_deprecated_stands_nowhere() -> None:
    found = histories(record(1, A, "shadow"), record(2, A, "deprecated", follows=1))
    assert holder(found, ServingStage.SHADOW) is None
    assert deprecated(found) == {A}
