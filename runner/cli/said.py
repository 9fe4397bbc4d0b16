"""What a command says last, in words fit for a terminal: a verdict's reasons, or its error and how it exits."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from runner.errors import EdgeError, ExitCode, HallmarkError, RecordError, VerificationError, exit_code
from runner.rules.text.shown import shown

if TYPE_CHECKING:  # what git calls begins without pydantic
    from runner.records.verdict import Verdict

TOLD = (HallmarkError, OSError, KeyboardInterrupt)
"""What is told in words. Anything else is a bug that shows its traceback."""


def undisturbed() -> None:
    """Keep pydantic from loading plugins: what is installed beside Hallmark has no say in what a record accepts.

    Its own switch is set, and the module that looks for plugins is left out: it reads the metadata of every package,
    which takes a twentieth of a push. Where a pydantic has no such module, the switch alone does it.
    """
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    loader = ModuleType("pydantic.plugin._loader")
    loader.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(loader.__name__, loader)


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
