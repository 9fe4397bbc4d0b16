"""The words that scenarios, grades and examples share."""

from enum import StrEnum


class SetName(StrEnum):
    """The sets of a benchmark, the last two as far as people write any. `heldout` is frozen: it yields scores and
    nothing else."""

    CORE = "core"
    DEV = "dev"
    HELDOUT = "heldout"
    REPRESENTATIVE = "representative"
    GENERAL = "general"
    """What the specialist must not forget. Its scenarios may name capabilities that are not the cluster's."""
    RESERVE = "reserve"
    """Real scenarios that no model has been asked: the next held-out set. They yield leak checks and nothing else."""

    __hash__ = str.__hash__
    """Enum's own is written in Python, and sets are the key of every grade."""


ASKED = tuple(name for name in SetName if name is not SetName.RESERVE)
"""The sets that models are asked. The reserve is looked at for leaks, and never answered."""
JUDGING = (SetName.HELDOUT, SetName.REPRESENTATIVE, SetName.RESERVE)
"""The sets that nothing may have seen before it is judged by them."""


class Perturbation(StrEnum):
    """What is done to core to see whether a model is robust (`rules.text.perturbation` does it)."""

    TYPOS = "typos"
    CASING = "casing"
    PUNCTUATION = "punctuation"
    PARAPHRASE = "paraphrase"
    ORDER = "order"
    CONTEXT = "context"


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
