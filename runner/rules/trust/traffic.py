"""The figures of a stage's traffic: made of the grades alone, and held against the stage's limits.

`hallmark propose --traffic` makes the figures with the functions that the gate makes them again with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.gated import Gated, GateLimits
from runner.records.promotion import ServingStage
from runner.records.scorecard import Comparison
from runner.records.significance import Interval
from runner.records.stages import TrafficLimits
from runner.records.traffic import ModelTraffic, Traffic, TrafficGrade, TrafficSource
from runner.rules.evaluation.statistics import holm, mcnemar
from runner.rules.times import moment

CANDIDATE, INCUMBENT = "candidate", "incumbent"
MODELS = (CANDIDATE, INCUMBENT)
Z95 = 1.959963984540054


def traffic(
    rows: Sequence[TrafficGrade], cluster: Gated, *, stage: ServingStage, adapter: str, incumbent: str | None
) -> Traffic:
    """The figures of at least one row. Raises `RecordError` for a capability that the cluster does not have."""
    known = {capability.id for capability in cluster.capabilities}
    strange = sorted({row.capability for row in rows} - known)
    if strange:
        raise RecordError(f"{cluster.id} has no capability {strange[0]!r}", hint=f"one of {', '.join(sorted(known))}")
    each = {name: _paired([row for row in rows if row.capability == name]) for name in sorted(known)}
    each = {name: one for name, one in each.items() if one.scenarios}
    rejected = holm({name: one.p_value for name, one in each.items()}, cluster.gate.capability_alpha)
    return Traffic(
        cluster=cluster.id,
        stage=stage,
        adapter=adapter,
        incumbent=incumbent,
        requests=len(rows),
        replayed=sum(row.source is TrafficSource.REPLAYED for row in rows),
        first=min(row.at for row in rows),
        last=max(row.at for row in rows),
        models={
            name: model_traffic([Mark(row.passed[name], name in row.errors, row.latency_ms[name]) for row in rows])
            for name in MODELS
        },
        comparison=_paired(rows),
        capabilities=each,
        worse_capabilities=tuple(sorted(name for name in rejected if each[name].lost > each[name].gained)),
    )


class Mark(NamedTuple):
    """One answer of one model."""

    passed: bool
    error: bool
    latency_ms: float


def model_traffic(marks: Sequence[Mark]) -> ModelTraffic:
    """The figures of at least one answer."""
    right, times = sum(one.passed for one in marks), sorted(one.latency_ms for one in marks)
    return ModelTraffic(
        passed=right,
        agreement=round(right / len(marks), 9),
        errors=sum(one.error for one in marks),
        latency_p50_ms=_nearest_rank(times, 0.5),
        latency_p95_ms=_nearest_rank(times, 0.95),
    )


def _nearest_rank(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _paired(rows: Sequence[TrafficGrade]) -> Comparison:
    """The candidate against the incumbent on the same requests: exact McNemar, and `paired_interval`."""
    gained = sum(row.passed[CANDIDATE] and not row.passed[INCUMBENT] for row in rows)
    lost = sum(row.passed[INCUMBENT] and not row.passed[CANDIDATE] for row in rows)
    low, high = paired_interval(gained, lost, len(rows))
    return Comparison(
        against=INCUMBENT,
        scenarios=len(rows),
        gained=gained,
        lost=lost,
        difference=round((gained - lost) / len(rows), 9) if rows else 0.0,
        interval=Interval(low=low, high=high),
        p_value=mcnemar(gained, lost),
    )


def paired_interval(gained: int, lost: int, pairs: int) -> tuple[float, float]:
    """The 95 % interval of a difference of paired proportions: Wald's after half a pair is added to each of the four
    cells (Agresti and Min 2005). Closed, so that the gate finds the very figures that were signed."""
    up, down, size = gained + 0.5, lost + 0.5, pairs + 2.0
    middle = (up - down) / size
    half = Z95 * math.sqrt(max(0.0, up + down - (up - down) ** 2 / size)) / size
    return round(max(-1.0, middle - half), 9), round(min(1.0, middle + half), 9)


def below(found: Traffic, gate: GateLimits, limits: TrafficLimits) -> Iterator[str]:
    """Every limit on how the adapter fared that does not hold. How much traffic there was is `thin`'s."""
    yield from floors(found.models[CANDIDATE], found.requests, gate, limits)
    against = found.comparison
    if against.interval.low < -limits.max_drop:
        said = f"{against.gained} gained, {against.lost} lost of {against.scenarios}, p = {against.p_value:.2g}"
        yield f"it may be {-against.interval.low:.4f} worse than the incumbent, over {limits.max_drop:.4f}: {said}"
    for capability in found.worse_capabilities:
        yield f"{capability} is significantly worse than with the incumbent"


def floors(mine: ModelTraffic, requests: int, gate: GateLimits, limits: TrafficLimits) -> Iterator[str]:
    """Every limit on a model alone that does not hold."""
    floor = gate.thresholds.composite if limits.min_agreement is None else limits.min_agreement
    if mine.agreement < floor:
        yield f"agreement {mine.agreement:.4f} is below {floor:.4f}"
    if mine.errors > limits.max_error_rate * requests:
        yield f"{mine.errors} of {requests} requests ended in an error, over {limits.max_error_rate:.1%}"
    slowest = gate.max_latency_p95_ms if limits.max_latency_p95_ms is None else limits.max_latency_p95_ms
    if slowest is not None and mine.latency_p95_ms > slowest:
        yield f"latency p95 {mine.latency_p95_ms:.1f} ms is above {slowest:.1f} ms"


def thin(found: Traffic, limits: TrafficLimits, *, since: str | None, now: str) -> Iterator[str]:
    """Whether the traffic is enough, of the kind asked for, and of the time asked for: `since` the adapter was in its
    stage, up to `now`."""
    if found.requests < limits.min_requests:
        yield f"{found.requests} requests, and {limits.min_requests} are asked for"
    hours = (moment(found.last) - moment(found.first)).total_seconds() / 3600
    if hours < limits.min_hours:
        yield f"{hours:.1f} hours of traffic, and {limits.min_hours:g} are asked for"
    if moment(found.last) > moment(now):
        yield f"the last request is of {found.last}, and it is {now}"
    elif (moment(now) - moment(found.last)).total_seconds() > limits.max_age_days * 86_400:
        yield f"the last request is of {found.last}, more than {limits.max_age_days:g} days ago"
    if limits.source == "live":
        if found.replayed:
            yield f"{found.replayed} requests were replayed, and live traffic is asked for"
        if since is None or found.first < since:
            yield f"the first request is of {found.first}, before the adapter was in {found.stage}: {since or 'never'}"


def grades_of(data: bytes) -> tuple[tuple[TrafficGrade, ...], list[str]]:
    """The rows of `traffic-grades.jsonl`, and what is wrong with them."""
    rows, wrong = [], []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            row = TrafficGrade.model_validate_json(line)
        except ValidationError as error:
            wrong.append(f"traffic-grades.jsonl line {number}: {error.errors()[0]['msg']}")
            continue
        if set(row.passed) != set(MODELS) or set(row.latency_ms) != set(MODELS) or not set(row.errors) <= set(MODELS):
            wrong.append(f"traffic-grades.jsonl line {number}: it grades other models than {' and '.join(MODELS)}")
        elif any(row.passed[name] for name in row.errors):
            wrong.append(f"traffic-grades.jsonl line {number}: an error passes")
        else:
            rows.append(row)
    if len({row.request for row in rows}) != len(rows):
        wrong.append("traffic-grades.jsonl grades a request twice")
    if not rows and not wrong:
        wrong.append("traffic-grades.jsonl grades nothing")
    return tuple(rows), wrong


def differences(stated: Traffic, found: Traffic) -> Iterator[str]:
    """The fields of traffic.json that do not follow from the grades."""
    mine: Mapping[str, object] = stated.model_dump()
    for name, value in found.model_dump().items():
        if mine[name] != value:
            yield f"traffic.json states another {name.replace('_', ' ')} than its grades give"
