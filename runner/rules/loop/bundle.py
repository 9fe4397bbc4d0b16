"""What the bundle says that no other artifact does: who is whose parent, scores, remaining risk, the way back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.records.cluster import Cluster
from runner.records.dataset import Batch, Candidate
from runner.records.evidence import RollbackContract
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.fields import FieldScore, FieldTally
from runner.records.fired import Fired
from runner.records.intake import Incumbent
from runner.records.lineage import Lineage, LineageNode
from runner.records.risks import Risk, Risks
from runner.records.scenario import Origin, SetName
from runner.records.score import GradedAnswer, Scorecard, ScoredScenario
from runner.records.trace import UniqueSignal
from runner.records.training import Sweep, Training, TrainingRow, Use
from runner.records.validation import Judgement, ValidationReport
from runner.rules.data.mixture import mixture_digest
from runner.rules.evaluation.comparison_words import beside_real_only
from runner.rules.evaluation.repeats import is_repeat
from runner.rules.evaluation.scoring import AS_WRITTEN
from runner.rules.evaluation.structured import FieldCounts

NOBODY: Mapping[str, Sequence[str]] = {}
SMALL = 10
"""Held-out scenarios of a capability below which its score says little."""
NOTICEABLE_DROP = 0.1
"""A fall of the core composite under perturbation that an approver should know of."""


def lineage(
    diagnosis: Diagnosis,
    *,
    signals: Iterable[UniqueSignal],
    batches: Iterable[Batch],
    accepted: Sequence[Candidate],
    mixture: Sequence[TrainingRow],
    training: Training,
    checked: Mapping[str, Sequence[str]] = NOBODY,
    begun: Sequence[Fired] = (),
) -> Lineage:
    """From signal to adapter; every node names its parents, and every parent is a node. `checked` has the people who
    decided an example at triage, by its id; `begun` the triggers that the iteration was queued for.

    signal -> failure -> batch -> example -> mixture -> adapter. A new row of the mixture that came from no batch of
    this iteration (gold, base data, an earlier iteration) is an example without parents. Replay is counted in the
    mixture's label and not listed. A trigger is a parent of the adapter.
    """
    by_id = {one.example.id: one for one in accepted}
    new = {row.example.id: row.example for row in mixture if row.use is Use.NEW}
    trained = mixture_digest(mixture)
    nodes = [*_signals(diagnosis, signals)]
    used = {one.batch for one in accepted}
    for failure in diagnosis.failures:
        nodes.append(LineageNode(id=failure.id, kind="failure", parents=failure.signals, label=_aim(failure)))
    for batch in batches:
        if batch.id in used:
            nodes.append(
                LineageNode(id=batch.id, kind="batch", parents=(batch.provenance.target,), label=_writer(batch))
            )
    named = {name for one in accepted for name in one.parents if name not in by_id and not name.startswith("signal-")}
    for name in sorted(new.keys() | by_id.keys() | named):
        one = by_id.get(name)
        origin = one.example.origin if one else new[name].origin if name in new else Origin.HUMAN
        parents = (one.batch, *one.parents) if one else ()
        let_in = name in by_id or name in new
        people = f", accepted by {' and '.join(checked[name])}" if let_in and name in checked else ""
        nodes.append(LineageNode(id=name, kind="example", parents=parents, label=f"{origin}{people}"))
    replay = sum(row.use is Use.REPLAY for row in mixture)
    label = f"{len(new)} new examples, {replay} replayed"
    nodes.append(LineageNode(id=trained, kind="mixture", parents=tuple(sorted(new)), label=label))
    label = f"arm {training.arm}, strength {training.strength:g}"
    causes = [LineageNode(id=_cause(one), kind="trigger", parents=(), label=one.because) for one in begun]
    parents = (trained, *(one.id for one in causes))
    nodes += [*causes, LineageNode(id=training.adapter, kind="adapter", parents=parents, label=label)]
    return Lineage(nodes=tuple(_closed(nodes)))


def _cause(one: Fired) -> str:
    return f"trigger-{one.trigger.replace(' ', '-')}-{one.on}"


def _aim(failure: FailureCluster) -> str:
    """What goes wrong, and why it is aimed at before others."""
    factors = f"{failure.severity} severity x {failure.frequency} failures x {failure.headroom:.2f} to gain"
    return f"{failure.pattern}; priority {failure.priority:g} = {factors}"


def _writer(batch: Batch) -> str:
    """How its rows came to be, and how many of them became candidates."""
    made = batch.provenance
    label = f"{made.channel} by {made.generator.name} {made.generator.version}"
    return f"{label}; {batch.funnel.kept} of {batch.funnel.generated} rows kept" if batch.funnel else label


def _signals(diagnosis: Diagnosis, signals: Iterable[UniqueSignal]) -> Iterator[LineageNode]:
    """The failed unique signals, and the traces that each stands for."""
    wanted = {name for failure in diagnosis.failures for name in failure.signals}
    for one in signals:
        if one.signal.id in wanted:
            others = tuple(name for name in one.members if name != one.signal.id)
            for name in others:
                yield LineageNode(id=name, kind="signal", parents=(), label=f"stands behind {one.signal.id}")
            yield LineageNode(id=one.signal.id, kind="signal", parents=others, label=f"seen {one.count} times")


def _closed(nodes: Sequence[LineageNode]) -> Iterator[LineageNode]:
    """Each node once; a parent that is no node is dropped, because a link to nothing explains nothing."""
    known = {node.id for node in nodes}
    seen: set[str] = set()
    for node in nodes:
        if node.id not in seen:
            seen.add(node.id)
            parents = tuple(dict.fromkeys(name for name in node.parents if name in known and name != node.id))
            yield node.model_copy(update={"parents": parents})


def scored_scenarios(rows: Iterable[GradedAnswer], *, sets: Sequence[SetName]) -> tuple[ScoredScenario, ...]:
    """Per-scenario scores of every model, as written and perturbed: no prompt and no answer. Sorted by set and
    scenario."""
    found: dict[tuple[str, str], list[GradedAnswer]] = {}
    for row in rows:
        if row.set in sets:
            found.setdefault((str(row.set), row.grade.scenario), []).append(row)
    return tuple(_scored(found[key]) for key in sorted(found))


def _scored(rows: Sequence[GradedAnswer]) -> ScoredScenario:
    """All answers to one scenario in one row."""
    plain = {row.model: row.grade for row in sorted(rows, key=lambda row: row.model) if row.perturbation == AS_WRITTEN}
    perturbed: dict[str, dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: (row.perturbation, row.model)):
        if row.perturbation != AS_WRITTEN:
            perturbed.setdefault(row.perturbation, {})[row.model] = row.grade.score
    return ScoredScenario(
        set=rows[0].set,
        scenario=rows[0].grade.scenario,
        capability=rows[0].grade.capability,
        scores={model: grade.score for model, grade in plain.items()},
        passed={model: grade.passed for model, grade in plain.items()},
        perturbed=perturbed,
        outcome_type=rows[0].grade.outcome_type,
    )


def field_scores(rows: Iterable[GradedAnswer]) -> tuple[FieldScore, ...]:
    """The fields of every model on every set as written, sorted by set and model; nothing where no rubric has any."""
    tallies: dict[tuple[SetName, str], list[FieldTally]] = defaultdict(list)
    for row in rows:
        if row.perturbation == AS_WRITTEN and row.grade.fields is not None and not is_repeat(row.model):
            tallies[row.set, row.model].append(row.grade.fields)
    return tuple(_field_score(name, model, found) for (name, model), found in sorted(tallies.items()))


def _field_score(name: SetName, model: str, tallies: Sequence[FieldTally]) -> FieldScore:
    total = FieldCounts(
        sum(one.right for one in tallies), sum(one.given for one in tallies), sum(one.wanted for one in tallies)
    )
    return FieldScore(
        set=name,
        model=model,
        answers=len(tallies),
        conforming=sum(one.conforms for one in tallies),
        **total._asdict(),
        precision=round(total.precision, 9),
        recall=round(total.recall, 9),
        f1=round(total.f1, 9),
    )


def risks(
    scorecard: Scorecard,
    cluster: Cluster,
    *,
    sweep: Sweep,
    validation: ValidationReport,
    diagnosis: Diagnosis,
    grades: Iterable[ScoredScenario],
    mixture: Iterable[TrainingRow],
) -> Risks:
    """What an approver takes on by signing, computed from the evidence."""
    return Risks(
        risks=(
            *_losses(scorecard),
            *_robustness(scorecard),
            *_trust(scorecard),
            *_small_sets(cluster, grades),
            *_data(validation, sweep, mixture),
            *_left_out(diagnosis),
            _seeds(sweep),
        )
    )


def _losses(scorecard: Scorecard) -> Iterator[Risk]:
    lost = {name: one for name, one in scorecard.capability_comparisons.items() if one.lost > one.gained}
    if lost:
        listed = ", ".join(f"{name} ({one.lost} lost, {one.gained} gained)" for name, one in sorted(lost.items()))
        yield Risk(title="Capabilities that lost", detail=f"More scenarios lost than gained: {listed}.")
    if scorecard.regressions.count:
        found = scorecard.regressions
        detail = f"{found.count} of the {found.of} scenarios that the incumbent passed fail with the candidate."
        yield Risk(title="Regressions", detail=detail)


def _robustness(scorecard: Scorecard) -> Iterator[Risk]:
    candidate = scorecard.models["candidate"]
    core = candidate.sets[SetName.CORE].composite
    for name, value in sorted(candidate.robustness.items()):
        if core - value > NOTICEABLE_DROP:
            detail = f"Under {name} the core composite falls from {core:.3f} to {value:.3f}."
            yield Risk(title=f"Sensitive to {name}", detail=detail)


def _trust(scorecard: Scorecard) -> Iterator[Risk]:
    """What the figures leave open: real data alone, and an incumbent that differs from itself."""
    beside, repeats = scorecard.real_only, scorecard.repeats
    if beside is not None and beside.reached <= beside.recorded:
        yield Risk(title="Not above real data alone", detail=f"{beside_real_only(beside)}.")
    if repeats is not None and repeats.flipped:
        detail = f"Asked again, the incumbent turned {repeats.flipped} of {repeats.scenarios} verdicts of its own."
        yield Risk(title="The incumbent differs from itself", detail=detail)


def _small_sets(cluster: Cluster, grades: Iterable[ScoredScenario]) -> Iterator[Risk]:
    counts = Counter(row.capability for row in grades if row.set is SetName.HELDOUT)
    small = [f"{one.id} ({counts[one.id]})" for one in cluster.capabilities if counts[one.id] < SMALL]
    if small:
        detail = f"Fewer than {SMALL} held-out scenarios, so a score that says little: {', '.join(small)}."
        yield Risk(title="Small held-out per capability", detail=detail)


def _data(validation: ValidationReport, sweep: Sweep, mixture: Iterable[TrainingRow]) -> Iterator[Risk]:
    leaks = sum(len(one.leaks) for one in validation.batches)
    if leaks or validation.human_leaks:
        detail = (
            f"{leaks} candidates and {len(validation.human_leaks)} gold or base rows stood in a frozen set and were "
            f"left out; a paraphrase below the similarity threshold would not have been found."
        )
        yield Risk(title="Leaks dropped", detail=detail)
    origins = Counter(str(row.example.origin) for row in mixture if row.use is Use.NEW)
    listed = ", ".join(f"{count} {origin}" for origin, count in sorted(origins.items()))
    detail = f"Distinct new texts: {listed or 'none'}; {sweep.human_share:.0%} of the new rows shown are human."
    yield Risk(title="Where the texts come from", detail=detail)
    yield from refused_batches(validation)


def refused_batches(validation: ValidationReport) -> Iterator[Risk]:
    """The risks of batches that trained nothing: found wanting, or too little known of them."""
    kinds: dict[Judgement, list[str]] = {}
    for one in validation.batches:
        kinds.setdefault(one.judged, []).append(one.batch)
    if refused := kinds.get(Judgement.REFUSE):
        yield Risk(title="Batches refused", detail=f"Validation refused {', '.join(refused)}.")
    if unknown := kinds.get(Judgement.INSUFFICIENT_DATA):
        detail = f"Too little is known to validate {', '.join(unknown)}; they trained nothing."
        yield Risk(title="Batches not judged", detail=detail)


def _seeds(sweep: Sweep) -> Risk:
    """How much of the choice is the seed's. The candidate itself is trained with one."""
    if sweep.fragility is None or not any(arm.more_seeds for arm in sweep.arms):
        detail = "Each arm of the sweep and the candidate were trained once; another seed gives other weights."
        return Risk(title="One training seed", detail=detail)
    return Risk(title="Few training seeds", detail=f"{sweep.fragility.words}. The candidate is the first seed's.")


def _left_out(diagnosis: Diagnosis) -> Iterator[Risk]:
    by_reason: dict[str, list[str]] = {}
    for name, why in sorted(diagnosis.left_out.items()):
        by_reason.setdefault(why, []).append(name)
    if by_reason:
        listed = "; ".join(f"{why}: {', '.join(names)}" for why, names in sorted(by_reason.items()))
        yield Risk(title="Failures not aimed at", detail=listed)


def rollback_contract(incumbent: Incumbent, scorecard: Scorecard, *, limits: Mapping[str, float]) -> RollbackContract:
    """Back to the incumbent. `limits` are the floors, by name, below which production must not fall."""
    floors = ", ".join(f"{name} below {value:g}" for name, value in sorted(limits.items()))
    return RollbackContract(
        to_sequence=incumbent.sequence,
        to_adapter=incumbent.adapter,
        when=f"production shows {floors}, or a capability that is worse than before ({scorecard.cluster})",
        who="the on-call person whom policy/trust.yaml names for rollbacks, by a new signed sequence",
    )
