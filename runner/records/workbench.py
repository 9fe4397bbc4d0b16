"""The benchmark workbench's report: what a cluster's benchmark covers, how its items behave, and what to write next.

Of held-out it has ids and figures, and no text.
"""

from enum import StrEnum

from runner.records.base import Count, Record, Share, Slug, Text
from runner.records.terms import SetName
from runner.records.validation import LeakHow


class Trait(StrEnum):
    """What scenarios are counted by."""

    CAPABILITY = "capability"
    LENS = "lens"
    OUTCOME_TYPE = "outcome-type"
    SEVERITY = "severity"


class CoverageRow(Record):
    """One value of a trait: scenarios by set, in the order of the report's `sets`."""

    value: Text
    counts: tuple[Count, ...]


class Coverage(Record):
    trait: Trait
    rows: tuple[CoverageRow, ...]


class Gap(Record):
    """What the benchmark says nothing of, or too little: in which set, and what to write."""

    capability: Slug
    set: SetName
    lacks: Text
    """`scenarios`, or a value of a trait, such as `outcome type tn`."""
    has: Count
    write: Count
    """How many more there should be."""


class Shift(Record):
    """A value of a trait whose share differs most."""

    value: Text
    heldout: Share
    other: Share


class Balance(Record):
    """Held-out beside another set, by one trait."""

    trait: Trait
    against: SetName
    distance: Share
    """Total variation: the share of scenarios that would have to have another value."""
    p_value: Share
    """By permutation of the sets' labels: how often two random parts would differ as much. Small counts are no harm."""
    differs: bool
    """After Holm's correction over the whole table."""
    shifts: tuple[Shift, ...]


class Pair(Record):
    """Two scenarios that say nearly the same, as `set/id`."""

    one: Text
    other: Text
    same_answer: bool
    """Whether their references are equal after normalisation. Where they are not, one text has two right answers."""


class DataLeak(Record):
    """A row that stands in a scenario: `source` is a data file (`gold`) or another set."""

    source: Text
    row: Text
    scenario: Text
    """As `set/id`."""
    how: LeakHow
    similarity: Share


class Duplicates(Record):
    pairs: tuple[Pair, ...]
    """Near-duplicates, those across sets and with two answers first; at most as many as are shown."""
    within: Count
    across: Count
    two_answers: Count
    leaks: tuple[DataLeak, ...]
    leaks_found: Count
    looked_at: dict[Text, Count]
    """Rows of each data file that were held against the sets that judge; a file that is not at hand is missing."""
    method: Text


class Subject(Record):
    """One model whose answers are counted: the runs that asked it, repeats among them."""

    name: Text
    runs: Count
    items: Count
    """How many of the present items it was asked."""


class ItemFigures(Record):
    """One scenario over the models that were asked it."""

    set: SetName
    scenario: Slug
    capability: Slug
    models: Count
    passed: Count
    """A model that was asked again counts by the majority of its runs, a tie as failed."""
    difficulty: Share
    """The share of models that fail it, shrunk towards its capability's."""
    discrimination: float | None = None
    """Item-rest correlation; none where models are too few, or all of them did the same."""


class Items(Record):
    subjects: tuple[Subject, ...]
    left_out: tuple[Text, ...]
    """Runs that were not counted, and why."""
    figures: tuple[ItemFigures, ...]
    all_pass: tuple[Text, ...]
    all_fail: tuple[Text, ...]
    unstable: tuple[Text, ...]
    """Items on which a model differs from itself."""
    told_apart: Text
    """Whether discrimination is given, and on how many models."""


class CriterionHealth(Record):
    criterion: Slug
    weight: float
    required: bool
    missed: Count


class NormalisationHealth(Record):
    """A step of a rubric's normalisation: answers that would be equal to their reference, or not, without it alone."""

    step: Slug
    decides: Count


class RubricHealth(Record):
    rubric: Slug
    status: Slug
    scenarios: Count
    frozen: Count
    """Of these in held-out."""
    answers: Count
    """Graded answers at hand."""
    criteria: tuple[CriterionHealth, ...]
    alike: tuple[tuple[Slug, Slug], ...] = ()
    """Criteria that no answer told apart."""
    normalisation: tuple[NormalisationHealth, ...] = ()
    findings: tuple[Text, ...] = ()


class Reading(Record):
    """What people disagreed on at triage."""

    capability: Slug
    candidates: Count
    """Decided by two people or more."""
    disagreed: Count


class Seen(Record):
    """What the paired test of a candidate could see on held-out."""

    capability: Slug
    scenarios: Count
    difference: Share | None
    """The smallest gain found with the power asked for; none where even a gain of 1 would be missed."""


class Power(Record):
    rows: tuple[Seen, ...]
    power: Share
    alpha: Share
    discordance: Share
    """The share of scenarios on which two models are taken to differ."""


class WorkbenchReport(Record):
    """`hallmark benchmark report CLUSTER --json`."""

    version: int = 1
    cluster: Slug
    benchmark_version: int
    sets: tuple[SetName, ...]
    scenarios: dict[Slug, Count]
    coverage: tuple[Coverage, ...]
    gaps: tuple[Gap, ...]
    balance: tuple[Balance, ...]
    duplicates: Duplicates
    items: Items
    rubrics: tuple[RubricHealth, ...]
    uncovered: tuple[Slug, ...]
    """Capabilities that no approved rubric grades."""
    triage: tuple[Reading, ...]
    power: Power | None = None
