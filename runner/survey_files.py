"""The part of a survey that needs the records of every kind of file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from runner.errors import RecordError
from runner.ports import FieldLocator, Reader, RecordParser
from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster
from runner.records.evidence import EvidenceFile
from runner.records.handoff import Handoff
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.records.triage import TriageFile
from runner.records.triggers import trigger_name
from runner.rules.handoff.references import Named, dangling, references
from runner.rules.repository import crossref
from runner.rules.repository.crossref_judges import judge_findings
from runner.rules.repository.evidence_files import batches
from runner.rules.repository.governed import RUBRICS
from runner.rules.repository.layout import PLACES, misplaced, place
from runner.survey import Memory, Naming, Others, Row, Survey, Tree, Uses, row, sorted_
from runner.survey import survey as surveyed
from runner.workspace import Tray

_NAMES = "a name is of lower-case letters, digits and single hyphens, at most 64 characters"
_SHAPES = f"governed files: {', '.join(candidate.shape for candidate in PLACES)}"


class ReviewedFiles:
    """`survey.Records` of a tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def others(self, paths: Sequence[str]) -> Others:
        tray = self._tray()
        records = tray.these(paths)
        found = sorted(crossref.beside(records, broken=tray.broken))
        handoffs = [path for path, one in records.items() if isinstance(one, Handoff)]
        texts = {path: self._tree.reader.read(path).decode(errors="replace") for path in handoffs}
        problems = [*tray.errors, *map(self._tree.located, found), *_misplaced(paths)]
        problems += [one for path, text in texts.items() for one in self._dangling(path, text, records, paths)]
        frames = crossref.frames(records, broken=tray.broken)
        named = tuple(one for path, text in texts.items() for one in _named(path, text))
        return Others(sum(place(path) is not None for path in paths), tuple(map(row, problems)), frames, named)

    def _dangling(
        self, path: str, text: str, records: Mapping[str, Record], paths: Sequence[str]
    ) -> Iterator[RecordError]:
        """What a hand-off names, scenarios apart, and is gone. Of a file that cannot be read nothing is said."""
        home = path.removesuffix("handoff.md")
        cluster = records.get(f"{home}cluster.yaml")
        known: dict[Named, Collection[str]] = {
            Named.RUBRIC: {one.id for one in records.values() if isinstance(one, Rubric)},
            Named.PROMOTION: {one.split("/")[3] for one in paths if one.startswith(f"{home}promotions/")},
        }
        if isinstance(cluster, Cluster):
            known[Named.CAPABILITY] = {one.id for one in cluster.capabilities}
            known[Named.TRIGGER] = {trigger_name(one) for one in cluster.triggers}
        if any(one.kind is Named.BATCH for one in references(text)):
            known[Named.BATCH] = self._batches(home, records, paths)
        for found, problem, hint in dangling(text, known):
            yield RecordError(problem, path=path, line=found.line, hint=hint)

    def _batches(self, home: str, records: Mapping[str, Record], paths: Sequence[str]) -> set[str]:
        """The batches that a promotion of the cluster, or a list of candidates, came from."""
        lists = [one for path, one in records.items() if path.startswith(home) and isinstance(one, TriageFile)]
        found = {decision.batch for one in lists for decision in one.decisions}
        for path in paths:
            if path.startswith(f"{home}promotions/") and path.endswith(f"/{EvidenceFile.PROVENANCE}"):
                with suppress(RecordError):  # the gate reads evidence; here it only says what there is
                    found |= {one.id for one in batches({EvidenceFile.PROVENANCE: self._tree.reader.read(path)})}
        return found

    def against_rules(self, cluster: str, core: Sequence[str]) -> list[Row]:
        tray = self._tray()
        record = tray.one(f"clusters/{cluster}/cluster.yaml", Cluster)
        scenarios = {path: one for path, one in tray.these(core).items() if isinstance(one, Scenario)}
        found = crossref.against_rules(cluster, record, scenarios) if record is not None else ()
        return [row(self._tree.located(one)) for one in found]

    def against_rubric(self, rubric: str, scenarios: Sequence[str]) -> list[Row]:
        tray = self._tray()
        rubrics = tray.these([path for path in self._tree.reader.paths(RUBRICS) if place(path) is not None])
        named = {path: one for path, one in tray.these(scenarios).items() if isinstance(one, Scenario)}
        asking = (one for one in rubrics.values() if isinstance(one, Rubric) and one.id == rubric)
        return [row(self._tree.located(found)) for one in asking for found in crossref.against_rubric(one, named)]

    def judges(self, paths: Sequence[str], cluster: str, graded_by: Uses, labelled: Uses) -> list[Row]:
        found = judge_findings(self._tray().these(paths), cluster, graded_by, labelled)
        return [row(self._tree.located(one)) for one in sorted(found)]

    def alone(self, governed: Sequence[str], paths: Sequence[str]) -> Survey | None:
        wanted = set(paths)
        given = [path for path in governed if path in wanted]
        tray, beside = self._tray(), self._tray()
        if not all(_alone(path, beside) for path in given):
            return None
        records = tray.these(given)
        touched = {found.cluster for path in given if (found := place(path)) is not None}
        named = {f"clusters/{name}/cluster.yaml" for name in touched}
        context = beside.these([path for path in governed if path in named or path.startswith("rubrics/")])
        findings = crossref.few(records, context, governed, broken=beside.broken)
        problems = [*_unknown(governed, wanted), *tray.errors, *map(self._tree.located, findings)]
        return Survey(files=len(given), problems=sorted_(problems))

    def among(
        self, problems: Iterable[RecordError], governed: Sequence[str], paths: Sequence[str]
    ) -> tuple[int, list[RecordError]]:
        wanted = set(paths)
        places = [found for path in governed if path in wanted and (found := place(path)) is not None]
        sets = {(found.cluster, found.set) for found in places if found.set}
        kept = [one for one in problems if one.path in wanted or _about(one, sets) or _about_judge(one, wanted)]
        return len(places), [*_unknown(governed, wanted), *kept]

    def _tray(self) -> Tray:
        return Tray(self._tree.reader, self._tree.parse)


def survey(
    reader: Reader,
    *,
    parse: RecordParser,
    locate: FieldLocator,
    paths: Sequence[str] = (),
    memory: Memory | None = None,
) -> Survey:
    """`survey.survey` of a reader's tree."""
    tree = Tree(reader, parse, locate)
    return surveyed(tree, records=lambda: ReviewedFiles(tree), paths=paths, memory=memory)


def _about(problem: RecordError, sets: set[tuple[str, str]]) -> bool:
    """Whether a problem is about one of the frozen sets that the given files stand in."""
    home, _, name = problem.path.rpartition("/")
    parts = problem.field.split(".")
    return name == "benchmark.lock" and len(parts) > 1 and (home.rpartition("/")[2], parts[1]) in sets


def _about_judge(problem: RecordError, wanted: set[str]) -> bool:
    """Whether a problem is about one of the given judges, as a lock has it."""
    what, _, judge = problem.field.partition(".")
    return what == "judges" and f"rubrics/judges/{judge}.yaml" in wanted


def _named(path: str, text: str) -> Iterator[Naming]:
    """The scenarios that a hand-off names."""
    cluster = path.split("/")[1]
    return (Naming(path, one.line, cluster, one.name) for one in references(text) if one.kind is Named.SCENARIO)


def _unknown(governed: Sequence[str], wanted: set[str]) -> list[RecordError]:
    return [RecordError("is no governed file", path=path, hint=_SHAPES) for path in sorted(wanted.difference(governed))]


def _misplaced(paths: Iterable[str]) -> list[RecordError]:
    return [
        RecordError("stands where no record is looked for", path=path, hint=f"move it to {shape}; {_NAMES}")
        for path in paths
        if (shape := misplaced(path))
    ]


def _alone(path: str, tray: Tray) -> bool:
    """Whether the file is a scenario of a set that its cluster's lock does not freeze."""
    found = place(path)
    if found is None or found.kind is not Scenario:
        return False
    lock = tray.quietly(f"clusters/{found.cluster}/benchmark.lock", BenchmarkLock)
    return lock is None or found.set not in lock.sets
