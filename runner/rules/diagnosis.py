"""Diagnosis: failures of core and of production, grouped so that each group has one thing to fix.

What it sees is in its signature: core scenarios, the incumbent's grades on them, unique failed signals, rubrics. The
other sets cannot be passed in.

Groups. A failure's key is its capability and the answer given instead. A key with at least `COMMON` failures, and at
least a fifth of its capability's, is a failure cluster; what is left of a capability has no common confusion and
forms one cluster. Signals that no person answered, or whose answer is no capability's, form `unassigned`.

Targets. A covered cluster is a target where its capability is weak: it scores below `target_below` on core, or at
least `target_failures` of its failures were counted in production. What is aimed at takes room from what is not, and
every capability fails now and then. Ordered by severity, then frequency times headroom, then id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.records.cluster import Cluster
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.params import DiagnoseKnobs
from runner.records.rubric import Normalisation, Rubric, RubricStatus
from runner.records.scenario import Scenario, Severity
from runner.records.score import Grade
from runner.records.trace import UniqueSignal
from runner.rules.grading import common_normalisation, criterion_slug, normalise, shorten
from runner.rules.naming import content_id, slug
from runner.rules.scoring import capability_weights, composite

COMMON = 2
COMMON_SHARE = 0.2
UNASSIGNED = "unassigned"
SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)


@dataclass(frozen=True)
class Failure:
    """One core scenario that failed, or one unique signal with its count."""

    capability: str
    instead: str
    missed: tuple[str, ...]
    weight: int
    scenario: Scenario | None = None
    signal: str = ""


@dataclass(frozen=True)
class Answerbook:
    """Which capability an answer belongs to, and how it is written: learnt from core's references alone."""

    capabilities: Mapping[str, str]
    """Normalised answer to capability."""
    written: Mapping[str, str]
    """Normalised answer to the answer as core writes it."""
    normalisation: tuple[Normalisation, ...]
    known: frozenset[str]

    def capability(self, answer: str) -> str:
        """The capability whose right answer this is; else the one its slug names; else `unassigned`."""
        found = self.capabilities.get(normalise(answer, self.normalisation), slug(answer))
        return found if found in self.known else UNASSIGNED

    def labels(self) -> dict[str, str]:
        """Capability to its right answer; the first in order where it has several."""
        found: dict[str, str] = {}
        for key, capability in sorted(self.capabilities.items()):
            if capability != UNASSIGNED:
                found.setdefault(capability, self.written[key])
        return found

    def canonical(self, answer: str) -> str:
        """The answer as core writes it, or stripped where core does not know it."""
        return self.written.get(normalise(answer, self.normalisation), answer.strip())


def answerbook(cluster: Cluster, core: Sequence[Scenario], rubrics: Mapping[str, Rubric]) -> Answerbook:
    """Built from core. An answer belongs to the capability it names, else to the one that most scenarios with this
    reference have (a guard scenario may ask for another capability's answer), else to none."""
    steps = common_normalisation(core, rubrics)
    known = frozenset(capability.id for capability in cluster.capabilities)
    owners: dict[str, Counter[str]] = defaultdict(Counter)
    written: dict[str, str] = {}
    for scenario in sorted(core, key=lambda one: one.id):
        key = normalise(scenario.reference, steps)
        owners[key][scenario.capability] += 1
        written.setdefault(key, scenario.reference)
    capabilities = {key: _owner(slug(written[key]), counts, known) for key, counts in owners.items()}
    return Answerbook(capabilities, written, steps, known)


def _owner(named: str, counts: Counter[str], known: frozenset[str]) -> str:
    if named in known:
        return named
    (first, most), *rest = counts.most_common(2)
    return UNASSIGNED if rest and rest[0][1] == most else first


def diagnose(
    cluster: Cluster,
    *,
    core: Sequence[Scenario],
    grades: Sequence[Grade],
    signals: Iterable[UniqueSignal],
    rubrics: Mapping[str, Rubric],
    knobs: DiagnoseKnobs,
) -> Diagnosis:
    """Failure clusters, targets, and what was left out with the reason. See the module for the rules."""
    book = answerbook(cluster, core, rubrics)
    _, scores = composite(((one.capability, one.score) for one in grades), capability_weights(cluster))
    failures = [*_of_core(core, grades, book), *_of_production(signals, book)]
    clusters = [
        _cluster(capability, instead, group, core=core, scores=scores, rubrics=rubrics)
        for (capability, instead), group in sorted(_groups(failures).items())
    ]
    clusters.sort(key=_urgency)
    seen = Counter[str]()
    for one in clusters:
        seen[one.capability] += one.frequency - len(one.scenarios)
    weak = {name for name, score in scores.items() if score < knobs.target_below}
    weak |= {name for name, count in seen.items() if count >= knobs.target_failures}
    left_out = {one.id: why for one in clusters if (why := _left_out(one, weak))}
    return Diagnosis(
        failures=tuple(clusters),
        targets=tuple(one.id for one in clusters if one.id not in left_out),
        uncovered=tuple(one.id for one in clusters if not one.covered and one.capability != UNASSIGNED),
        left_out=left_out,
    )


def covers(rubrics: Iterable[Rubric], capability: str) -> bool:
    """Whether an approved rubric covers the capability."""
    return any(
        rubric.status is RubricStatus.APPROVED and (not rubric.capabilities or capability in rubric.capabilities)
        for rubric in rubrics
    )


def _of_core(core: Sequence[Scenario], grades: Sequence[Grade], book: Answerbook) -> list[Failure]:
    scenarios = {scenario.id: scenario for scenario in core}
    return [
        Failure(one.capability, book.canonical(one.answer), one.missed, 1, scenario=scenarios[one.scenario])
        for one in grades
        if not one.passed
    ]


def _of_production(signals: Iterable[UniqueSignal], book: Answerbook) -> list[Failure]:
    found = []
    for one in signals:
        if one.signal.failed:
            right = one.signal.trace.feedback.correct_answer
            capability = book.capability(right) if right else UNASSIGNED
            instead = book.canonical(one.signal.trace.response)
            found.append(Failure(capability, instead, (), one.count, signal=one.signal.id))
    return found


def _groups(failures: Iterable[Failure]) -> dict[tuple[str, str], list[Failure]]:
    by_key: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    totals: Counter[str] = Counter()
    for one in failures:
        by_key[one.capability, "" if one.capability == UNASSIGNED else one.instead].append(one)
        totals[one.capability] += one.weight
    merged: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    for (capability, instead), group in sorted(by_key.items()):
        size = sum(one.weight for one in group)
        common = size >= COMMON and size >= COMMON_SHARE * totals[capability]
        merged[capability, instead if common else ""].extend(group)
    return merged


def _cluster(
    capability: str,
    instead: str,
    group: Sequence[Failure],
    *,
    core: Sequence[Scenario],
    scores: Mapping[str, float],
    rubrics: Mapping[str, Rubric],
) -> FailureCluster:
    scenarios = [one.scenario for one in group if one.scenario]
    peers = scenarios or [scenario for scenario in core if scenario.capability == capability]
    missed = {name for one in group for name in one.missed} or {
        criterion_slug(rubrics[scenario.rubric], criterion)
        for scenario in peers
        if scenario.rubric in rubrics
        for criterion in rubrics[scenario.rubric].criteria
        if criterion.required
    }
    frequency = sum(one.weight for one in group)
    pattern = _pattern(capability, instead, group)
    score = scores.get(capability, 0.0)
    return FailureCluster(
        id=content_id(capability[:40].strip("-"), [capability, instead], digits=8),
        capability=capability,
        pattern=pattern,
        confused_with=instead,
        missed=tuple(sorted(missed)),
        lenses=tuple(sorted({scenario.lens for scenario in peers})),
        severity=max((scenario.severity for scenario in peers), key=SEVERITIES.index, default=Severity.MEDIUM),
        scenarios=tuple(sorted(scenario.id for scenario in scenarios)),
        signals=tuple(sorted(one.signal for one in group if one.signal)),
        frequency=frequency,
        headroom=0.0 if capability == UNASSIGNED else round(1 - score, 9),
        covered=capability != UNASSIGNED and covers(rubrics.values(), capability),
        explanation=_explanation(capability, group, score),
        next_target=_next_target(capability, instead),
    )


def _pattern(capability: str, instead: str, group: Sequence[Failure]) -> str:
    if capability == UNASSIGNED:
        return "failed in production, and no person said which answer is right"
    if instead:
        return f"answers {shorten(instead)} where {capability} is right"
    if all(not one.instead for one in group):
        return f"gives no answer where {capability} is right"
    return f"misses {capability} with no one answer in its place"


def _explanation(capability: str, group: Sequence[Failure], score: float) -> str:
    core = sum(one.weight for one in group if one.scenario)
    production = sum(one.weight for one in group if one.signal)
    if capability == UNASSIGNED:
        return f"{production} failed production traces that cannot be assigned to a capability"
    given: Counter[str] = Counter()
    for one in group:
        given[one.instead] += one.weight
    del given[""]
    most = ", ".join(
        f"{shorten(name)} ({count})" for name, count in sorted(given.items(), key=lambda i: (-i[1], i[0]))[:3]
    )
    return f"{core} core scenarios and {production} production traces fail; {capability} scores {score:.3f} on core" + (
        f"; given instead: {most}" if most else ""
    )


def _next_target(capability: str, instead: str) -> str:
    if capability == UNASSIGNED:
        return "ask for the right answer on these traces"
    if instead:
        return f"messages of {capability} that are easily taken for {shorten(instead)}"
    return f"more varied messages of {capability}"


def _urgency(one: FailureCluster) -> tuple[int, float, str]:
    return (-SEVERITIES.index(one.severity), -round(one.frequency * one.headroom, 9), one.id)


def _left_out(one: FailureCluster, weak: Collection[str]) -> str:
    """Why this failure cluster is no target; empty where it is one."""
    if one.capability == UNASSIGNED:
        return "no person said which answer is right"
    if not one.covered:
        return "no approved rubric covers it"
    if one.capability not in weak:
        return "the capability is not weak: few of its scenarios and traces fail"
    return ""
