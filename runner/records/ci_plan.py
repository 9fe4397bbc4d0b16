"""Which clusters CI iterates after main has moved, why, and on what runner each of them."""

from typing import Annotated, Any

from pydantic import Field

from runner.records.base import Count, Record, Slug, Text

MOST_JOBS = 256
"""Jobs of a matrix, GitHub's limit."""


class PlannedCluster(Record):
    """One cluster that is iterated."""

    cluster: Slug
    runner: tuple[Text, ...]
    """The labels that a runner must have."""
    reasons: tuple[Text, ...] = Field(min_length=1)


class CiPlan(Record):
    """What `hallmark ci plan` finds."""

    base: str
    """The commit that main was at; empty where that is not known."""
    head: Text
    clusters: tuple[PlannedCluster, ...] = ()
    """Sorted by cluster."""
    untouched: Count = 0
    """Clusters of which nothing changed."""

    turn: Annotated[int, Field(ge=0)] = 0
    """Which run of the workflow it is for: where there are more clusters than jobs, each turn begins where the last one
    ended, so that none is left out for ever."""

    @property
    def matrix(self) -> dict[str, Any]:
        """What `strategy.matrix` reads: an entry a job, as many as a matrix may have."""
        return {"include": [{"cluster": one.cluster, "runner": list(one.runner)} for one in self._turned[:MOST_JOBS]]}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The clusters that the matrix has no room for, those whose turn is next first."""
        return tuple(one.cluster for one in self._turned[MOST_JOBS:])

    @property
    def _turned(self) -> tuple[PlannedCluster, ...]:
        if len(self.clusters) <= MOST_JOBS:
            return self.clusters
        start = self.turn * MOST_JOBS % len(self.clusters)
        return self.clusters[start:] + self.clusters[:start]
