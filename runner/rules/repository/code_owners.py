"""CODEOWNERS as GitHub reads it: where it stands, who is asked about a path, and whether an owner approved a change.

A line is a pattern and owners, and the last line that matches decides. The patterns are those of `.gitignore` without
negation, ranges and backslashes (GitHub's "About code owners").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks for the file, the first that there is."""
STAND_IN = "@hallmark/"
"""How the names of teams begin that stand for people's own in the templates."""
_WORD = re.compile(r"(?:\\ |\S)+")
"""What stands between spaces; one after a backslash is a part of the name."""


class CodeOwners:
    """One file. A line without owners takes a path's owners away."""

    def __init__(self, text: str) -> None:
        lines = (_WORD.findall(line.partition("#")[0]) for line in text.splitlines())
        self._lines = [(_pattern(words[0]), tuple(words[1:])) for words in lines if words and words[0][0] not in "[^"]

    def owners(self, path: str) -> tuple[str, ...]:
        """Who is asked about `path`; nobody where no line matches."""
        return next((owners for pattern, owners in reversed(self._lines) if pattern.match(path)), ())

    @property
    def named(self) -> frozenset[str]:
        """Everybody who stands in a line, as written."""
        return frozenset(owner for _, owners in self._lines for owner in owners)

    @property
    def people(self) -> frozenset[str]:
        """Every single person named, by their handle in lower case; teams have a slash, and mail addresses no mark."""
        return frozenset(one[1:].lower() for one in self.named if one.startswith("@") and "/" not in one)


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


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern with a slash before its end counts from the top; one that names a folder, or a file, takes what is
    below it; `*` stays within a name, and `**` does not."""
    text = text.replace("\\ ", " ")
    anchored = "/" in text.rstrip("/")
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", text.strip("/"))
    words = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(words.get(part, re.escape(part)) for part in parts)
    below = "/.*" if text.endswith("/") else "" if text.endswith("/*") else "(?:/.*)?"
    return re.compile(f"{'' if anchored or text.startswith('/') else '(?:.*/)?'}{body}{below}\\Z")
