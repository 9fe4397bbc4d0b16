"""An evaluation: one model, asked a benchmark's scenarios in stages, and everything that says how far to trust it."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import model_validator

from runner.records.base import Count, Positive, Record, Sha256, Share, Slug, Sparse, Text
from runner.records.conversation import Conversation
from runner.records.judging import JudgeReport
from runner.records.score import Comparison, Grade, SetScore
from runner.records.significance import Interval, Tally
from runner.records.terms import OutcomeType


class StageName(StrEnum):
    """The stages of an evaluation, in the order in which they run."""

    SMOKE = "smoke"
    CORE = "core"
    DEV = "dev"
    REPRESENTATIVE = "representative"
    HELDOUT = "heldout"
    ROBUSTNESS = "robustness"
    GENERAL = "general"


class StageOutcome(StrEnum):
    PASSED = "passed"
    STOPPED = "stopped"
    """It ran, and what it found ends the evaluation: later stages are skipped."""
    SKIPPED = "skipped"
    """It did not run."""


class Drop(Record):
    """How far a part of a stage falls below what it is compared with, and how far it may."""

    below: Text
    drop: float
    """Composite less composite; what was gained is negative."""
    interval: Interval
    """Paired bootstrap."""
    limit: Share | None = None
    """None where it is only reported."""


class StageResult(Sparse):
    """What became of one stage. `reason` says why it stopped or did not run."""

    SPARSE = frozenset({"reason", "score", "interval", "parts", "drops"})

    stage: StageName
    outcome: StageOutcome
    reason: str = ""
    scenarios: Count = 0
    """Prompts asked in this stage."""
    score: SetScore | None = None
    interval: Interval | None = None
    """Of the share passed."""
    parts: dict[Slug, SetScore] = {}
    """Of robustness by perturbation, of general capability by task (`general` is the cluster's own set)."""
    drops: dict[Slug, Drop] = {}
    """Of the same parts: under core as written, and under the base."""


class CandidateStages(Record):
    """What became of each stage of the candidate's assessment: the evidence's `stages.json`."""

    cluster: Slug
    iteration: Slug
    stages: tuple[StageResult, ...]
    changed: dict[Slug, Count] = {}
    """How many texts of core each perturbation changed at all: the others were asked as they are."""


class ModelKind(StrEnum):
    BASE = "base"
    INCUMBENT = "incumbent"
    ADAPTER = "adapter"
    IMPORTED = "imported"
    """Whatever another program asked, by the name that its log gives."""


class EvaluatedModel(Record):
    """Whose answers these are: the digests of what was loaded, and the name that it was asked for by."""

    kind: ModelKind
    name: Text
    base: Sha256 | None = None
    adapter: Sha256 | None = None
    sequence: int | None = None
    """The promotion that the adapter belongs to."""


class CapabilityResult(Record):
    """One capability over the sets as written."""

    passed: Count
    scenarios: Count
    score: Share
    interval: Interval
    """Of the share passed (Wilson)."""


class AnswerCounts(Record):
    """How the answers came about."""

    asked: Count
    unanswered: Count = 0
    """Asked, and given up on: graded as no answer."""
    tokens: Count = 0
    """Generated."""


class LogPointer(Record):
    """The log with the samples of an evaluation, by its bytes."""

    sha256: Sha256
    size: Count
    samples: Count


class EvaluationRun(Sparse):
    """The summary of an evaluation, small enough for git. Its id derives from all that follows but `log`, `measured`.

    `measured` (seconds, machine, dates) is covered by no digest.
    """

    SPARSE = frozenset({"judges", "log", "measured", "source"})

    version: Literal[1] = 1
    id: Slug
    cluster: Slug
    model: EvaluatedModel
    engine: Text
    """What answered, with its version."""
    benchmark_version: Count
    benchmark_sha256: Sha256 | None
    scenarios_sha256: dict[Slug, Sha256]
    """Digest of each set as it was read."""
    rubrics: dict[Slug, Sha256]
    stages: tuple[StageResult, ...]
    sets: dict[Slug, SetScore]
    """Each as written, with intervals."""
    capabilities: dict[Slug, CapabilityResult]
    outcome_types: dict[OutcomeType, Tally]
    counts: AnswerCounts
    judges: tuple[JudgeReport, ...] = ()
    """Those that decided criteria: how steady they were, and how they agree with people."""
    source: str = ""
    """Of an imported evaluation: the format and the file's name."""
    log: LogPointer | None = None
    measured: dict[str, Any] = {}


class Sample(Sparse):
    """One line of an evaluation's log: a prompt, its reference, the answer and its grade.

    Of held-out there are scores and nothing else: `withheld` then, and every text is empty.
    """

    SPARSE = frozenset({"withheld", "input", "reference", "recorded"})

    set: Slug
    perturbation: Slug = "none"
    grade: Grade
    tokens: Count = 0
    input: Conversation = ()
    reference: tuple[str, ...] = ()
    """The right answer, or each of several."""
    withheld: bool = False
    recorded: dict[str, float] = {}
    """Of an imported sample: what each scorer of the other program gave."""


class LogHeader(Record):
    """The first line of a log: the summary, but for what is measured, and how the samples are laid out."""

    hallmark_log: Literal[1] = 1
    samples: Count
    block: Positive
    """Samples of a frame; the last has what is left."""
    run: EvaluationRun


class LogIndex(Record):
    """The second line of a log, a column a field: enough to find samples, and to compare evaluations."""

    sets: tuple[str, ...]
    perturbations: tuple[str, ...]
    scenarios: tuple[str, ...]
    capabilities: tuple[str, ...]
    outcome_types: tuple[str, ...]
    scores: tuple[float, ...]
    passed: tuple[bool, ...]

    @model_validator(mode="after")
    def _as_long_as_each_other(self) -> "LogIndex":
        if len({len(getattr(self, name)) for name in type(self).model_fields}) != 1:
            raise ValueError("its columns are not equally long")
        return self


class Flip(Record):
    """A prompt that one of two evaluations passed and the other did not."""

    set: Slug
    perturbation: Slug
    scenario: Slug
    capability: Slug


class EvaluationDiff(Record):
    """One evaluation after another, paired over the scenarios that both asked as written."""

    before: Slug
    after: Slug
    overall: Comparison
    """Each comparison has its tier: of several capabilities or sets, corrected for their number."""
    sets: dict[Slug, Comparison]
    capabilities: dict[Slug, Comparison]
    gained: tuple[Flip, ...]
    """Also under perturbations."""
    lost: tuple[Flip, ...]
    unmatched: Count
    """Prompts that only one of the two asked."""
