"""CODEOWNERS as GitHub reads it: a pattern and owners a line, and the last line that matches decides.

The patterns are those of `.gitignore` without negation, ranges and backslashes (GitHub's "About code owners").
"""

from __future__ import annotations

import re

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
    def people(self) -> frozenset[str]:
        """Every single person named, by their handle in lower case; teams have a slash, and mail addresses no mark."""
        named = (owner for _, owners in self._lines for owner in owners)
        return frozenset(one[1:].lower() for one in named if one.startswith("@") and "/" not in one)


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
