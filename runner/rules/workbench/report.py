"""The workbench's report, put together from values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.records.cluster import Cluster
from runner.records.rubric import Rubric
from runner.records.terms import SetName
from runner.records.triage import Review, TriageFile
from runner.records.workbench import WorkbenchReport
from runner.rules.workbench import balance, coverage, duplicates, items, readings, rubrics
from runner.rules.workbench.duplicates import Rows, Suspects
from runner.rules.workbench.item import Item
from runner.rules.workbench.items import Sitting
from runner.rules.workbench.rubrics import Graded

USUAL = (SetName.CORE, SetName.DEV, SetName.HELDOUT, SetName.REPRESENTATIVE)


@dataclass(frozen=True)
class Bench:
    """Everything that the report is made of."""

    cluster: Cluster
    rubrics: Mapping[str, Rubric]
    """Every rubric of the tree that the cluster's scenarios name or that is written for its capabilities."""
    items: Sequence[Item]
    data: Mapping[str, Rows] = field(default_factory=dict)
    sittings: Sequence[Sitting] = ()
    left_out: Sequence[str] = ()
    graded: Iterable[Graded] = ()
    triage: Sequence[tuple[TriageFile, Sequence[Review]]] = ()
    discordance: float | None = None


def report(bench: Bench, *, suspects: Suspects, seed: int) -> WorkbenchReport:
    """`suspects` is the port's first look for near-duplicates. The same bench and seed give the same report."""
    capabilities = [one.id for one in bench.cluster.capabilities]
    counts = Counter(one.set for one in bench.items)
    sets = tuple(name for name in SetName if name in USUAL or counts[name])
    own = [one for one in bench.items if one.set is not SetName.GENERAL]
    return WorkbenchReport(
        cluster=bench.cluster.id,
        benchmark_version=bench.cluster.benchmark_version,
        sets=sets,
        scenarios={name: counts[name] for name in sets},
        coverage=coverage.coverage(bench.items, capabilities, sets),
        gaps=coverage.gaps(own, capabilities, sets),
        balance=balance.balance(own, seed=seed),
        duplicates=duplicates.duplicates(bench.items, bench.data, suspects=suspects),
        items=items.items(bench.items, bench.sittings, left_out=bench.left_out),
        rubrics=rubrics.rubric_health(bench.rubrics, bench.items, bench.graded),
        uncovered=rubrics.uncovered(bench.rubrics.values(), own, capabilities),
        triage=readings.triage(bench.triage),
        power=readings.power(own, capabilities, discordance=bench.discordance),
    )
