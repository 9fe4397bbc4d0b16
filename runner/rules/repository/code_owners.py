"""Who of those that approved a change owns what it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks for the file, the first that there is."""


def lines_to_add(ours: str, theirs: str, *, place: str) -> tuple[str, ...]:
    """The lines of `ours` whose paths `theirs`, the file at `place`, has no line for: they go below its own.

    Not the line for every path: as the last one that matches, it would take all the others' owners away.
    """
    there = {_paths(line) for line in _lines(theirs)}
    found = (" ".join(line.replace(PLACES[0], place).split()) for line in _lines(ours))
    return tuple(line for line in found if _paths(line) not in {*there, "*"})


def _lines(text: str) -> list[str]:
    """Without comments and what is empty."""
    return [line for line in (one.partition("#")[0].strip() for one in text.splitlines()) if line]


def _paths(line: str) -> str:
    """A line's pattern; `/scenarios`, `scenarios/` and `/scenarios/**` are one here."""
    return line.split()[0].removesuffix("/**").strip("/")


def unapproved(
    owners: Mapping[str, Sequence[str]], approvers: Iterable[str], *, in_team: Callable[[str, str], bool]
) -> tuple[str, ...]:
    """The paths of which no owner is among `approvers` (logins), sorted. A path without owners is one of them.

    An owner is `@login` or `@organisation/team`; one that is named by an address is nobody's login. Each team is asked
    about once a login.
    """
    people = sorted(set(approvers))
    known: dict[tuple[str, str], bool] = {}

    def is_one(owner: str, login: str) -> bool:
        name = owner.removeprefix("@")
        if not owner.startswith("@") or "/" not in name:
            return owner.startswith("@") and name.casefold() == login.casefold()
        if (name, login) not in known:
            known[name, login] = in_team(name, login)
        return known[name, login]

    def approved(path: str) -> bool:
        return any(is_one(owner, login) for owner in owners[path] for login in people)

    return tuple(path for path in sorted(owners) if not approved(path))
