"""What one phase did on its run branch: `run/steps/<phase>.json`, committed with the phase's outputs."""

from typing import Any

from runner.records.base import Record, Sha256, Slug
from runner.records.verdict import Verdict


class Step(Record):
    """A phase of an iteration, done. The ledger entry repeats it; `measured` is covered by no digest."""

    iteration: Slug
    phase: Slug
    inputs: dict[str, Sha256]
    outputs: dict[str, Sha256]
    verdict: Verdict
    measured: dict[str, Any] = {}
