"""What a change to the reviewed files means, as `hallmark review` says it. Of held-out: ids and figures, no text."""

from enum import StrEnum

from runner.records.base import Count, Positive, Record, Share, Slug, Text
from runner.records.change import ChangeClass
from runner.records.terms import SetName
from runner.records.validation import LeakHow
from runner.records.workbench import Balance, Gap


class What(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class Direction(StrEnum):
    LOOSENED = "loosened"
    """More may pass than before."""
    TIGHTENED = "tightened"
    CHANGED = "changed"
    """Neither, or it cannot be told."""


class Place(Record):
    """A file, and the line that a change is about; line 1 of a file that is gone is that of its last version."""

    path: Text
    line: Positive = 1
    gone: bool = False


class ScenarioChange(Record):
    """One scenario. `message` and `answer` are what it now asks, empty where the set is withheld."""

    what: What
    at: Place
    cluster: Slug
    set: SetName
    id: Slug
    capability: Slug
    lens: Slug
    outcome_type: Slug
    words: tuple[Text, ...] = ()
    """Of a changed one, what changed."""
    message: str = ""
    answer: str = ""


class SettingChange(Record):
    """One value of a reviewed file, and whether it lets more pass."""

    at: Place
    field: Text
    direction: Direction
    before: str
    after: str
    meaning: str = ""
    """What the field holds, in words."""


class RubricChange(Record):
    what: What
    at: Place
    id: Slug
    scenarios: Count
    """How many are graded by it after the change."""
    changes: tuple[SettingChange, ...] = ()


class SetRegraded(Record):
    """The stored answers to one set, graded by the rubrics before and after the change."""

    set: SetName
    answers: Count
    before: Share
    after: Share
    """Composites."""
    passed_before: Count
    passed_after: Count
    gained: tuple[Slug, ...]
    """Answers that pass now and did not."""
    lost: tuple[Slug, ...]


class Regrading(Record):
    """What the change makes of a cluster's last evaluation, without asking a model. `why_not` says what is missing."""

    cluster: Slug
    source: str = ""
    """The evaluation or iteration that the answers are of, and whose they are."""
    sets: tuple[SetRegraded, ...] = ()
    asked_otherwise: Count = 0
    """Stored answers left out: the scenario's message is another now, or the scenario is gone."""
    ungraded: Count = 0
    """Stored answers that a judge would have to look at, or that the rubric cannot grade."""
    why_not: str = ""


class Overlap(Record):
    """A new or reworded scenario that stands, nearly or wholly, somewhere else."""

    at: Place
    scenario: Text
    """As `set/id`."""
    other: Text
    """As `set/id`; of training data `gold/id`."""
    how: LeakHow
    similarity: Share
    leak: bool
    """One of the two judges models, and the other trains or steers them."""


class SetCount(Record):
    set: SetName
    before: Count
    after: Count


class CoverageChange(Record):
    """Scenarios of one cluster by trait and set, as far as counts changed; the gaps that opened and closed."""

    cluster: Slug
    sets: tuple[SetCount, ...]
    capabilities: dict[Slug, tuple[SetCount, ...]]
    lenses: dict[str, tuple[SetCount, ...]]
    outcome_types: dict[str, tuple[SetCount, ...]]
    gaps_closed: tuple[Gap, ...]
    gaps_opened: tuple[Gap, ...]
    gaps_left: Count
    balance_before: tuple[Balance, ...]
    """Held-out beside core and representative: by each trait, where it differed before or differs now."""
    balance_after: tuple[Balance, ...]


class FrozenTouched(Record):
    """A set that `benchmark.lock` freezes and the change touches."""

    cluster: Slug
    set: Slug
    owners: tuple[Slug, ...]
    """The roles that may change it."""
    version_before: Count
    version_after: Count
    scenarios: Count
    """Of its files, how many change."""


class Signatures(Record):
    """Who must sign a class of change before it may be merged, by the policy of the base."""

    change: ChangeClass
    files: Count
    people: dict[Slug, Count]
    """Role to how many."""


class Refusal(Record):
    """Something for which `hallmark check` or the gate would refuse the change."""

    at: Place
    problem: Text
    hint: str = ""


class Previewed(Record):
    """The incumbent's answer to a new or changed scenario."""

    at: Place
    set: SetName
    scenario: Slug
    passed: bool
    score: Share
    answer: str
    explanation: str


class Withheld(Record):
    """How the incumbent did on scenarios of a set that yields figures and nothing else."""

    set: SetName
    passed: Count
    scenarios: Count


class Preview(Record):
    cluster: Slug
    model: str = ""
    answers: tuple[Previewed, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    why_not: str = ""


class ChangeReview(Record):
    """What changes from one commit to another."""

    base: Text
    head: Text
    files: Count
    scenarios: tuple[ScenarioChange, ...]
    rubrics: tuple[RubricChange, ...]
    regraded: tuple[Regrading, ...]
    settings: tuple[SettingChange, ...]
    policy: tuple[SettingChange, ...]
    frozen: tuple[FrozenTouched, ...]
    signatures: tuple[Signatures, ...]
    no_policy: bool = False
    """The base has no policy, so nobody is asked for a signature."""
    refusals: tuple[Refusal, ...]
    overlaps: tuple[Overlap, ...]
    without_gold: tuple[Slug, ...] = ()
    """Clusters with new scenarios whose gold data were not at hand to compare with."""
    coverage: tuple[CoverageChange, ...]
    previews: tuple[Preview, ...] = ()
