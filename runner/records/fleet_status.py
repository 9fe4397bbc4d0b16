"""What the fleet's table shows of each cluster, and what it reads for it: of large files only those lines, so that 200
read fast."""

from pydantic import ConfigDict

from runner.records.base import Record, Share, Slug, Text
from runner.records.evidence import CandidateSummary
from runner.records.fleet import Fleet
from runner.records.ledger import RunState
from runner.records.promotion import ServingStage
from runner.records.terms import SetName


class _Part(Record):
    """Part of a file that is read whole, and unknown keys refused, wherever something depends on it."""

    model_config = ConfigDict(extra="ignore")


class _Thresholds(_Part):
    composite: Share
    heldout: Share


class _Gate(_Part):
    thresholds: _Thresholds


class FleetCluster(_Part):
    """Of `cluster.yaml`."""

    id: Slug
    title: Text
    gate: _Gate
    fleet: Fleet | None = None


class _Set(_Part):
    composite: Share


class _Model(_Part):
    sets: dict[SetName, _Set]


class _Against(_Part):
    against: Slug
    p_value: Share


class _Regressions(_Part):
    count: int
    of: int


class Headline(_Part):
    """Of `scorecard.json`."""

    models: dict[Slug, _Model]
    comparisons: tuple[_Against, ...]
    regressions: _Regressions


class Waiting(Record):
    """Who has to do what before the cluster goes on."""

    who: str
    what: str
    gate: str = ""
    """`triage`, `promotion`, `rollback`, `escalation`, `receipt`, or the phase that refused."""
    since: str = ""
    """ISO 8601 in UTC; empty where nothing says it."""
    people: bool = True
    """Whether it is people: CI can go on with the others by itself."""


class FleetRow(Record):
    """A row of the list that `hallmark status --json` prints, one a cluster."""

    cluster: Slug
    title: str = ""
    boundary: str | None = None
    promoted_sequence: int = 0
    """The promotion that serves, the one in production; 0 is the base alone."""
    adapter: str | None = None
    """The digest of what serves; none for the base alone."""
    stages: dict[ServingStage, int] = {}
    """Who holds which stage, by sequence."""
    iteration: str = ""
    """The one queued last; empty where nothing was queued."""
    state: RunState | None = None
    phase: str = ""
    """The phase that passed, waited or refused last."""
    phase_number: int = 0
    phases: int
    figures: CandidateSummary | None = None
    figures_of: str = ""
    reasons: tuple[str, ...] = ()
    """Why the last phase waited or refused."""
    waiting: tuple[Waiting, ...] = ()
    problem: str = ""
    """Why the cluster could not be read: the others are shown all the same."""

    @property
    def below(self) -> bool:
        """Whether what serves, or is on its way, is under a threshold."""
        one = self.figures
        return one is not None and (
            one.composite_after < one.composite_threshold or one.heldout_after < one.heldout_threshold
        )
