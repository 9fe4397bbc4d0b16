"""When the loop stops itself: how many iterations may bring nothing, and what it tells people then."""

from typing import Annotated

from pydantic import Field

from runner.records.base import Count, Record, Share, Slug, Text


class PlateauPolicy(Record):
    """`plateau:` in cluster.yaml."""

    patience: Annotated[int, Field(ge=1)] = 3
    """How many iterations in a row may bring no improvement on held-out."""
    acknowledged: str = ""
    """The iteration whose escalation people have read, and after which they let the loop go on as it is."""


class Plateau(Record):
    """A cluster that no longer improves, as its ledger tells."""

    after: Slug
    """The last iteration that brought nothing."""
    iterations: tuple[Slug, ...]
    """Those in a row, oldest first."""
    patience: Count


class TriedArm(Record):
    """An arm of a sweep: its share of synthetic rows and its composite on dev."""

    name: str
    synthetic_share: Share
    dev: Share


class Tried(Record):
    """One iteration of a plateau: as far as it came, and what it scored."""

    iteration: Slug
    refused_at: str
    """The phase that refused it."""
    reasons: tuple[Text, ...]
    arms: tuple[TriedArm, ...] = ()
    chosen: str = ""
    """The arm that was trained; empty where it did not get that far."""
    rows: str = ""
    """The chosen mixture in words."""
    core: Share | None = None
    heldout: Share | None = None
    verdict: str = ""
    """Against the incumbent on held-out, in a sentence."""


class Shared(Record):
    """A failure that iteration after iteration still finds on core."""

    capability: Slug
    pattern: Text
    lenses: tuple[Slug, ...]
    severity: str
    iterations: Count
    """How many of them found it."""
    frequency: Count
    """Failed scenarios and traces, as the last one found them."""
    scenarios: tuple[Slug, ...]
    """Core scenarios that fail in every iteration that found it."""
    covered: bool
    """An approved rubric covers the capability."""
    next_target: str


class Option(Record):
    """Something that people could change, and what in the figures speaks for it."""

    what: Text
    why: Text


class Escalation(Record):
    """What the loop hands to people where it stops itself: `clusters/<cluster>/escalations/<iteration>.md`."""

    cluster: Slug
    plateau: Plateau
    tried: tuple[Tried, ...]
    shared: tuple[Shared, ...]
    options: tuple[Option, ...]
