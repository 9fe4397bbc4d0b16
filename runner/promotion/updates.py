"""The ref updates of a push, as git gives them to a hook."""

from __future__ import annotations

from typing import NamedTuple

from runner.errors import VerificationError

MAIN = "refs/heads/main"
ABSENT = "0" * 40


class Update(NamedTuple):
    """One line of a pre-receive hook's input."""

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        return self.old == ABSENT

    @property
    def deletes(self) -> bool:
        return self.new == ABSENT


def read_updates(text: str) -> tuple[Update, ...]:
    """Raises `VerificationError` for a line that is no ref update."""
    updates = []
    for line in text.splitlines():
        parts = line.split(" ", 2)
        if len(parts) != 3:
            raise VerificationError(f"not a ref update: {line!r}")
        updates.append(Update(*parts))
    return tuple(updates)
