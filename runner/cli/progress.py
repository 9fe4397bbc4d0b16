"""What a long turn shows: a live line on a terminal, plain lines elsewhere, nothing with `--json`."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status

from runner.pipeline import PHASES, Phase
from runner.records.step import Step


class Progress:
    """The phase at work, the one after it, and an estimate from how long each took so far."""

    def __init__(self, cluster: str, *, quiet: bool = False) -> None:
        self.cluster = cluster
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.live: Status | None = None
        self.started = self.phase_started = time.monotonic()
        self.number = 0

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self.live = self.console.status("")
            self.live.start()
        self._show("", 0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def update(self, message: str, share: float) -> None:
        """What the phase at work is doing, and how much of it is done (0 to 1)."""
        self._show(message, share)

    def done(self, phase: Phase, step: Step) -> None:
        seconds = float(step.measured.get("seconds", 0.0))
        word = {"pass": "done", "refuse": "refused", "wait": "waits for people"}[step.verdict.outcome]
        policy = f"  ({step.verdict.by_policy})" if step.verdict.by_policy else ""
        self.console.print(f"  {phase.number:>2}/13  {phase.name:<12} {word:<8} {seconds:7.1f} s{policy}", markup=False)
        self.number = phase.number
        self.phase_started = time.monotonic()
        self._show("", 0.0)

    def _show(self, message: str, share: float) -> None:
        if self.live is None or self.number >= len(PHASES):
            return
        now = PHASES[self.number].name
        after = PHASES[self.number + 1].name if self.number + 1 < len(PHASES) else "the signed merge"
        left = ""
        if share > 0.05:
            spent = time.monotonic() - self.phase_started
            left = f", about {spent / share - spent:.0f} s left"
        detail = f" {message} {share:.0%}{left}" if message else ""
        self.live.update(f"{self.cluster}  {self.number + 1}/13 {now}{detail}, then {after}")
