"""A directory of small files as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from runner.rules.canonical import tree_digest


@dataclass(frozen=True)
class Tree:
    """Relative POSIX path to bytes."""

    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """sha256 over the canonical list of [path, sha256], sorted by path."""
        return tree_digest(self.files)
