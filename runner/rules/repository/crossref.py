"""What reviewed files say of one another, and whether it holds: scenarios by their outlines (`crossref_scenarios`), the
other files here.

Takes records by path and says nothing of files it was not given: with a few files of a repository the checks that
need the others are left out by the caller.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem, ProblemKind
from runner.records.evaluation import EvaluationRun
from runner.records.generation import GeneratorChoice, Served, suffix
from runner.records.judging import Calibration, JudgeFile, JudgeLabels
from runner.records.params import Params
from runner.records.pointer import DataPointer
from runner.records.policy import Trust
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario, SetName
from runner.records.triage import Review, TriageFile
from runner.rules.data.domain_rules import contradictions, misfits
from runner.rules.evaluation.expectations import asks, compares_objects, of_rubric, of_scenario
from runner.rules.evaluation.kept_evaluations import kept_findings
from runner.rules.loop import boundary
from runner.rules.repository import crossref_scenarios
from runner.rules.repository.crossref_judges import judged, misnamed
from runner.rules.repository.crossref_scenarios import (
    Finding,
    Frame,
    Frames,
    Frozen,
    RubricUse,
    of_itself,
    one_scenario,
    same_ids,
    stray,
)
from runner.rules.repository.crossref_triggers import trigger_faults
from runner.rules.repository.layout import PARAMS, place
from runner.rules.repository.outline import Outline, outline
from runner.rules.repository.scenario_place import scenario_place
from runner.rules.triage.files import beside_findings, list_findings, policy_findings, review_findings

R = TypeVar("R", bound=Record)
_OF_CLUSTERS: tuple[type[Record], ...] = (Problem, BenchmarkLock, JudgeLabels, Calibration)
_SETS, _CLUSTER = frozenset(SetName), "/cluster.yaml"


class Records:
    """A tree's records by path, and by what they are."""

    def __init__(self, by_path: Mapping[str, Record], broken: frozenset[str]) -> None:
        self._broken = broken
        self._of: dict[tuple[type[Record], str], dict[str, Record]] = defaultdict(dict)
        for path, record in by_path.items():
            found = place(path)
            self._of[type(record), found.cluster if found is not None else ""][path] = record

    def of(self, kind: type[R], cluster: str = "") -> dict[str, R]:
        """Every record of `kind` (of a cluster), by path."""
        return {path: record for path, record in self._of[kind, cluster].items() if isinstance(record, kind)}

    def lacks(self, path: str) -> bool:
        """Whether there is no file at `path`, readable or not. For paths of which no record was found."""
        return path not in self._broken

    def clusters(self) -> list[str]:
        return sorted({cluster for (_, cluster), found in self._of.items() if cluster and found})


def check(records: Mapping[str, Record], *, broken: frozenset[str] = frozenset()) -> list[Finding]:
    """Every finding over a whole tree's records, sorted by path. `broken` are files that are there but could not be
    read as records; their own problems have been told."""
    scenarios = {path: one for path, one in records.items() if isinstance(one, Scenario)}
    others = {path: one for path, one in records.items() if path not in scenarios}
    given = frames(others, broken=broken)
    outlines = {path: outlined(path, one, given) for path, one in scenarios.items()}
    places = {path: where for path in outlines if (where := scenario_place(path))}
    found = [*beside(others, broken=broken), *crossref_scenarios.findings(outlines, places, given)]
    tree = Records(others, broken)
    for name in tree.clusters():
        for cluster in tree.of(Cluster, name).values():
            found += against_rules(name, cluster, scenarios)
    for rubric in tree.of(Rubric).values():
        found += against_rubric(rubric, scenarios)
    return sorted(found)


def outlined(path: str, scenario: Scenario, given: Frames) -> Outline:
    """The outline of the scenario at `path`, with its digest where one is asked for."""
    where = scenario_place(path)
    return outline(scenario, frozen=where is not None and given.digested(where))


def frames(others: Mapping[str, Record], *, broken: frozenset[str]) -> Frames:
    """What the scenarios of a tree are held against: its records but for the scenarios."""
    tree = Records(others, broken)
    clusters = {}
    for name in tree.clusters():
        cluster = tree.of(Cluster, name).get(f"clusters/{name}/cluster.yaml")
        lock = tree.of(BenchmarkLock, name).get(f"clusters/{name}/benchmark.lock")
        if cluster is not None:
            frozen = {s: Frozen(f.sha256, f.scenarios) for s, f in lock.sets.items() if s in _SETS} if lock else {}
            clusters[name] = Frame(
                [one.id for one in cluster.capabilities], cluster.answer_field, frozen, bool(cluster.domain_rules)
            )
    lacking = [name for name in tree.clusters() if name not in clusters]
    strays = {name: min(chain(*(tree.of(kind, name) for kind in _OF_CLUSTERS)), default="") for name in lacking}
    uses = {
        one.id: RubricUse(str(one.status), one.capabilities, asks(one), compares_objects(one))
        for one in tree.of(Rubric).values()
    }
    unreadable = (path.split("/")[1] for path in broken if path.startswith("clusters/") and path.endswith(_CLUSTER))
    return Frames(clusters, uses, strays, judged(others.values()), frozenset(unreadable))


def beside(others: Mapping[str, Record], *, broken: frozenset[str]) -> Iterator[Finding]:
    """Every finding that no scenario can change."""
    tree = Records(others, broken)
    yield from names(others)
    yield from same_ids({path: rubric.id for path, rubric in tree.of(Rubric).items()}, "rubric")
    for name in tree.clusters():
        cluster = tree.of(Cluster, name).get(f"clusters/{name}/cluster.yaml")
        if cluster is not None:
            yield from _cluster(tree, name, cluster)


def names(records: Mapping[str, Record]) -> Iterator[Finding]:
    """A file's name is its id, and a cluster's folder its id. Scenarios' are looked at by their outlines."""
    for path, record in records.items():
        where = place(path)
        if where is None:
            continue
        if isinstance(record, Rubric | JudgeFile) and record.id != where.stem:
            hint = f"rename the file to {record.id}.yaml, or write `id: {where.stem}`"
            yield Finding(path, "id", f"{record.id} is not the file's name", hint)
        if isinstance(record, Rubric):
            yield from (Finding(path, *misfit) for misfit in of_rubric(record))
        if isinstance(record, Cluster) and record.id != where.cluster:
            yield Finding(path, "id", f"{record.id} is not the folder's name", f"write `id: {where.cluster}`")
        if isinstance(record, JudgeLabels | Calibration):
            yield from misnamed(path, record, where)
        if isinstance(record, TriageFile):
            yield from (Finding(path, *found) for found in list_findings(record, where))
        if isinstance(record, Review):
            yield from (Finding(path, *found) for found in review_findings(record, where))


def _cluster(tree: Records, name: str, cluster: Cluster) -> Iterator[Finding]:
    """Everything that one cluster's other files say of each other."""
    home = f"clusters/{name}"
    path = f"{home}/cluster.yaml"
    seen: set[str] = set()
    for number, capability in enumerate(cluster.capabilities):
        if capability.id in seen:
            text = f"the capability {capability.id} stands here twice"
            yield Finding(path, f"capabilities[{number}].id", text, "remove one of the two")
        seen.add(capability.id)
    yield from (Finding(path, *misfit) for misfit in misfits(cluster))
    yield from (Finding(*fault) for fault in boundary.strangers(cluster))
    data = tree.of(DataPointer, name)
    yield from (
        Finding(*fault)
        for fault in trigger_faults(cluster, path, lacks=lambda one: one not in data and tree.lacks(one))
    )
    yield from _problem(tree.of(Problem, name).get(f"{home}/problem.md"), cluster, home, tree)
    lock = tree.of(BenchmarkLock, name).get(f"{home}/benchmark.lock")
    if lock is not None:
        yield from _lock(lock, cluster, f"{home}/benchmark.lock")
    elif tree.lacks(f"{home}/benchmark.lock"):
        yield Finding(path, "benchmark_version", "the benchmark has no lock", f"hallmark benchmark lock {name}")
    yield from _reviews(tree, name)
    yield from (Finding(*found) for found in kept_findings(tree.of(EvaluationRun, name), data))
    trust = next(iter(tree.of(Trust).values()), None)
    yield from (Finding(path, *found) for found in policy_findings(cluster.triage, trust))
    for params in tree.of(Params).values():
        if name not in params.clusters:
            hint = f"add `{name}: {{}}` there for the defaults"
            yield Finding(PARAMS, "clusters", f"has no parameters for the cluster {name}", hint)
        else:
            yield from _generators(cluster, params.clusters[name].expand.generators, path)


def _generators(cluster: Cluster, chosen: Sequence[GeneratorChoice], path: str) -> Iterator[Finding]:
    """Text goes to the servers that the cluster names and to no other; each batch is one generator's."""
    servers = cluster.generation.servers if cluster.generation is not None else ()
    known = [server.id for server in servers]
    for one in sorted({server for server in known if known.count(server) > 1}):
        yield Finding(path, "generation.servers", f"has two servers {one}", "give each an id of its own")
    field = f"clusters.{cluster.id}.expand.generators"
    for number, choice in enumerate(chosen):
        if isinstance(choice, Served) and choice.server not in known:
            hint = f"name it in {path} under generation.servers, or use one of: {', '.join(known) or 'none yet'}"
            yield Finding(PARAMS, f"{field}.{number}.server", f"the server {choice.server} is unknown", hint)
    names = [suffix(choice) for choice in chosen]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding(PARAMS, field, f"two generators would write the batches *-{name}", "keep one of them")


def against_rules(name: str, cluster: Cluster, scenarios: Mapping[str, Scenario]) -> Iterator[Finding]:
    """The core scenarios of the cluster in the folder `name` keep its domain rules. Others are passed over."""
    home = f"scenarios/{name}/{SetName.CORE}/"
    core = [one for path, one in sorted(scenarios.items()) if path.startswith(home)]
    for misfit in contradictions(cluster.domain_rules, core):
        yield Finding(f"clusters/{name}/cluster.yaml", *misfit)


def against_rubric(rubric: Rubric, scenarios: Mapping[str, Scenario]) -> Iterator[Finding]:
    """The scenarios that name the rubric give its graders what they ask. Others are passed over."""
    if asks(rubric):
        for path, scenario in sorted(scenarios.items()):
            if scenario.rubric == rubric.id:
                yield from (Finding(path, *misfit) for misfit in of_scenario(scenario, rubric))


def few(
    given: Mapping[str, Record],
    context: Mapping[str, Record],
    paths: Iterable[str],
    *,
    broken: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Findings on the scenarios in `given`, with only `context` (cluster files, rubrics) read besides.

    `paths` are those of every scenario of their clusters: ids are compared by file name, and texts not at all.
    """
    against = frames(context, broken=broken)
    rubrics = {one.id: one for one in context.values() if isinstance(one, Rubric)}
    stems: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        if where := scenario_place(path):
            stems[where.cluster, where.stem.casefold()].append(path)
    found: list[Finding] = []
    for path, record in given.items():
        where = scenario_place(path)
        if where is None or not isinstance(record, Scenario):
            continue
        one = outline(record, frozen=False)
        found += of_itself(path, where, one)
        for other in stems[where.cluster, record.id.casefold()]:
            if other != path:
                text = f"the scenario {record.id} also stands in {other}"
                found.append(Finding(path, "id", text, "give it another id"))
        if record.rubric in rubrics:
            found += against_rubric(rubrics[record.rubric], {path: record})
        frame = against.clusters.get(where.cluster)
        if frame is not None:
            known = frozenset(frame.capabilities)
            found += one_scenario(path, where, one, frame._replace(frozen={}), against.rubrics, known=known)
        elif where.cluster not in against.broken:
            found.append(stray(where.cluster, path))
    return sorted(found)


def _problem(problem: Problem | None, cluster: Cluster, home: str, tree: Records) -> Iterator[Finding]:
    """The problem statement is there, and its threshold is the one the gate holds."""
    if problem is None:
        if tree.lacks(f"{home}/problem.md"):
            hint = f"write {home}/problem.md: gap, why_not_real_data, metric, threshold and real_only_baseline"
            yield Finding(f"{home}/cluster.yaml", "", "the cluster has no problem statement", hint)
        return
    floor = cluster.gate.thresholds.composite
    if problem.metric is ProblemKind.COMPOSITE and problem.threshold > floor:
        hint = f"raise gate.thresholds.composite in cluster.yaml, or lower this to {floor}"
        text = f"the problem asks for {problem.threshold}, the gate lets {floor} through"
        yield Finding(f"{home}/problem.md", "threshold", text, hint)


def _lock(lock: BenchmarkLock, cluster: Cluster, path: str) -> Iterator[Finding]:
    """The lock is of this version, and held-out is frozen."""
    fix = f"run `hallmark benchmark lock {cluster.id}`"
    if lock.version != cluster.benchmark_version:
        yield Finding(
            path, "version", f"locks version {lock.version}, cluster.yaml says {cluster.benchmark_version}", fix
        )
    if SetName.HELDOUT not in lock.sets:
        yield Finding(path, "sets", "held-out is not frozen", fix)
    for unknown in (one for one in lock.sets if one not in _SETS):
        yield Finding(path, f"sets.{unknown}", "there is no such set", f"use one of: {', '.join(SetName)}")


def _reviews(tree: Records, name: str) -> Iterator[Finding]:
    """Each review is about the list beside it. A list that cannot be read has been told of."""
    lists = tree.of(TriageFile, name)
    for path, review in tree.of(Review, name).items():
        beside = path.rpartition("/")[0] + ".yaml"
        if beside in lists or tree.lacks(beside):
            yield from (Finding(path, *found) for found in beside_findings(review, lists.get(beside)))
