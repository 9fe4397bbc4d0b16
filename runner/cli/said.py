"""What a command says last, in words fit for a terminal: a verdict's reasons, or its error and how it exits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runner.errors import EdgeError, ExitCode, HallmarkError, RecordError, VerificationError, exit_code
from runner.rules.shown import shown

if TYPE_CHECKING:  # what git calls begins without pydantic
    from runner.records.verdict import Verdict

TOLD = (HallmarkError, OSError, KeyboardInterrupt)
"""What is told in words. Anything else is a bug that shows its traceback."""


def undisturbed() -> None:
    """Keep pydantic from loading plugins: what is installed beside Hallmark has no say in what a record accepts."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


def reasons(verdict: Verdict) -> list[str]:
    """A line a reason, with what to do about it."""
    return [
        shown(f"  {reason.step}: {reason.problem}" + (f"\n      → {reason.hint}" if reason.hint else ""))
        for reason in verdict.reasons
    ]


def told(error: BaseException) -> tuple[str, ExitCode]:
    """One of `TOLD`, in words, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted: run the same command again to go on", exit_code(error)
    if isinstance(error, RecordError | VerificationError | EdgeError | OSError):
        return shown(f"hallmark: {error}"), exit_code(error)
    return shown(f"hallmark: this is a bug in Hallmark, please report it: {error}"), exit_code(error)
