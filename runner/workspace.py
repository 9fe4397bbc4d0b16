"""One tree of reviewed files, loaded: what a cluster's people have agreed on, and the digest of every part of it.

Everything comes through a reader (a work tree or a commit) and a parser (strict YAML), so that this module touches no
file. A problem anywhere is a `RecordErrors` that lists every problem of the cluster's files, not the first.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from runner.errors import RecordError, RecordErrors
from runner.ports import Artifacts, Reader, RecordParser
from runner.ports_promotion import Keys
from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.evidence import EvidenceFile
from runner.records.fired import Begun, Fired
from runner.records.intake import Incumbent
from runner.records.judging import Calibration, JudgeFile
from runner.records.params import ClusterParams, Params
from runner.records.pointer import DataPointer
from runner.records.policy import Trust
from runner.records.promotion import PromotionRecord
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario, SetName
from runner.records.triage import Review, TriageFile
from runner.rules.canonical import digest, sha256
from runner.rules.judges.identity import benchmark_judges, judges_digest, judges_of
from runner.rules.judges.intake import Bench
from runner.rules.repository.benchmark import set_digests
from runner.rules.repository.layout import PARAMS, place
from runner.rules.trust import stages

R = TypeVar("R", bound=Record)
POLICY = ("policy/allowed_signers", "policy/revoked", "policy/trust.yaml")

BASE_ALONE = Incumbent(sequence=0)
BEGUN = "clusters/{}/run/triggers.yaml"
"""Where a run branch says what began its iteration."""
NO_KEYS = Keys(b"", b"")


@dataclass(frozen=True)
class Workspace:
    """One cluster's reviewed files.

    `rubrics` are those that its scenarios name, and those written for one of its capabilities. `digests` has:
    `cluster`, `problem`, `rubrics`, `params`, `policy`, `scenarios/<set>` for each set (for `general` and `reserve`,
    where there is one), `data/<name>` for each pointer under `data/` (the sha256 of the bytes), and `judges` where
    there are any. `scenarios` has every set, sorted by id.
    """

    cluster: Cluster
    problem: Problem
    lock: BenchmarkLock | None
    scenarios: Mapping[SetName, tuple[Scenario, ...]]
    rubrics: Mapping[str, Rubric]
    triage: Mapping[str, TriageFile]
    params: ClusterParams
    digests: Mapping[str, str]
    incumbent: Incumbent = BASE_ALONE
    promoted: Mapping[int, bytes] = field(default_factory=dict)
    """The `sweep.json` of each promotion's evidence, by sequence: what no later pool may lose."""
    reviews: Mapping[str, tuple[Review, ...]] = field(default_factory=dict)
    """What each person decided, by iteration."""
    signatures: Mapping[str, bytes] = field(default_factory=dict)
    """Every file below `triage/<iteration>/` by path: reviews as they stand, and their envelopes."""
    trust: Trust | None = None
    """None where there is no policy, or none that can be read."""
    keys: Keys = NO_KEYS
    """The policy's."""
    judges: Mapping[str, JudgeFile] = field(default_factory=dict)
    """Those that `rubrics` name and that there are, by id."""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    """Of these judges, on this cluster's labels."""
    triggers: tuple[Fired, ...] = ()
    """Of a run branch: what its iteration was queued for, where it was no change of main."""

    @property
    def graded_by(self) -> Mapping[SetName, frozenset[str]]:
        """The rubrics that each set's scenarios name."""
        return {name: frozenset(one.rubric for one in found) for name, found in self.scenarios.items()}

    @property
    def bench(self) -> Bench:
        """What the judges are held against."""
        return Bench(self.cluster, self.graded_by, self.rubrics, self.judges, self.calibrations)

    @property
    def benchmark_judges(self) -> Mapping[str, str]:
        """The judges that the benchmark pins, by digest."""
        return benchmark_judges(self.bench.named, self.judges)


@dataclass(frozen=True)
class Inputs:
    """What a phase may read: the reviewed files, and the artifacts of the phases before it."""

    workspace: Workspace
    artifacts: Artifacts


def clusters(reader: Reader) -> tuple[str, ...]:
    """The clusters of a tree, sorted: every `clusters/<cluster>/cluster.yaml`."""
    found = (place(path) for path in reader.paths("clusters/"))
    return tuple(sorted(f.cluster for f in found if f is not None and f.kind is Cluster))


def unknown(reader: Reader, cluster: str) -> RecordError:
    """That there is no such cluster, and which there are."""
    known = ", ".join(clusters(reader)) or "none yet; see `hallmark import labelled --help`"
    return RecordError(f"there is no cluster {cluster}", path=reader.name, hint=f"clusters: {known}")


def load(reader: Reader, cluster: str, *, parse: RecordParser) -> Workspace:
    """The cluster's reviewed files. Raises `RecordErrors` with every problem of them."""
    home = f"clusters/{cluster}/"
    if home + "cluster.yaml" not in reader.paths(home):
        raise RecordErrors([unknown(reader, cluster)])
    tray = Tray(reader, parse)
    record = tray.one(home + "cluster.yaml", Cluster)
    problem = tray.one(home + "problem.md", Problem)
    lock = tray.one(home + "benchmark.lock", BenchmarkLock) if reader.paths(home + "benchmark.lock") else None
    scenarios = {name: _by_id(tray.all(f"scenarios/{cluster}/{name}/", Scenario).values()) for name in SetName}
    every_rubric = tray.all("rubrics/", Rubric)
    triage = {_stem(path): file for path, file in tray.all(home + "triage/", TriageFile).items()}
    reviews = _by_iteration(tray.all(home + "triage/", Review))
    pointers = {_stem(path): pointer for path, pointer in tray.all(home + "data/", DataPointer).items()}
    promotions = tray.all(home + "promotions/", PromotionRecord)
    promoted = _sweeps(reader, home)
    begun = tray.there(BEGUN.format(cluster), Begun)
    params = tray.one(PARAMS, Params)
    if params is not None and cluster not in params.clusters:
        hint = f"add `{cluster}: {{}}` below `clusters:` for the defaults"
        tray.errors.append(RecordError("is missing", path=PARAMS, field=f"clusters.{cluster}", hint=hint))
    if record is None or problem is None or params is None or tray.errors:
        raise RecordErrors(tray.errors)
    named = {scenario.rubric for found in scenarios.values() for scenario in found}
    rubrics = relevant_rubrics(record, named, every_rubric.values())
    judges, calibrations = _judges(tray, cluster, rubrics.values())
    policy = {path: reader.read(path) for path in POLICY if reader.paths(path)}
    digests = {
        "cluster": digest(record),
        "problem": digest(problem),
        "rubrics": digest([[name, digest(rubrics[name])] for name in sorted(rubrics)]),
        "params": digest(params.clusters[cluster]),
        "policy": digest([[path, sha256(data)] for path, data in policy.items()]),
        **set_digests(scenarios),
        **{f"data/{name}": pointer.meta.sha256 for name, pointer in pointers.items()},
        **({"promoted": digest([[n, sha256(data)] for n, data in promoted.items()])} if promoted else {}),
        **({"judges": judges_digest(judges, calibrations)} if judges else {}),
    }
    return Workspace(
        cluster=record,
        problem=problem,
        lock=lock,
        scenarios=scenarios,
        rubrics=rubrics,
        triage=triage,
        params=params.clusters[cluster],
        digests=digests,
        incumbent=_incumbent(promotions.values()),
        promoted=promoted,
        reviews=reviews,
        signatures={path: reader.read(path) for path in reader.paths(home + "triage/") if path.count("/") > 3},
        trust=tray.quietly(POLICY[2], Trust) if POLICY[2] in policy else None,
        keys=Keys(policy.get(POLICY[0], b""), policy.get(POLICY[1], b"")),
        judges=judges,
        calibrations=calibrations,
        triggers=begun.triggers if begun is not None else (),
    )


def _judges(
    tray: Tray, cluster: str, rubrics: Iterable[Rubric]
) -> tuple[Mapping[str, JudgeFile], Mapping[str, Calibration]]:
    """The judges that `rubrics` name, and their calibrations. Of one that is not there, `check` and intake tell."""
    home = "rubrics/judges/"
    named = judges_of(rubrics)
    found = {name: tray.there(f"{home}{name}.yaml", JudgeFile) for name in named}
    beside = {name: tray.there(f"{home}{name}/{cluster}.calibration.yaml", Calibration) for name in named}
    if tray.errors:
        raise RecordErrors(tray.errors)
    return (
        {name: judge for name, judge in found.items() if judge is not None},
        {name: calibration for name, calibration in beside.items() if calibration is not None},
    )


def relevant_rubrics(cluster: Cluster, named: Container[str], rubrics: Iterable[Rubric]) -> Mapping[str, Rubric]:
    """The rubrics that scenarios name and those written for one of the cluster's capabilities, by id, sorted."""
    own = {capability.id for capability in cluster.capabilities}
    return {r.id: r for r in sorted(rubrics, key=lambda r: r.id) if r.id in named or own & set(r.capabilities)}


class Tray:
    """Takes records out of a tree and keeps every problem on the way."""

    def __init__(self, reader: Reader, parse: RecordParser) -> None:
        self._reader = reader
        self._parse = parse
        self.errors: list[RecordError] = []

    @property
    def broken(self) -> frozenset[str]:
        """The files whose problems were kept."""
        return frozenset(error.path for error in self.errors)

    def these(self, paths: Iterable[str]) -> dict[str, Record]:
        """The records among `paths`, by path."""
        found = {}
        for path in paths:
            what = place(path)
            if what is not None and (record := self.one(path, what.kind)) is not None:
                found[path] = record
        return found

    def quietly(self, path: str, kind: type[R]) -> R | None:
        """The record at `path`, or None; its problems are not kept."""
        try:
            return self._parse(self._reader.read(path), kind, path=path)
        except RecordError:
            return None

    def one(self, path: str, kind: type[R]) -> R | None:
        """The record at `path`, or None with its problems kept."""
        try:
            return self._parse(self._reader.read(path), kind, path=path)
        except RecordErrors as problems:
            self.errors.extend(problems.errors)
        except RecordError as problem:
            self.errors.append(problem)
        return None

    def there(self, path: str, kind: type[R]) -> R | None:
        """The record at `path`; None where there is no file, or with its problems kept."""
        return self.one(path, kind) if path in self._reader.paths(path) else None

    def all(self, prefix: str, kind: type[R]) -> dict[str, R]:
        """Every record of `kind` below `prefix`, by path."""
        found = {}
        for path in self._reader.paths(prefix):
            what = place(path)
            if what is not None and what.kind is kind and (record := self.one(path, kind)) is not None:
                found[path] = record
        return found


def _incumbent(records: Iterable[PromotionRecord]) -> Incumbent:
    """What serves now: the adapter in production (after a rollback, the one that came back)."""
    return stages.incumbent({record.sequence: record for record in records})


def _by_id(scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    return tuple(sorted(scenarios, key=lambda scenario: scenario.id))


def _sweeps(reader: Reader, home: str) -> dict[int, bytes]:
    """By sequence, in its order. A move between stages has none."""
    found = {}
    for path in reader.paths(f"{home}promotions/"):
        sequence, _, file = path.removeprefix(f"{home}promotions/").partition("/")
        if sequence.isdigit() and file == f"evidence/{EvidenceFile.SWEEP}":
            found[int(sequence)] = reader.read(path)
    return dict(sorted(found.items()))


def _by_iteration(reviews: Mapping[str, Review]) -> Mapping[str, tuple[Review, ...]]:
    """Reviews by the iteration that their path names, each in the order of the people's names."""
    found: dict[str, list[Review]] = {}
    for path, review in sorted(reviews.items()):
        found.setdefault(path.split("/")[3], []).append(review)
    return {name: tuple(of) for name, of in found.items()}


def _stem(path: str) -> str:
    found = place(path)
    return found.stem if found is not None else ""
