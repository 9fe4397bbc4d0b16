"""What long work shows while it runs: a live line on a terminal, elsewhere a plain line now and then, nothing with
`--json`."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click

PAUSE = 10.0
"""Seconds between two lines where there is no terminal: what is soon done says nothing."""


class Progress:
    """The call at work and how far it is."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet, self.live = quiet, sys.stderr.isatty()
        self._said = ("", -1)
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live and self._said[0]:
            click.echo("\r\x1b[K", nl=False, err=True)

    def update(self, message: str, share: float) -> None:
        """What is being done, and how much of it is done (0 to 1)."""
        if self.quiet:
            return
        step = (message, int(10 * share))
        if self.live:
            spent = time.monotonic() - self._started
            click.echo(f"\r\x1b[K{message} {share:.0%}, {spent:.0f} s", nl=False, err=True)
            self._said = step
        elif step != self._said and time.monotonic() - self._told >= PAUSE:
            click.echo(f"{message} {share:.0%}", err=True)
            self._told, self._said = time.monotonic(), step
