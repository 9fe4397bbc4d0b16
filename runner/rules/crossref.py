"""What reviewed files say of one another, and whether it holds.

Takes records by path and says nothing of files it was not given: with a few files of a repository the checks that
need the others are left out by the caller.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem, ProblemKind
from runner.records.conversation import Role
from runner.records.generation import GeneratorChoice, Served, suffix
from runner.records.params import Params
from runner.records.policy import Trust
from runner.records.rubric import Rubric, RubricStatus
from runner.records.scenario import Scenario, SetName
from runner.records.triage import Review, TriageFile
from runner.rules.benchmark import set_digest
from runner.rules.domain_rules import contradictions, misfits
from runner.rules.layout import PARAMS, place
from runner.rules.structured import named_in
from runner.rules.triage.files import beside_findings, list_findings, policy_findings, review_findings

R = TypeVar("R", bound=Record)


class Finding(NamedTuple):
    """One thing that does not hold: where, what, and the fix. The line follows from `path` and `field`."""

    path: str
    field: str
    problem: str
    hint: str


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
    tree = Records(records, broken)
    found: list[Finding] = []
    rubrics = {rubric.id: rubric for rubric in tree.of(Rubric).values()}
    found += names(records)
    found += _same_ids({path: rubric.id for path, rubric in tree.of(Rubric).items()}, "rubric")
    for name in tree.clusters():
        found += _cluster(tree, name, rubrics)
    return sorted(found)


def names(records: Mapping[str, Record]) -> Iterator[Finding]:
    """A file's name is its id, and a cluster's folder its id."""
    for path, record in records.items():
        where = place(path)
        if where is None:
            continue
        if isinstance(record, Scenario | Rubric) and record.id != where.stem:
            hint = f"rename the file to {record.id}.yaml, or write `id: {where.stem}`"
            yield Finding(path, "id", f"{record.id} is not the file's name", hint)
        if isinstance(record, Cluster) and record.id != where.cluster:
            yield Finding(path, "id", f"{record.id} is not the folder's name", f"write `id: {where.cluster}`")
        if isinstance(record, Scenario) and record.input[-1].role not in (Role.USER, Role.TOOL):
            last = f"input[{len(record.input) - 1}].role"
            problem = "the last message is neither the user's nor a tool's"
            yield Finding(path, last, problem, "end the input with what the model must answer")
        if isinstance(record, TriageFile):
            yield from (Finding(path, *found) for found in list_findings(record, where))
        if isinstance(record, Review):
            yield from (Finding(path, *found) for found in review_findings(record, where))


def _cluster(tree: Records, name: str, rubrics: Mapping[str, Rubric]) -> Iterator[Finding]:
    """Everything that one cluster's files say of each other."""
    scenarios = tree.of(Scenario, name)
    home = f"clusters/{name}"
    cluster = tree.of(Cluster, name).get(f"{home}/cluster.yaml")
    if cluster is None:
        if tree.lacks(f"{home}/cluster.yaml"):
            path = next(iter(sorted([*scenarios, *tree.of(Problem, name), *tree.of(BenchmarkLock, name)])), home)
            yield Finding(path, "", f"there is no cluster {name}", f"write {home}/cluster.yaml")
        return
    lock = tree.of(BenchmarkLock, name).get(f"{home}/benchmark.lock")
    yield from _scenarios(scenarios, cluster, rubrics, frozenset(lock.sets) if lock is not None else frozenset())
    yield from _same_ids({path: scenario.id for path, scenario in scenarios.items()}, "scenario")
    yield from _same_texts(scenarios)
    yield from _capabilities(cluster, f"{home}/cluster.yaml", scenarios.values())
    yield from _domain_rules(cluster, f"{home}/cluster.yaml", scenarios)
    yield from _problem(tree.of(Problem, name).get(f"{home}/problem.md"), cluster, home, tree)
    if lock is not None:
        yield from _lock(lock, cluster, f"{home}/benchmark.lock", scenarios)
    elif tree.lacks(f"{home}/benchmark.lock"):
        hint = f"hallmark benchmark lock {name}"
        yield Finding(f"{home}/cluster.yaml", "benchmark_version", "the benchmark has no lock", hint)
    yield from _reviews(tree, name)
    trust = next(iter(tree.of(Trust).values()), None)
    yield from (Finding(f"{home}/cluster.yaml", *found) for found in policy_findings(cluster.triage, trust))
    for params in tree.of(Params).values():
        if name not in params.clusters:
            hint = f"add `{name}: {{}}` there for the defaults"
            yield Finding(PARAMS, "clusters", f"has no parameters for the cluster {name}", hint)
        else:
            yield from _generators(cluster, params.clusters[name].expand.generators, f"{home}/cluster.yaml")


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


def _scenarios(
    scenarios: Mapping[str, Scenario], cluster: Cluster, rubrics: Mapping[str, Rubric], frozen: frozenset[str]
) -> Iterator[Finding]:
    """Each scenario names a capability and a rubric that there are."""
    capabilities = {capability.id for capability in cluster.capabilities}
    for path, scenario in scenarios.items():
        if scenario.capability not in capabilities:
            hint = f"capabilities of {cluster.id}: {', '.join(sorted(capabilities)[:20])}"
            yield Finding(path, "capability", f"the capability {scenario.capability} is unknown", hint)
        if cluster.answer_field and named_in(scenario.reference, cluster.answer_field) not in capabilities:
            hint = f'write a JSON object whose "{cluster.answer_field}" names one'
            yield Finding(path, "reference", "the right answer names no capability", hint)
        rubric = rubrics.get(scenario.rubric)
        if rubric is None:
            hint = (
                f"write rubrics/{scenario.rubric}.yaml, or name one of: {', '.join(sorted(rubrics)[:20]) or 'none yet'}"
            )
            yield Finding(path, "rubric", f"the rubric {scenario.rubric} is unknown", hint)
            continue
        where = place(path)
        if rubric.status is RubricStatus.DRAFT and where is not None and where.set in frozen:
            hint = f"approve rubrics/{rubric.id}.yaml first, or keep the scenario out of {where.set}"
            yield Finding(path, "rubric", f"a frozen set is graded by the draft rubric {rubric.id}", hint)
        if rubric.capabilities and scenario.capability not in rubric.capabilities:
            hint = f"add {scenario.capability} to its capabilities, or use another rubric"
            yield Finding(path, "rubric", f"the rubric {rubric.id} is not for {scenario.capability}", hint)


def _same_ids(ids: Mapping[str, str], noun: str) -> Iterator[Finding]:
    """Ids (by path) are unique, case aside: some file systems fold it."""
    first: dict[str, str] = {}
    for path, name in sorted(ids.items()):
        before = first.setdefault(name.casefold(), path)
        if before != path:
            yield Finding(path, "id", f"the {noun} {name} also stands in {before}", "give one of them another id")


def _same_texts(scenarios: Mapping[str, Scenario]) -> Iterator[Finding]:
    """One text stands in one set only: what is trained or selected on must not be what is held out."""
    first: dict[tuple[str, ...], str] = {}
    for path, scenario in sorted(scenarios.items()):
        key = tuple(f"{message.role}:{' '.join(message.content.split()).casefold()}" for message in scenario.input)
        before = first.setdefault(key, path)
        here, there = place(path), place(before)
        if here is not None and there is not None and here.set != there.set:
            yield Finding(
                path, "input", f"the same text stands in {before}", f"keep it in {there.set} or in {here.set}"
            )


def _capabilities(cluster: Cluster, path: str, scenarios: Iterable[Scenario]) -> Iterator[Finding]:
    """Capabilities have distinct ids, and each is tested."""
    tested = {scenario.capability for scenario in scenarios}
    seen: set[str] = set()
    for number, capability in enumerate(cluster.capabilities):
        field = f"capabilities[{number}].id"
        if capability.id in seen:
            yield Finding(path, field, f"the capability {capability.id} stands here twice", "remove one of the two")
        elif capability.id not in tested:
            hint = f"write one below scenarios/{cluster.id}/, or remove the capability"
            yield Finding(path, field, f"no scenario tests {capability.id}", hint)
        seen.add(capability.id)


def _domain_rules(cluster: Cluster, path: str, scenarios: Mapping[str, Scenario]) -> Iterator[Finding]:
    """The domain rules' examples come out as they say, and core's scenarios keep the rules."""
    core = [one for where, one in sorted(scenarios.items()) if (at := place(where)) and at.set == SetName.CORE]
    for misfit in (*misfits(cluster), *contradictions(cluster.domain_rules, core)):
        yield Finding(path, *misfit)


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
    tree = Records({**context, **given}, broken)
    stems: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        where = place(path)
        if where is not None and where.kind is Scenario:
            stems[where.cluster, where.stem.casefold()].append(path)
    found = list(names(given))
    rubrics = {rubric.id: rubric for rubric in tree.of(Rubric).values()}
    for path, record in given.items():
        where = place(path)
        if where is None or not isinstance(record, Scenario):
            continue
        for other in stems[where.cluster, record.id.casefold()]:
            if other != path:
                found.append(
                    Finding(path, "id", f"the scenario {record.id} also stands in {other}", "give it another id")
                )
        cluster = tree.of(Cluster, where.cluster).get(f"clusters/{where.cluster}/cluster.yaml")
        if cluster is not None:
            found += _scenarios({path: record}, cluster, rubrics, frozenset())
        elif tree.lacks(f"clusters/{where.cluster}/cluster.yaml"):
            hint = f"write clusters/{where.cluster}/cluster.yaml"
            found.append(Finding(path, "", f"there is no cluster {where.cluster}", hint))
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


def _lock(lock: BenchmarkLock, cluster: Cluster, path: str, scenarios: Mapping[str, Scenario]) -> Iterator[Finding]:
    """Every frozen set is as it was locked; held-out is frozen."""
    fix = f"undo the change, or raise benchmark_version in cluster.yaml and run `hallmark benchmark lock {cluster.id}`"
    by_set: dict[str, list[Scenario]] = defaultdict(list)
    for where, scenario in scenarios.items():
        found = place(where)
        by_set[found.set if found is not None else ""].append(scenario)
    if lock.version != cluster.benchmark_version:
        text = f"locks version {lock.version}, cluster.yaml says {cluster.benchmark_version}"
        yield Finding(path, "version", text, f"run `hallmark benchmark lock {cluster.id}`")
    if SetName.HELDOUT not in lock.sets:
        yield Finding(path, "sets", "held-out is not frozen", f"run `hallmark benchmark lock {cluster.id}`")
    for name, frozen in lock.sets.items():
        if name not in set(SetName):
            yield Finding(path, f"sets.{name}", "there is no such set", f"use one of: {', '.join(SetName)}")
        elif len(by_set[name]) != frozen.scenarios:
            text = f"has {len(by_set[name])} scenarios, {frozen.scenarios} were frozen"
            yield Finding(path, f"sets.{name}.scenarios", text, fix)
        elif set_digest(by_set[name]) != frozen.sha256:
            yield Finding(path, f"sets.{name}.sha256", f"the frozen set {name} has changed", fix)


def _reviews(tree: Records, name: str) -> Iterator[Finding]:
    """Each review is about the list beside it. A list that cannot be read has been told of."""
    lists = tree.of(TriageFile, name)
    for path, review in tree.of(Review, name).items():
        beside = path.rpartition("/")[0] + ".yaml"
        if beside in lists or tree.lacks(beside):
            yield from (Finding(path, *found) for found in beside_findings(review, lists.get(beside)))
