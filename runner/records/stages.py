"""What a cluster asks before an adapter may enter each stage of serving: the `stages` of `cluster.yaml`."""

from typing import Literal

from runner.records.base import Amount, Positive, PositiveAmount, Record, Share


class TrafficLimits(Record):
    """What the adapter's results on traffic must hold. The incumbent answers the same requests."""

    source: Literal["any", "live"] = "any"
    """`live` takes nothing that was replayed, nor what came before the adapter was in the stage it leaves."""
    min_requests: Positive = 200
    min_hours: Amount = 24.0
    """Between the first request and the last."""
    max_age_days: Amount = 14.0
    """Since the last request, when the gate judges."""
    min_agreement: Share | None = None
    """The share that agrees with the reference; none asks for the gate's composite threshold."""
    max_error_rate: Share = 0.01
    max_drop: Share = 0.03
    """How far below the incumbent the lower end of the paired 95 % interval may reach."""
    max_latency_p95_ms: Amount | None = None
    """None asks for the gate's own limit, if it has one."""


class Stages(Record):
    """The way of an adapter into production. Each stage is a signed step of its own."""

    enter: Literal["shadow", "canary", "production"] = "shadow"
    """Where a newly assessed adapter begins; every later stage follows in the order shadow, canary, production."""
    canary: TrafficLimits = TrafficLimits()
    """What leaving shadow for canary asks."""
    production: TrafficLimits = TrafficLimits(source="live")
    """What leaving canary for production asks."""
    max_rollback_seconds: PositiveAmount = 60.0
    """What the rollback drill of a promotion may take."""
