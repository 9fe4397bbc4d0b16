"""Results on production traffic, as the serving side writes them, and what the evidence keeps of them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.records.base import Count, Record, Sha256, Share, Slug, Text
from runner.records.policy import Timestamp
from runner.records.promotion import ServingStage
from runner.records.scorecard import Comparison

Milliseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TrafficSource(StrEnum):
    LIVE = "live"
    REPLAYED = "replayed"


class ModelResult(Record):
    """What one adapter made of a request."""

    adapter: Sha256 | None
    """Digest of the adapter's files, as its promotion records it; null is the base alone."""
    answer: str = ""
    passed: bool | None = None
    """What a person's feedback says; where it is null, the answer is compared with the reference."""
    error: str = ""
    """Why there is no answer: a timeout, a crash. An error never passes."""
    latency_ms: Milliseconds


class TrafficResult(Record):
    """One request: a line of the JSONL file that `hallmark propose --traffic` and `rollback --if-below` read."""

    id: Text
    at: Timestamp
    source: TrafficSource = TrafficSource.LIVE
    capability: Slug
    reference: str = ""
    """The right answer, from a label or a person's correction."""
    results: tuple[ModelResult, ...] = Field(min_length=1)


class TrafficGrade(Record):
    """One row of the evidence's `traffic-grades.jsonl`: no prompt and no answer, so that it may travel."""

    request: Sha256
    """Digest of the request's id and the adapter's digest."""
    at: Timestamp
    source: TrafficSource
    capability: Slug
    passed: dict[Slug, bool]
    """Model (`candidate`, `incumbent`) to whether it agreed with the reference."""
    errors: tuple[Slug, ...] = ()
    """The models that gave no answer."""
    latency_ms: dict[Slug, Milliseconds]


class ModelTraffic(Record):
    """One model over the traffic."""

    passed: Count
    agreement: Share
    """The share of requests where it agreed with the reference."""
    errors: Count
    latency_p50_ms: Milliseconds
    latency_p95_ms: Milliseconds
    """Nearest rank."""


class Traffic(Record):
    """The evidence's `traffic.json`: how the adapter fared beside the incumbent, on the same requests."""

    cluster: Slug
    stage: ServingStage
    """Where the adapter stood meanwhile."""
    adapter: Sha256
    incumbent: Sha256 | None
    requests: Annotated[int, Field(ge=1)]
    replayed: Count
    first: Timestamp
    last: Timestamp
    models: dict[Slug, ModelTraffic]
    comparison: Comparison
    capabilities: dict[Slug, Comparison]
    worse_capabilities: tuple[Slug, ...]
    """Those significantly worse than the incumbent (Holm-corrected at the cluster's alpha)."""
