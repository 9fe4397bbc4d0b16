"""A CODEOWNERS file, read as forges read it (the extra `forge`)."""

from __future__ import annotations

from collections.abc import Iterable


def owners_of(text: str, paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The owners of each path, as the last line that matches it names them; none where none does. Raises `ValueError`
    for a pattern that is none."""
    from codeowners import CodeOwners

    found = CodeOwners(text)
    return {path: tuple(owner for _, owner in found.of(path)) for path in paths}
