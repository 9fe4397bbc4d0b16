"""Answers, grades and what is computed from them."""

from typing import Annotated

from pydantic import Field

from runner.records.base import Record, Sha256, Share, Slug, Sparse, Text
from runner.records.fields import FieldTally
from runner.records.judge import Judged
from runner.records.terms import OutcomeType, SetName


class Answer(Record):
    """What a model said to one scenario. `tokens` counts the generated ones."""

    scenario: Slug
    text: str
    tokens: Annotated[int, Field(ge=0)]


class Grade(Sparse):
    """How one answer fared against its rubric."""

    SPARSE = frozenset({"fields", "judged"})

    scenario: Slug
    capability: Slug
    outcome_type: OutcomeType
    score: Share
    """Weighted share of the criteria met."""
    passed: bool
    """Every required criterion is met."""
    missed: tuple[Slug, ...] = ()
    answer: str
    explanation: Text
    fields: FieldTally | None = None
    """Of an answer whose rubric has a criterion on fields."""
    judged: dict[Slug, Judged] = {}
    """The verdict on each criterion that a judge decides."""


class Interval(Record):
    """A two-sided interval at `level`."""

    low: float
    high: float
    level: Share = 0.95


class SetScore(Record):
    """One model on one set."""

    scenarios: Annotated[int, Field(ge=0)]
    passed: Annotated[int, Field(ge=0)]
    composite: Share
    """Mean score per capability, weighted by the cluster's capability weights."""
    capabilities: dict[Slug, Share]


class Comparison(Record):
    """A candidate against another model on the same scenarios, paired."""

    against: Slug
    scenarios: Annotated[int, Field(ge=0)]
    gained: Annotated[int, Field(ge=0)]
    lost: Annotated[int, Field(ge=0)]
    difference: float
    """Share passed, candidate less the other."""
    interval: Interval
    """Paired bootstrap of `difference`."""
    p_value: Share
    """Exact McNemar, two-sided."""


class Regressions(Record):
    """Scenarios that the incumbent passed and the candidate fails, over core, held-out and representative."""

    count: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=0)]
    """How many the incumbent passed."""
    scenarios: tuple[Slug, ...]


class ScoredScenario(Record):
    """One row of the evidence's `grades.jsonl`: no prompt and no answer, so that it may travel."""

    set: SetName
    scenario: Slug
    capability: Slug
    scores: dict[Slug, Share]
    """Model (`base`, `incumbent`, `control`, `candidate`) to score."""
    passed: dict[Slug, bool]
    perturbed: dict[Slug, dict[Slug, Share]] = {}
    """On core: perturbation to model to score, for the models that were run under it."""


class ModelScores(Record):
    """One model over the sets it was run on."""

    adapter: Sha256 | None
    """Digest of the adapter's files; none for the base alone."""
    sets: dict[SetName, SetScore]
    robustness: dict[Slug, Share] = {}
    """Perturbation (`typos`, `casing`, `punctuation`) to composite on core under it."""


class Scorecard(Record):
    """The whole assessment: base, incumbent, control and candidate side by side."""

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


class Baseline(Record):
    """What phase 4 found: the base and the incumbent on every set."""

    models: dict[Slug, ModelScores]


class GradedAnswer(Record):
    """One row of an answers file: whose answer, under which perturbation (`none` for the scenario as written)."""

    model: Slug
    set: SetName
    perturbation: Slug = "none"
    grade: Grade
    tokens: Annotated[int, Field(ge=0)]
