"""What scenarios say of each other and of the files that they name, and whether it holds.

Goes by outlines and by frames, which are small and can be remembered, so that everything is checked each time at
little cost: another file's change breaks a scenario as surely as its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.terms import SetName
from runner.rules.canonical import digest
from runner.rules.evaluation.structured import named_in, read_object
from runner.rules.repository.outline import Outline
from runner.rules.repository.scenario_place import ScenarioPlace

DRAFT = "draft"


class Finding(NamedTuple):
    """One thing that does not hold: where, what, and the fix. The line follows from `path` and `field`."""

    path: str
    field: str
    problem: str
    hint: str


class Frozen(NamedTuple):
    """A set as benchmark.lock has it."""

    sha256: str
    scenarios: int


class Frame(NamedTuple):
    """What a cluster's other files ask of its scenarios."""

    capabilities: Sequence[str]
    """In the order of cluster.yaml, one that stands there twice included."""
    answer_field: str
    frozen: Mapping[str, Frozen]
    ruled: bool
    """Whether it has domain rules, which core is held against."""


class RubricUse(NamedTuple):
    """What a rubric may be used for."""

    status: str
    capabilities: Sequence[str]
    asks: bool = False
    """Whether its graders ask of a scenario's reference or tools what an outline does not say."""
    objects: bool = False
    """Whether they ask for a reference that is a JSON object."""


class Frames(NamedTuple):
    """What scenarios are held against. A cluster without a frame has no cluster.yaml, or one that is `broken`."""

    clusters: Mapping[str, Frame]
    rubrics: Mapping[str, RubricUse]
    strays: Mapping[str, str]
    """Clusters of which there are files and no cluster.yaml: the first file, empty where only its folder is known."""
    judged: bool
    """Whether a rubric, a lock or a file of its own names a judge."""
    broken: frozenset[str]
    """Clusters whose cluster.yaml is there and cannot be read."""

    def digested(self, where: ScenarioPlace) -> bool:
        """Whether a scenario's digest is asked for."""
        frame = self.clusters.get(where.cluster)
        return frame is not None and where.set in frame.frozen


Placed = Mapping[str, tuple[ScenarioPlace, Outline]]
"""One cluster's scenarios by path."""


def findings(outlines: Mapping[str, Outline], places: Mapping[str, ScenarioPlace], frames: Frames) -> Iterator[Finding]:
    """Every finding on the scenarios of a whole tree, by path; `places` says of each path what it names."""
    clusters: dict[str, dict[str, tuple[ScenarioPlace, Outline]]] = {}
    for path, one in sorted(outlines.items()):
        where = places[path]
        clusters.setdefault(where.cluster, {})[path] = (where, one)
        yield from of_itself(path, where, one)
    for cluster in sorted({*clusters, *frames.clusters, *frames.strays}):
        placed = clusters.get(cluster, {})
        frame = frames.clusters.get(cluster)
        if frame is not None:
            yield from _cluster(cluster, placed, frame, frames)
        elif cluster not in frames.broken:
            yield stray(cluster, frames.strays.get(cluster, "") or next(iter(placed), f"clusters/{cluster}"))


def stray(cluster: str, path: str) -> Finding:
    return Finding(path, "", f"there is no cluster {cluster}", f"write clusters/{cluster}/cluster.yaml")


def of_itself(path: str, where: ScenarioPlace, one: Outline) -> Iterator[Finding]:
    """A scenario's file is named by its id, and ends with what the model must answer."""
    if one.id != where.stem:
        hint = f"rename the file to {one.id}.yaml, or write `id: {where.stem}`"
        yield Finding(path, "id", f"{one.id} is not the file's name", hint)
    if one.last not in ("user", "tool"):
        problem = "the last message is neither the user's nor a tool's"
        hint = "end the input with what the model must answer"
        yield Finding(path, f"input[{one.turns - 1}].role", problem, hint)


def _cluster(cluster: str, placed: Placed, frame: Frame, frames: Frames) -> Iterator[Finding]:
    known = frozenset(frame.capabilities)
    for path, (where, one) in placed.items():
        yield from one_scenario(path, where, one, frame, frames.rubrics, known=known)
    yield from same_ids({path: one.id for path, (_, one) in placed.items()}, "scenario")
    yield from _same_texts(placed)
    yield from _untested(cluster, frame, {one.capability for _, one in placed.values()})
    yield from _changed(cluster, placed, frame)


def one_scenario(
    path: str,
    where: ScenarioPlace,
    one: Outline,
    frame: Frame,
    rubrics: Mapping[str, RubricUse],
    *,
    known: frozenset[str],
) -> Iterator[Finding]:
    """A scenario names a rubric that there is, and a capability that there is or, in the general set, one of its own.
    `known` are the frame's capabilities."""
    own = where.set != SetName.GENERAL
    if own and one.capability not in known:
        hint = f"capabilities of {where.cluster}: {', '.join(sorted(known)[:20])}"
        yield Finding(path, "capability", f"the capability {one.capability} is unknown", hint)
    if own and frame.answer_field and named_in(one.reference, frame.answer_field) not in known:
        hint = f'write a JSON object whose "{frame.answer_field}" names one'
        yield Finding(path, "reference", "the right answer names no capability", hint)
    rubric = rubrics.get(one.rubric)
    if rubric is None:
        others = ", ".join(sorted(rubrics)[:20]) or "none yet"
        hint = f"write rubrics/{one.rubric}.yaml, or name one of: {others}"
        yield Finding(path, "rubric", f"the rubric {one.rubric} is unknown", hint)
        return
    if rubric.objects and not frame.answer_field and read_object(one.reference) is None:
        problem = "the grader json-fields compares objects, and this is none"
        yield Finding(path, "reference", problem, "write a JSON object")
    if rubric.status == DRAFT and where.set in frame.frozen:
        hint = f"approve rubrics/{one.rubric}.yaml first, or keep the scenario out of {where.set}"
        yield Finding(path, "rubric", f"a frozen set is graded by the draft rubric {one.rubric}", hint)
    if rubric.capabilities and one.capability not in rubric.capabilities:
        hint = f"add {one.capability} to its capabilities, or use another rubric"
        yield Finding(path, "rubric", f"the rubric {one.rubric} is not for {one.capability}", hint)


def same_ids(ids: Mapping[str, str], noun: str) -> Iterator[Finding]:
    """Ids (by path) are unique, case aside: some file systems fold it."""
    first: dict[str, str] = {}
    for path, one in sorted(ids.items()):
        before = first.setdefault(one.casefold(), path)
        if before != path:
            yield Finding(path, "id", f"the {noun} {one} also stands in {before}", "give one of them another id")


def _same_texts(placed: Placed) -> Iterator[Finding]:
    """One text stands in one set only: what is trained or selected on must not be what is held out."""
    first: dict[str, str] = {}
    for path, (where, one) in placed.items():
        before = first.setdefault(one.text, path)
        there = placed[before][0].set
        if there != where.set:
            yield Finding(path, "input", f"the same text stands in {before}", f"keep it in {there} or in {where.set}")


def _untested(cluster: str, frame: Frame, tested: Iterable[str]) -> Iterator[Finding]:
    """Each capability is tested. One that stands there twice is told of once, as that."""
    seen = set(tested)
    for number, capability in enumerate(frame.capabilities):
        if capability not in seen:
            hint = f"write one below scenarios/{cluster}/, or remove the capability"
            path, field = f"clusters/{cluster}/cluster.yaml", f"capabilities[{number}].id"
            yield Finding(path, field, f"no scenario tests {capability}", hint)
        seen.add(capability)


def _changed(cluster: str, placed: Placed, frame: Frame) -> Iterator[Finding]:
    """Every frozen set is as it was locked."""
    fix = f"undo the change, or raise benchmark_version in cluster.yaml and run `hallmark benchmark lock {cluster}`"
    by_set: dict[str, list[list[str]]] = defaultdict(list)
    for where, one in placed.values():
        if where.set in frame.frozen:
            by_set[where.set].append([one.id, one.sha256])
    for set_, frozen in frame.frozen.items():
        path, rows = f"clusters/{cluster}/benchmark.lock", sorted(by_set[set_])
        if len(rows) != frozen.scenarios:
            text = f"has {len(rows)} scenarios, {frozen.scenarios} were frozen"
            yield Finding(path, f"sets.{set_}.scenarios", text, fix)
        elif digest(rows) != frozen.sha256:
            yield Finding(path, f"sets.{set_}.sha256", f"the frozen set {set_} has changed", fix)
