"""The words that scenarios, grades and examples share."""

from enum import StrEnum


class SetName(StrEnum):
    """The four sets of a benchmark. `heldout` is frozen: it yields scores and nothing else."""

    CORE = "core"
    DEV = "dev"
    HELDOUT = "heldout"
    REPRESENTATIVE = "representative"

    __hash__ = str.__hash__
    """Enum's own is written in Python, and sets are the key of every grade."""


class OutcomeType(StrEnum):
    """What kind of right answer a scenario asks for. Mixing them keeps a model from gaming the benchmark."""

    TP = "tp"
    TN = "tn"
    FP_GUARD = "fp-guard"
    FN_GUARD = "fn-guard"


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Origin(StrEnum):
    """Who made a text. `corrected` is synthetic, mended by a person. It never changes afterwards."""

    HUMAN = "human"
    SYNTHETIC = "synthetic"
    CORRECTED = "corrected"
