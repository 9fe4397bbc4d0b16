"""What `make demo` found: `build/demo/summary.json`."""

from runner.records.base import Record


class BeforeAfter(Record):
    before: float
    after: float
    threshold: float


class Regressed(Record):
    count: int
    of: int


class Promoted(Record):
    sequence: int
    verified: bool


class Summary(Record):
    """`build/demo/summary.json`."""

    composite: BeforeAfter
    heldout: BeforeAfter
    regressions: Regressed
    p_value: float
    """On held-out: the larger of candidate against the base and against the control arm."""
    phases: dict[str, float]
    """Phase to seconds."""
    wall_s: float
    """Of the two `hallmark iterate` commands, from start to exit."""
    compute_s: float
    """Training, generation and one import of the model libraries."""
    total_s: float
    promotion: Promoted
    forgery_refused: bool
