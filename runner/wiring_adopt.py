"""Settings to the edges with which people begin: imports of what they have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner import wiring
from runner.edges import import_csv
from runner.edges.adopt import sources
from runner.rules.adopt.compose import Source, Wanted
from runner.rules.labelled_answers import Request
from runner.rules.new_cluster import NewCluster
from runner.rules.splits import SEED

WHOLE = import_csv.WHOLE


def import_labelled(
    path: Path, files: Mapping[str, Path], request: Request, *, push: bool, seed: int = SEED
) -> NewCluster:
    """Make a cluster of labelled text in the workspace at `path`; `push` its data to DVC's default remote."""
    return import_csv.import_labelled(wiring.root(path), files, request, push=push, seed=seed)


def import_files(path: Path, source: Source, wanted: Wanted, *, push: bool) -> NewCluster:
    """Make a cluster of another program's files in the workspace at `path`; `push` as above."""
    return sources.import_files(wiring.root(path), source, wanted, push=push)
