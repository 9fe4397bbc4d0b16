"""Settings to the edges of the benchmark workbench: what is at hand of a cluster's benchmark and its history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from runner.edges.files import write_file
from runner.edges.minhash import MinHashSuspects
from runner.edges.readers import DirectoryReader
from runner.edges.workbench import history as histories
from runner.edges.workbench import reading
from runner.edges.workbench.page import page
from runner.edges.yaml_files import read
from runner.records.cluster import BenchmarkLock, Cluster
from runner.records.rubric import Rubric
from runner.records.terms import SetName
from runner.records.triage import Review, TriageFile
from runner.records.workbench import WorkbenchReport
from runner.rules.canonical import digest
from runner.rules.loop.boundary import outside
from runner.rules.repository.benchmark import benchmark_digest
from runner.rules.repository.layout import place
from runner.rules.workbench.duplicates import SIZE, THRESHOLD
from runner.rules.workbench.item import Item
from runner.rules.workbench.report import Bench, report
from runner.wiring import flywheel
from runner.wiring.boundary import declared_boundaries
from runner.workspace import relevant_rubrics, unknown

SEED = 20261121
"""Of the permutations: the same benchmark gives the same report."""


def benchmark_report(path: Path, cluster: str) -> WorkbenchReport:
    """The workbench's report on the cluster in the work tree at `path`. Raises `RecordError` where there is none."""
    top = flywheel.root(path)
    reader = DirectoryReader(top)
    home = f"clusters/{cluster}/"
    if f"{home}cluster.yaml" not in reader.paths(home):
        raise unknown(reader, cluster)
    record = read(reader.read(f"{home}cluster.yaml"), Cluster, path=f"{home}cluster.yaml")
    items = reading.items(reader, cluster)
    rubrics = relevant_rubrics(record, {one.rubric for one in items}, reading.rubrics(reader))
    found = histories.history(top, reader, cluster, _present(reader, cluster, items, rubrics))
    for reason in outside(record.place, declared_boundaries()):
        found.answered.clear()
        found.left_out.append(f"the answers of iterations: {reason.problem}")
    suspects = MinHashSuspects()
    bench = Bench(
        cluster=record,
        rubrics=rubrics,
        items=items,
        data=reading.data(flywheel.data_of(top, cluster)),
        sittings=found.sittings,
        left_out=found.left_out,
        graded=histories.graded(top, cluster, found),
        triage=_triage(reader, home),
        discordance=found.discordance,
    )
    return report(bench, suspects=lambda texts: suspects.suspects(texts, threshold=THRESHOLD, size=SIZE), seed=SEED)


def write_page(target: Path, found: WorkbenchReport) -> None:
    """The page of a report. Raises `DataError` where it cannot be written."""
    write_file(target, page(found))


def _present(
    reader: DirectoryReader, cluster: str, items: list[Item], rubrics: Mapping[str, Rubric]
) -> histories.Present:
    rows: dict[SetName, list[list[str]]] = defaultdict(list)
    for one in items:
        rows[one.set].append([one.id, one.sha256])
    path = f"clusters/{cluster}/benchmark.lock"
    lock = read(reader.read(path), BenchmarkLock, path=path) if reader.paths(path) else None
    each = {name: digest(rubric) for name, rubric in rubrics.items()}
    return histories.Present(
        sets={name: digest(sorted(rows[name])) for name in SetName},
        rubrics=digest([[name, each[name]] for name in sorted(each)]),
        each_rubric=each,
        lock=benchmark_digest(lock),
        frozen=frozenset(lock.sets) if lock is not None else frozenset(),
    )


def _triage(reader: DirectoryReader, home: str) -> list[tuple[TriageFile, list[Review]]]:
    """Each list, and what people said of it."""
    lists: dict[str, TriageFile] = {}
    reviews: dict[str, list[Review]] = defaultdict(list)
    for path in reader.paths(f"{home}triage/"):
        found = place(path)
        if found is not None and found.kind is TriageFile:
            lists[found.stem] = read(reader.read(path), TriageFile, path=path)
        elif found is not None and found.kind is Review:
            reviews[found.iteration].append(read(reader.read(path), Review, path=path))
    return [(listed, reviews[name]) for name, listed in sorted(lists.items())]
