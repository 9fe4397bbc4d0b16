"""What the fleet's table reads of each cluster: of large files only the lines that it shows, so that 200 read fast."""

from pydantic import ConfigDict

from runner.records.base import Record, Share, Slug, Text
from runner.records.fleet import Fleet
from runner.records.terms import SetName


class _Part(Record):
    """Part of a file that is read whole, and unknown keys refused, wherever something depends on it."""

    model_config = ConfigDict(extra="ignore")


class _Thresholds(_Part):
    composite: Share
    heldout: Share


class _Gate(_Part):
    thresholds: _Thresholds


class FleetCluster(_Part):
    """Of `cluster.yaml`."""

    id: Slug
    title: Text
    gate: _Gate
    fleet: Fleet | None = None


class _Set(_Part):
    composite: Share


class _Model(_Part):
    sets: dict[SetName, _Set]


class _Against(_Part):
    against: Slug
    p_value: Share


class _Regressions(_Part):
    count: int
    of: int


class Headline(_Part):
    """Of `scorecard.json`."""

    models: dict[Slug, _Model]
    comparisons: tuple[_Against, ...]
    regressions: _Regressions
