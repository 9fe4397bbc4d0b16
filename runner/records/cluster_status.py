"""Where one cluster stands, in full."""

from pydantic import Field

from runner.records.base import Record, Sha256, Slug
from runner.records.evidence import CandidateSummary
from runner.records.fleet_status import Waiting
from runner.records.funnel import Funnel
from runner.records.ledger import RunState
from runner.records.plateau import Plateau
from runner.records.promotion import ServingStage
from runner.records.terms import SetName


class AdapterStatus(Record):
    """Where one promoted adapter stands."""

    adapter: Sha256
    stage: ServingStage
    sequence: int
    """The step that put it there."""
    since: str
    """When the gate verified that step; empty where it has no receipt yet, and so is not to be served."""
    approved_by: tuple[str, ...]
    ended: str
    """Empty where it holds its stage; else `replaced`, `rolled back` or `deprecated`."""
    ended_by: int | None
    withdrawn: str = ""
    """Why it is not deployable though it holds its stage: a key that its step needs was revoked from before it."""


class ClusterStatus(Record):
    """`hallmark status CLUSTER --json`."""

    cluster: Slug
    title: str
    base: str
    promoted_sequence: int = Field(ge=0)
    """The promotion that serves, the one in production; 0 is the base alone."""
    adapters: tuple[AdapterStatus, ...]
    """Every adapter that was ever promoted, the last step first."""
    iteration: str
    """Empty where nothing was queued."""
    state: RunState | None
    phase: str
    """The phase that passed, waited or refused last; empty before the first."""
    phase_number: int
    phases: int
    next_phase: str
    """Empty where all have passed."""
    scenarios: dict[SetName, int]
    figures: CandidateSummary | None
    """Of the iteration where it got that far, else of the promotion in force."""
    figures_of: str
    """Whose figures: `iteration <id>` or `promotion <sequence>`; empty where there are none."""
    funnel: Funnel | None
    """The iteration's rows as far as they have come; None before they are validated."""
    seconds: float
    """Measured for the phases of the iteration, waiting for people not counted."""
    reasons: tuple[str, ...]
    """Why the last phase waited or refused."""
    waiting: Waiting | None
    verdicts: tuple[str, ...] = ()
    """What the figures come to, a sentence each."""
    plateau: Plateau | None = None
    """Why the loop begins no further iteration of the reviewed files as they are."""
    begun_by: tuple[str, ...] = ()
    """The triggers that the iteration was queued for; empty where main moved on."""
