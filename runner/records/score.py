"""Answers, their grades, and what phase 4 found; a scorecard's parts have `records.scorecard` to themselves."""

from runner.records.base import Count, Record, Share, Slug, Sparse, Text
from runner.records.fields import FieldTally
from runner.records.judge import Judged
from runner.records.scorecard import Comparison as Comparison
from runner.records.scorecard import ModelScores as ModelScores
from runner.records.scorecard import Regressions as Regressions
from runner.records.scorecard import Scorecard as Scorecard
from runner.records.scorecard import ScoredScenario as ScoredScenario
from runner.records.scorecard import SetScore as SetScore
from runner.records.significance import Interval as Interval
from runner.records.terms import OutcomeType, SetName


class Answer(Record):
    """What a model said to one scenario. `tokens` counts the generated ones."""

    scenario: Slug
    text: str
    tokens: Count


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


class Baseline(Record):
    """What phase 4 found: the base and the incumbent on every set."""

    models: dict[Slug, ModelScores]


class GradedAnswer(Record):
    """One row of an answers file: whose answer, under which perturbation (`none` for the scenario as written)."""

    model: Slug
    set: SetName
    perturbation: Slug = "none"
    grade: Grade
    tokens: Count
