"""Diagnosis: failures of core and of production, grouped so that each group has one thing to fix.

What it sees is in its signature: core scenarios, the incumbent's grades on them, unique failed signals, rubrics. The
other sets cannot be passed in.

Groups. A failure's key is its capability and what was answered instead: a label or, of a structured answer, what is
wrong with it. A key with at least `COMMON` failures, and at least a fifth of its capability's, is a failure cluster;
what is left of a capability has no common confusion and forms one cluster. Signals that no person answered, or whose
answer is no capability's, form `unassigned`.

Targets. A covered cluster is a target where its capability is weak: it scores below `target_below` on core, or at
least `target_failures` of its failures were counted in production. What is aimed at takes room from what is not, and
every capability fails now and then.

Priority. Targets are ordered by severity (low 1, medium 3, high 9) x frequency x headroom: the risk priority number of
failure mode and effects analysis (IEC 60812), with what there is to gain for detection. Equal ones are ordered by id.
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
from runner.rules.data.sources import over_quota
from runner.rules.evaluation.grading import common_normalisation, criterion_slug
from runner.rules.evaluation.scoring import capability_weights, composite
from runner.rules.evaluation.structured import fault_paths, named_in
from runner.rules.naming import content_id, slug
from runner.rules.text.normalisation import normalise
from runner.rules.text.shown import shorten

COMMON = 2
COMMON_SHARE = 0.2
UNASSIGNED = "unassigned"
SEVERITY = {Severity.LOW: 1, Severity.MEDIUM: 3, Severity.HIGH: 9}


@dataclass(frozen=True)
class Failure:
    """One core scenario that failed, or one unique signal with its count."""

    capability: str
    instead: str
    missed: tuple[str, ...]
    weight: int
    scenario: Scenario | None = None
    signal: str = ""
    """The id of a signal whose text may be used; empty for another one, and for a scenario."""


@dataclass(frozen=True)
class Answerbook:
    """Which capability an answer belongs to, and how it is written: learnt from core's references alone."""

    capabilities: Mapping[str, str]
    """Normalised answer to capability."""
    written: Mapping[str, str]
    """Normalised answer to the answer as core writes it."""
    normalisation: tuple[Normalisation, ...]
    known: frozenset[str]
    field: str = ""
    """The key of a structured answer that names its capability; empty where answers are labels."""

    def capability(self, answer: str) -> str:
        """The capability whose right answer this is; else the one that its field or slug names; else `unassigned`."""
        named = named_in(answer, self.field) if self.field else slug(answer)
        found = named if self.field else self.capabilities.get(normalise(answer, self.normalisation), named)
        return found if found in self.known else UNASSIGNED

    def instead(self, given: str, right: str) -> str:
        """What a wrong answer is, so that wrong answers of one kind are equal: the label given; of a structured answer,
        the capability it names where that is another, else the fields that are not as they should be."""
        if not self.field:
            return self.canonical(given)
        paths = fault_paths(given, right)
        if self.field in paths:
            return self.capability(given)
        if "" in paths:
            return "no JSON object" if given.strip() else ""
        return f"another {', '.join(paths)}"

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
    return Answerbook(capabilities, written, steps, known, cluster.answer_field)


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
    failed = [one for one in signals if one.signal.failed]
    failures = [*_of_core(core, grades, book), *_of_production(failed, book)]
    clusters = [
        _cluster(capability, instead, group, core=core, scores=scores, rubrics=rubrics)
        for (capability, instead), group in sorted(_groups(failures).items())
    ]
    clusters.sort(key=lambda one: (-one.priority, one.id))
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
        held=dict(sorted(Counter(str(one.held) for one in failed if one.held).items())),
        over_quota=over_quota(failed),
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
        Failure(one.capability, book.instead(one.answer, asked.reference), one.missed, 1, scenario=asked)
        for one in grades
        if not one.passed
        for asked in (scenarios[one.scenario],)
    ]


def _of_production(signals: Iterable[UniqueSignal], book: Answerbook) -> list[Failure]:
    found = []
    for one in signals:
        if one.counted:
            right = one.signal.trace.feedback.correct_answer
            capability = book.capability(right) if right else UNASSIGNED
            instead = book.instead(one.signal.trace.response, right)
            name = one.signal.id if one.usable else ""
            found.append(Failure(capability, instead, (), one.counted, signal=name))
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
    severity = max((one.severity for one in peers), key=SEVERITY.__getitem__, default=Severity.MEDIUM)
    headroom = 0.0 if capability == UNASSIGNED else round(1 - score, 9)
    return FailureCluster(
        id=content_id(capability[:40].strip("-"), [capability, instead], digits=8),
        capability=capability,
        pattern=pattern,
        confused_with=instead,
        missed=tuple(sorted(missed)),
        lenses=tuple(sorted({scenario.lens for scenario in peers})),
        severity=severity,
        scenarios=tuple(sorted(scenario.id for scenario in scenarios)),
        signals=tuple(sorted(one.signal for one in group if one.signal)),
        frequency=frequency,
        headroom=headroom,
        priority=round(SEVERITY[severity] * frequency * headroom, 6),
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
    production = sum(one.weight for one in group if not one.scenario)
    if capability == UNASSIGNED:
        return f"{production} failed production traces that cannot be assigned to a capability"
    given: Counter[str] = Counter()
    for one in group:
        given[one.instead] += one.weight
    del given[""]
    ranked = sorted(given.items(), key=lambda item: (-item[1], item[0]))[:3]
    most = ", ".join(f"{shorten(name)} ({count})" for name, count in ranked)
    return f"{core} core scenarios and {production} production traces fail; {capability} scores {score:.3f} on core" + (
        f"; given instead: {most}" if most else ""
    )


def _next_target(capability: str, instead: str) -> str:
    if capability == UNASSIGNED:
        return "ask for the right answer on these traces"
    if instead:
        return f"messages of {capability} that are easily taken for {shorten(instead)}"
    return f"more varied messages of {capability}"


def _left_out(one: FailureCluster, weak: Collection[str]) -> str:
    """Why this failure cluster is no target; empty where it is one."""
    if one.capability == UNASSIGNED:
        return "no person said which answer is right"
    if not one.covered:
        return "no approved rubric covers it"
    if one.capability not in weak:
        return "the capability is not weak: few of its scenarios and traces fail"
    return ""
