"""One side of a change: the reviewed files of a tree, as far as a review looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from runner.records.base import Record
from runner.records.change_review import Place
from runner.records.policy import Trust
from runner.records.scenario import Scenario
from runner.records.terms import SetName
from runner.rules.repository.layout import place

R = TypeVar("R", bound=Record)
WITHHELD = frozenset({SetName.HELDOUT, SetName.RESERVE})
"""Sets whose text is shown to nobody."""


def withheld(path: str) -> bool:
    """Whether the file at `path` is a scenario of such a set: what is wrong with it may not be quoted."""
    where = place(path)
    return where is not None and where.set in WITHHELD


Locate = Callable[[str, str], int]
"""The line of a field in the file at a path; 1 where that cannot be told."""


class Placed(NamedTuple):
    """A scenario where it stands."""

    cluster: str
    set: SetName
    path: str
    scenario: Scenario


@dataclass(frozen=True)
class Side:
    """The records of the files that were read, by path, and what goes with them."""

    records: Mapping[str, Record]
    locate: Locate
    signers: bytes = b""
    revoked: bytes = b""
    broken: frozenset[str] = frozenset()
    """Files that are there and cannot be read."""
    _scenarios: dict[str, dict[str, Placed]] = field(default_factory=dict)

    def at(self, path: str, field: str = "", *, gone: bool = False) -> Place:
        return Place(path=path, line=max(1, self.locate(path, field)) if field else 1, gone=gone)

    def one(self, path: str, kind: type[R]) -> R | None:
        found = self.records.get(path)
        return found if isinstance(found, kind) else None

    def all(self, kind: type[R]) -> dict[str, R]:
        """The records of a kind, by path."""
        return {path: one for path, one in self.records.items() if isinstance(one, kind)}

    def scenarios(self, cluster: str) -> Mapping[str, Placed]:
        """Those of a cluster, by id."""
        if not self._scenarios:
            for path, one in self.records.items():
                where = place(path) if isinstance(one, Scenario) else None
                if where is not None and isinstance(one, Scenario):
                    placed = Placed(where.cluster, SetName(where.set), path, one)
                    self._scenarios.setdefault(where.cluster, {})[one.id] = placed
        return self._scenarios.get(cluster, {})

    def by_set(self, cluster: str) -> dict[SetName, list[Scenario]]:
        found: dict[SetName, list[Scenario]] = {name: [] for name in SetName}
        for one in self.scenarios(cluster).values():
            found[one.set].append(one.scenario)
        return found

    @property
    def trust(self) -> Trust | None:
        return self.one("policy/trust.yaml", Trust)
