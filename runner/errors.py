"""The error tree. Each kind has one exit code, mapped once, in `exit_code`.

A refusal is not an error: it is a verdict with reasons (see `records.verdict`) and exits 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a process says to its caller (DESIGN.md, section 5)."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    BUG = 3
    WAITING = 4
    COULD_NOT = 5
    INTERRUPTED = 130


class HallmarkError(Exception):
    """The root: anything Hallmark raises on purpose."""


class RecordError(HallmarkError):
    """A file does not say what its record needs: invalid input, exit 1."""

    def __init__(
        self,
        problem: str,
        *,
        path: str = "",
        line: int | None = None,
        field: str = "",
        hint: str = "",
    ) -> None:
        self.problem = problem
        self.path = path
        self.line = line
        self.field = field
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part)
        text = f"{where}: " if where else ""
        if self.field:
            text += f"{self.field}: "
        text += self.problem
        return f"{text} ({self.hint})" if self.hint else text


class RecordErrors(RecordError):
    """Every problem of a file, or of several: one `RecordError` each, one a line. Invalid input, exit 1."""

    def __init__(self, errors: Iterable[RecordError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.problem, path=first.path, line=first.line, field=first.field, hint=first.hint)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class PhaseOrderError(HallmarkError):
    """Code asked for a step that the history does not allow: a bug in the caller, exit 3."""


class VerificationError(HallmarkError):
    """Signed material does not hold: refused, exit 1."""


class EdgeError(HallmarkError):
    """The outside could not do its part (git, data, model, signing): could not judge, exit 5."""


class GitError(EdgeError):
    """git failed or answered something that cannot be used."""


class RefMovedError(GitError):
    """Another writer moved the ref first; what was to be put on it is stored and harmless."""


class LedgerRace(GitError):
    """Another writer took the entry's place in the ledger: read it again and draft the entry again."""


class DataError(EdgeError):
    """Bytes are missing, unreachable or are not the ones that were recorded."""


class ChangedError(EdgeError):
    """Somebody else wrote a file since it was read; nothing was written over it."""


class ModelError(EdgeError):
    """A model could not be loaded, trained or run."""


class ForgeError(EdgeError):
    """The forge (GitHub and its like) did not answer, or not with what was asked for."""


class ForgeForbidden(ForgeError):
    """The token may not do it."""


class ForgeUnavailable(ForgeError):
    """The forge answers nothing for now: a rate limit, an error of its own, no connection, or a token that it does not
    know. Asking it for something else is of no use."""


class SigningError(EdgeError):
    """A key or ssh-keygen could not be used."""


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for an error that reached the command line."""
    if isinstance(error, RecordError | VerificationError):
        return ExitCode.REFUSED
    if isinstance(error, EdgeError | OSError):
        return ExitCode.COULD_NOT
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.BUG
