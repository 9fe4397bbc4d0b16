"""What of a cluster the gate judges by: what it bears, its capabilities and its frozen sets.

`cluster.yaml` says more, which no judgement of a promotion needs, and the gate starts sooner without it.
"""

from typing import Protocol

from pydantic import ConfigDict, Field

from runner.records.base import Positive, PositiveAmount, PositiveShare, Record, Sha256, Share, Slug, Sparse, Text
from runner.records.significance import SignificancePolicy
from runner.records.stages import Stages
from runner.records.terms import Perturbation
from runner.records.triage_policy import Triage


class Capability(Record):
    id: Slug
    title: Text
    """In words."""
    definition: Text
    """What belongs to it. Prompted generators are told it."""
    weight: PositiveAmount = 1.0
    """What it counts in a composite, beside the others."""


class Thresholds(Record):
    """The floors a candidate must reach: capability-weighted composites, 0 to 1."""

    composite: Share
    """Of core."""
    heldout: Share
    """Of held-out."""


class GateLimits(Sparse):
    """What the gate bears."""

    SPARSE = frozenset({"perturbations", "max_general_drop", "significance"})

    thresholds: Thresholds
    max_p_value: PositiveShare = 0.01
    """Exact McNemar on held-out, candidate against incumbent and against the control arm."""
    max_regressions: Share = 0.05
    """Scenarios that the incumbent passed and the candidate fails, as a share of those it passed."""
    capability_alpha: PositiveShare = 0.05
    """No capability may be worse than the incumbent at this level (exact McNemar, Holm-corrected)."""
    max_robustness_drop: Share = 0.25
    """How far the composite may fall under a perturbation."""
    perturbations: tuple[Perturbation, ...] = ()
    """Under which the candidate must hold; typos, casing and punctuation where none is named."""
    max_general_drop: PositiveShare | None = None
    """How far below the base's the candidate's composite on the general set may be; .05 where nothing is said."""
    max_latency_p95_ms: PositiveAmount | None = None
    """No limit where it is left out."""
    significance: SignificancePolicy | None = None
    """What a comparison must be able to see, and more; the defaults where it is left out."""


class FrozenSet(Record):
    sha256: Sha256
    """Of all its scenarios, in the order of their ids."""
    scenarios: Positive
    """How many there are."""
    owners: tuple[Slug, ...] = Field(min_length=1)
    """The roles that may change this set."""


class BenchmarkLock(Sparse):
    """`clusters/<cluster>/benchmark.lock`: the digests of the frozen sets and of the judges."""

    SPARSE = frozenset({"judges"})

    version: Positive
    """The cluster's `benchmark_version`."""
    sets: dict[Slug, FrozenSet]
    """The frozen sets, by name."""
    judges: dict[Slug, Sha256] = {}
    """Each judge that an approved rubric of the scenarios names: its model, prompt and options."""


class Gated(Protocol):
    """A cluster, whole or as the gate reads it."""

    @property
    def id(self) -> str: ...

    @property
    def benchmark_version(self) -> int: ...

    @property
    def capabilities(self) -> tuple[Capability, ...]: ...

    @property
    def gate(self) -> GateLimits: ...

    @property
    def stages(self) -> Stages: ...

    @property
    def human_floor(self) -> float: ...

    @property
    def triage(self) -> Triage: ...


class GatedCluster(Record):
    """`cluster.yaml` as the gate reads it on a promotion; a change of it is read whole, and unknown keys refused."""

    model_config = ConfigDict(extra="ignore")

    id: Slug
    benchmark_version: Positive
    capabilities: tuple[Capability, ...] = Field(min_length=1)
    gate: GateLimits
    stages: Stages = Stages()
    human_floor: Share
    triage: Triage = Triage()
