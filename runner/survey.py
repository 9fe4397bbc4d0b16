"""What `check` finds in a tree of reviewed files: every problem of every file, and of what they say of each other.

Scenarios are many and the other files few. Of a scenario its outline is enough, and what the others come to follows
from their bytes; so both may be remembered (`Memory`), and only what changed is read again. What files say of each
other is looked at over everything each time. Records load only where one must be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runner.errors import RecordError, RecordErrors
from runner.rules.canonical import digest
from runner.rules.repository.crossref_scenarios import Finding, Frame, Frames, Frozen, RubricUse, findings
from runner.rules.repository.governed import GOVERNED, RUBRICS
from runner.rules.repository.outline import Outline
from runner.rules.repository.scenario_place import ScenarioPlace, scenario_place

if TYPE_CHECKING:
    from runner.ports import FieldLocator, Reader, RecordParser

CORE = "core"
DVC_CONFIG = ".dvc/config"
LABELLED = ("core", "dev")
"""The sets whose scenarios people may read, and so label."""
Uses = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Survey:
    """How many files were read, and every problem, sorted by path and line."""

    files: int
    problems: tuple[RecordError, ...]


class Row(NamedTuple):
    """A problem as JSON has it. An empty path is that of the file it was found in."""

    problem: str
    line: int | None
    field: str
    hint: str
    path: str = ""

    def error(self, path: str) -> RecordError:
        return RecordError(self.problem, path=self.path or path, line=self.line, field=self.field, hint=self.hint)


class Said(NamedTuple):
    """A scenario file: its outline, or what is wrong with it."""

    outline: Outline | None
    problems: tuple[Row, ...] = ()


Read = Callable[[str], Said]
"""Reads the scenario at a path."""
Scenarios = tuple[dict[str, Outline], dict[str, Sequence[Row]]]
"""Outlines by path, and by path what is wrong with those files that have none."""


class Memory(Protocol):
    """What was found before, by the bytes of files. It may forget anything; it remembers nothing that is not so."""

    def scenarios(self, paths: Sequence[str], read: Read, *, digested: Callable[[str], bool]) -> Scenarios:
        """What each scenario file says; `digested` says of which the outline needs its digest."""

    def recall(self, what: str, paths: Sequence[str], make: Callable[[], Any]) -> Any:
        """What `make` gives (JSON), or gave while the files at `paths` were the same and held the same bytes."""


class NoMemory:
    """Everything is read."""

    def scenarios(self, paths: Sequence[str], read: Read, *, digested: Callable[[str], bool]) -> Scenarios:
        said = {path: read(path) for path in paths}
        outlines = {path: one.outline for path, one in said.items() if one.outline is not None}
        return outlines, {path: one.problems for path, one in said.items() if one.problems}

    def recall(self, what: str, paths: Sequence[str], make: Callable[[], Any]) -> Any:
        return make()


@dataclass(frozen=True)
class Tree:
    """The files that are surveyed, and how they are read."""

    reader: Reader
    parse: RecordParser
    locate: FieldLocator

    def located(self, finding: Finding) -> RecordError:
        """The finding with the line of its field."""
        try:
            line = self.locate(self.reader.read(finding.path), finding.field, path=finding.path)
        except RecordError:  # a folder, or a file that is not there: the finding says so
            line = None
        return RecordError(finding.problem, path=finding.path, line=line, field=finding.field, hint=finding.hint)

    def said(self, path: str, *, digested: Callable[[str], bool]) -> Said:
        """What the scenario at `path` says, read now."""
        from runner.records.scenario import Scenario
        from runner.rules.repository.outline import outline

        try:
            scenario = self.parse(self.reader.read(path), Scenario, path=path)
        except RecordErrors as problems:
            return Said(None, tuple(row(one, path) for one in problems.errors))
        except RecordError as problem:
            return Said(None, (row(problem, path),))
        return Said(outline(scenario, frozen=digested(path)))


def row(error: RecordError, path: str = "") -> Row:
    """The error as JSON has it; its path is left out where it is `path`."""
    return Row(error.problem, error.line, error.field, error.hint, "" if error.path == path else error.path)


class Naming(NamedTuple):
    """A hand-off that names a scenario of its cluster, by the line where it does."""

    path: str
    line: int
    cluster: str
    scenario: str


class Others(NamedTuple):
    """The governed files that are no scenarios: how many are records, their problems, what they ask of scenarios."""

    files: int
    problems: tuple[Row, ...]
    frames: Frames
    named: tuple[Naming, ...] = ()


class Records(Protocol):
    """What takes the records of every kind of file."""

    def others(self, paths: Sequence[str]) -> Others:
        """What the governed files at `paths`, no scenarios among them, say of themselves and of each other."""

    def against_rules(self, cluster: str, core: Sequence[str]) -> list[Row]:
        """What core's scenarios, at the paths `core`, make of the cluster's domain rules."""

    def against_rubric(self, rubric: str, scenarios: Sequence[str]) -> list[Row]:
        """What the graders of the rubric with this id find wrong with the scenarios at these paths, which name it."""

    def judges(self, paths: Sequence[str], cluster: str, graded_by: Uses, labelled: Uses) -> list[Row]:
        """What the files at `paths`, no scenarios, say of the cluster's judges. `graded_by` has each set with the
        rubrics that its scenarios name, `labelled` each scenario of core and dev with its rubric."""

    def alone(self, governed: Sequence[str], paths: Sequence[str]) -> Survey | None:
        """The survey of `paths` where each is a scenario of a set that no lock freezes; None where one is not."""

    def among(
        self, problems: Iterable[RecordError], governed: Sequence[str], paths: Sequence[str]
    ) -> tuple[int, list[RecordError]]:
        """How many of `paths` are records, and of a whole tree's problems those about them."""


def survey(
    tree: Tree, *, records: Callable[[], Records], paths: Sequence[str] = (), memory: Memory | None = None
) -> Survey:
    """Check every governed file of a tree, or those in `paths`, cross-references included.

    A few scenarios outside the frozen sets are checked against their cluster's files alone, which takes no longer
    in a large repository; anything else is checked with everything that names it. `records` is asked only where the
    memory has no answer, or where `paths` are given.
    """
    governed = [path for top in GOVERNED for path in tree.reader.paths(top)]
    found = records().alone(governed, paths) if paths else None
    if found is not None:
        return found
    files, problems = _everything(tree, governed, records, memory or NoMemory())
    if paths:
        files, problems = records().among(problems, governed, paths)
    return Survey(files=files, problems=sorted_(problems))


def _everything(
    tree: Tree, governed: Sequence[str], records: Callable[[], Records], memory: Memory
) -> tuple[int, list[RecordError]]:
    """How many records the tree has, and every problem of it."""
    places = {path: where for path in governed if (where := scenario_place(path)) is not None}
    rest = [path for path in governed if path not in places]
    others = _from_json(memory.recall("others", rest, lambda: _as_json(records().others(rest))))
    frames = others.frames

    def digested(path: str) -> bool:
        return frames.digested(places[path])

    read = partial(tree.said, digested=digested)
    outlines, wrong = memory.scenarios(list(places), read, digested=digested)
    problems = [row.error("") for row in others.problems]
    problems += [row.error(path) for path, rows in wrong.items() for row in rows]
    problems += [tree.located(one) for one in sorted(findings(outlines, places, frames))]
    for cluster in (name for name, frame in frames.clusters.items() if frame.ruled):
        core = [path for path, where in places.items() if (where.cluster, where.set) == (cluster, CORE)]
        asked = partial(records().against_rules, cluster, core)
        found = memory.recall(f"rules/{cluster}", [f"clusters/{cluster}/cluster.yaml", *core], asked)
        problems += [Row(*one).error("") for one in found]
    for rubric in (name for name, use in frames.rubrics.items() if use.asks):
        named = [path for path, one in outlines.items() if one.rubric == rubric]
        asked = partial(_against_rubric, records, rubric, named)
        found = memory.recall(f"rubric/{rubric}", [path for path in rest if path.startswith(RUBRICS)] + named, asked)
        problems += [Row(*one).error("") for one in found]
    if frames.judged:
        problems += _of_judges(outlines, places, rest, frames, records, memory)
    if others.named:
        problems += _unnamed(others.named, places.values())
    return others.files + len(places), [*problems, *_of_data_remotes(tree.reader)]


def _of_data_remotes(reader: Reader) -> Iterator[RecordError]:
    """What `.dvc/config` shows to everybody who clones, and would have DVC run."""
    try:
        data = reader.read(DVC_CONFIG)
    except RecordError:
        return  # there is none, and so no remote
    from runner.rules.repository.dvc_config import ELSEWHERE, exposed  # some milliseconds, for those who have data

    for one in exposed(data):
        yield RecordError(one.problem, path=DVC_CONFIG, line=one.line, field=one.field, hint=ELSEWHERE)


def _of_judges(
    outlines: Mapping[str, Outline],
    places: Mapping[str, ScenarioPlace],
    rest: Sequence[str],
    frames: Frames,
    records: Callable[[], Records],
    memory: Memory,
) -> Iterator[RecordError]:
    """What the judges' files and the clusters say of each other, which depends on the rubrics that scenarios name."""
    for cluster in frames.clusters:
        own = [(places[path].set, one) for path, one in outlines.items() if places[path].cluster == cluster]
        graded_by = sorted({(name, one.rubric) for name, one in own})
        labelled = sorted((one.id, one.rubric) for name, one in own if name in LABELLED)
        asked = partial(_judges_say, records, rest, cluster, graded_by, labelled)
        of = digest([graded_by, labelled])
        yield from (Row(*one).error("") for one in memory.recall(f"judges/{cluster}/{of}", rest, asked))


def _unnamed(named: Sequence[Naming], places: Iterable[ScenarioPlace]) -> Iterator[RecordError]:
    """What hand-offs name, and is no scenario any more."""
    from runner.rules.handoff.references import Named, Reference, gone

    there: dict[str, set[str]] = {}
    for where in places:
        there.setdefault(where.cluster, set()).add(where.stem)
    for one in named:
        problem, hint = gone(Reference(one.line, Named.SCENARIO, one.scenario), there.get(one.cluster, set()))
        if problem:
            yield RecordError(problem, path=one.path, line=one.line, hint=hint)


def _judges_say(
    records: Callable[[], Records], rest: Sequence[str], cluster: str, graded_by: Uses, labelled: Uses
) -> list[Row]:
    return records().judges(rest, cluster, graded_by, labelled)


def _against_rubric(records: Callable[[], Records], rubric: str, named: Sequence[str]) -> list[Row]:
    return records().against_rubric(rubric, named)


def sorted_(problems: Iterable[RecordError]) -> tuple[RecordError, ...]:
    """By path, line and field."""
    return tuple(sorted(problems, key=lambda one: (one.path, one.line or 0, one.field)))


def _as_json(found: Others) -> Any:
    frames = found.frames
    return [found.files, found.problems, [*frames[:-1], sorted(frames.broken)], found.named]


def _from_json(found: Any) -> Others:
    """What `_as_json` made, written as JSON and read again or not."""
    files, problems, (clusters, rubrics, strays, judged, broken), named = found
    frames = Frames(
        {
            name: Frame(known, field, {one: Frozen(*frozen) for one, frozen in sets.items()}, ruled)
            for name, (known, field, sets, ruled) in clusters.items()
        },
        {name: RubricUse(*use) for name, use in rubrics.items()},
        strays,
        judged,
        frozenset(broken),
    )
    return Others(files, tuple(Row(*one) for one in problems), frames, tuple(Naming(*one) for one in named))
