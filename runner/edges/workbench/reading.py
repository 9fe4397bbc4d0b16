"""A cluster's scenarios as the workbench's items, read by two processes and not held as records."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from runner.edges.artifacts import DirectoryArtifacts
from runner.edges.halves import in_halves
from runner.edges.yaml_files import read
from runner.ports import Reader
from runner.records.dataset import Example
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.records.terms import SetName
from runner.rules.repository.scenario_place import scenario_place
from runner.rules.workbench.duplicates import Row, Rows
from runner.rules.workbench.item import Item, item

DATA = ("base-data", "gold")


def items(reader: Reader, cluster: str) -> list[Item]:
    """Sorted by set and id. Raises `RecordErrors` for a scenario that cannot be read."""
    places = {path: where for path in reader.paths(f"scenarios/{cluster}/") if (where := scenario_place(path))}

    def one(path: str) -> Item:
        return item(SetName(places[path].set), read(reader.read(path), Scenario, path=path))

    found = [Item(SetName(row[0]), *row[1:]) for row in in_halves(list(places), one)]
    return sorted(found, key=lambda one: (one.set, one.id))


def rubrics(reader: Reader) -> list[Rubric]:
    """Every rubric of the tree."""
    return [read(reader.read(path), Rubric, path=path) for path in reader.paths("rubrics/") if path.endswith(".yaml")]


def data(artifacts: DirectoryArtifacts) -> dict[str, Rows]:
    """The rows of each file of training data that is at hand, read anew each time."""

    def rows(name: str) -> Iterator[Row]:
        for one in artifacts.stream(name, Example):
            yield Row(one.id, tuple(message.content for message in one.input))

    return {name: partial(rows, name) for name in DATA if artifacts.exists(name)}
