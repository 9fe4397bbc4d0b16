"""The process that stays to judge pushes: the hook begins it, and asks it."""

from __future__ import annotations

import gc
import time
from importlib import import_module
from typing import TYPE_CHECKING

from runner.cli.said import undisturbed

if TYPE_CHECKING:  # nothing of the gate is loaded before the clock was read
    from runner.records.base import Record

BEGAN = time.time_ns()
JUDGES = (
    "runner.wiring.hook", "runner.wiring.gate", "runner.promotion.hook", "runner.promotion.handoff",
    "runner.rules.trust.generated",
)  # fmt: skip
"""What a verdict takes, with all that these import."""


def main() -> None:
    """Load what a verdict takes, build its records, and answer until nobody asks any more."""
    undisturbed()
    gc.disable()
    for module in JUDGES:
        import_module(module)
    from runner.cli.pre_receive import judged
    from runner.records.base import Record
    from runner.wiring.resident import stay

    _build(Record)
    gc.freeze()
    stay(judged, began=BEGAN)


def _build(kind: type[Record]) -> None:
    """Build each record below `kind`, which otherwise is done when it is first used."""
    for record in kind.__subclasses__():
        record.model_rebuild()
        _build(record)
