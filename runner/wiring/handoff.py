"""Settings to the edges that show a hand-off and hold its cards against their formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.edges import card_formats
from runner.edges.files import write_file as write_file
from runner.errors import RecordError
from runner.promotion.handoff import HandedOver
from runner.promotion.handoff import handed_over as found
from runner.promotion.updates import MAIN
from runner.wiring.gate import room


def handed_over(directory: Path, cluster: str, sequence: int | None) -> HandedOver:
    """What main says, as this clone has it. Raises `RecordError`."""
    here = room(directory, with_bytes=False)
    tip = here.tip(MAIN)
    if tip is None:
        raise RecordError("this clone has no main", path=str(directory))
    return found(here.offline(), tip, cluster, sequence)


def validated(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """What its own validator finds wrong with each file. Raises `EdgeError` where one is not installed."""
    return {name: card_formats.problems(name, data) for name, data in files.items()}
