"""Scores and what is computed of them: what the gate makes again of a promotion's evidence."""

from runner.records.base import Count, Sha256, Share, Slug, Sparse
from runner.records.significance import Detectable, Detection, Interval, RealOnly, Repeats, Tally, Tier
from runner.records.terms import OutcomeType, SetName


class SetScore(Sparse):
    """One model on one set."""

    SPARSE = frozenset({"pass_interval", "interval", "capability_intervals", "outcomes", "detection"})

    scenarios: Count
    passed: Count
    composite: Share
    """Mean score per capability, weighted by the cluster's capability weights."""
    capabilities: dict[Slug, Share]
    pass_interval: Interval | None = None
    """Of the share passed: Wilson's."""
    interval: Interval | None = None
    """Of the composite, scenarios drawn again within each capability."""
    capability_intervals: dict[Slug, Interval] = {}
    outcomes: dict[OutcomeType, Tally] = {}
    detection: Detection | None = None
    """Where scenarios of both sides were asked."""


class Comparison(Sparse):
    """A candidate against another model on the same scenarios, paired."""

    SPARSE = frozenset({"tier", "detectable"})

    against: Slug
    scenarios: Count
    gained: Count
    lost: Count
    difference: float
    """Share passed, candidate less the other."""
    interval: Interval
    """Paired bootstrap of `difference`."""
    p_value: Share
    """Exact McNemar, two-sided."""
    tier: Tier | None = None
    detectable: Detectable | None = None


class Regressions(Sparse):
    """Scenarios that the incumbent passed, each time it was asked, and the candidate fails, over core, held-out and
    representative."""

    SPARSE = frozenset({"flipping", "interval", "p_value"})

    count: Count
    of: Count
    """How many the incumbent passed each time."""
    scenarios: tuple[Slug, ...]
    flipping: tuple[Slug, ...] = ()
    """Not counted: those that the incumbent passed at first and the candidate fails, but a repeat of it fails too."""
    interval: Interval | None = None
    """Of the share, Wilson's."""
    p_value: Share | None = None
    """How often a further run of the incumbent itself would fail as many; none where it was not repeated."""


class ScoredScenario(Sparse):
    """One row of the evidence's `grades.jsonl`: no prompt and no answer, so that it may travel."""

    SPARSE = frozenset({"outcome_type"})

    set: SetName
    scenario: Slug
    capability: Slug
    scores: dict[Slug, Share]
    """Model (`base`, `incumbent`, `control`, `candidate`) to score."""
    passed: dict[Slug, bool]
    perturbed: dict[Slug, dict[Slug, Share]] = {}
    """On core: perturbation to model to score, for the models that were run under it."""
    outcome_type: OutcomeType | None = None


class ModelScores(Sparse):
    """One model over the sets it was run on."""

    SPARSE = frozenset({"robustness_intervals"})

    adapter: Sha256 | None
    """Digest of the adapter's files; none for the base alone."""
    sets: dict[SetName, SetScore]
    robustness: dict[Slug, Share] = {}
    """Perturbation (`typos`, `casing`, `punctuation`) to composite on core under it."""
    robustness_intervals: dict[Slug, Interval] = {}


class Scorecard(Sparse):
    """The whole assessment: base, incumbent, control and candidate side by side."""

    SPARSE = frozenset({"perturbed_comparisons", "repeats", "real_only"})

    cluster: Slug
    iteration: Slug
    benchmark_version: int
    benchmark_sha256: Sha256
    models: dict[Slug, ModelScores]
    comparisons: tuple[Comparison, ...]
    """On held-out: against base, incumbent and control."""
    capability_comparisons: dict[Slug, Comparison]
    """Candidate against incumbent over core, held-out and representative, per capability."""
    worse_capabilities: tuple[Slug, ...]
    """Those significantly worse than the incumbent (Holm-corrected at the cluster's alpha)."""
    regressions: Regressions
    perturbed_comparisons: dict[Slug, Comparison] = {}
    """Candidate against incumbent on core under each perturbation: a scenario counts where one scores higher."""
    repeats: Repeats | None = None
    real_only: RealOnly | None = None
